//! Instructions of the hot paths, counted by valgrind and compared with those that docs/instructions.md keeps.
//!
//! A machine's load changes times, not counts: a regression of a few percent shows on any machine. The paths are those of
//! `crates/server/examples/instructions.rs`; each runs in a process of its own, so that none changes what another one finds.

use crate::bench::process;
use crate::{marks, release};
use std::path::{Path, PathBuf};
use std::process::Command;

const KEPT: &str = "docs/instructions.md";
const MARK: &str = "instructions";
/// More than this above what is kept is a regression, in percent. Runs differ by much less.
const TOLERANCE_PERCENT: f64 = 3.0;
/// The functions of the program inside which is counted.
const COUNTED: &str = "*instructions*counted*";
/// A path takes some seconds.
const PATH_SECONDS_MAX: u64 = 600;

struct Options {
    write: bool,
    /// All, if none is named.
    paths: Vec<String>,
}

/// Instructions of one run of a path.
#[derive(Clone, Debug, PartialEq)]
struct Count {
    path: String,
    instructions: f64,
    what: String,
}

/// What was counted with what. Another compiler makes other instructions.
#[derive(Clone, Debug, PartialEq)]
struct Counts {
    compiler: String,
    counts: Vec<Count>,
}

/// # Errors
/// If valgrind is missing, something cannot be built or run, or a path takes more instructions than are kept for it.
pub fn run(root: &Path, arguments: &[String]) -> Result<String, String> {
    let options = parse(arguments)?;
    process::run(Command::new("valgrind").arg("--version"))
        .map_err(|error| format!("{error}\nvalgrind is needed to count instructions (Debian package valgrind)"))?;
    let examples = ["--package", "florin", "--package", "server", "--example", "instructions"];
    let program = release::build(root, &examples)?.join("examples/instructions");
    let directory = release::target(root).join("instructions");
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut counts = Vec::new();
    for (path, what) in paths(&program, &options)? {
        let instructions = count(&program, &path, &out_file(&directory, &path))?;
        counts.push(Count { path, instructions, what });
    }
    let now = Counts { compiler: compiler()?, counts };
    if options.write {
        marks::write(&root.join(KEPT), MARK, &table(&now))?;
        return Ok(format!("{}\nwritten to {KEPT}", table(&now)));
    }
    let kept = read(&marks::read(&root.join(KEPT), MARK)?)?;
    let profiles = format!("where they are spent: callgrind_annotate {}", out_file(&directory, "PATH").display());
    judge(&kept, &now, options.paths.is_empty()).map(|said| format!("{said}\n{profiles}")).map_err(|said| format!("{said}\n{profiles}"))
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { write: false, paths: Vec::new() };
    for argument in arguments {
        match argument.as_str() {
            "--write" => options.write = true,
            option if option.starts_with('-') => return Err(format!("{option:?} is no option; there is --write")),
            path => options.paths.push(path.to_owned()),
        }
    }
    match options.write && !options.paths.is_empty() {
        true => Err("--write keeps the counts of all paths: name none".to_owned()),
        false => Ok(options),
    }
}

fn out_file(directory: &Path, path: &str) -> PathBuf {
    directory.join(format!("{path}.out"))
}

/// Names and descriptions of the paths that are wanted.
fn paths(program: &Path, options: &Options) -> Result<Vec<(String, String)>, String> {
    let said = process::run(Command::new(program).arg("--list"))?;
    let all: Vec<(String, String)> =
        said.lines().filter_map(|line| line.split_once('\t')).map(|(path, what)| (path.to_owned(), what.to_owned())).collect();
    if let Some(unknown) = options.paths.iter().find(|wanted| all.iter().all(|(path, _)| path != *wanted)) {
        let names: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        return Err(format!("{unknown:?} is no path: {}", names.join(", ")));
    }
    Ok(all.into_iter().filter(|(path, _)| options.paths.is_empty() || options.paths.contains(path)).collect())
}

/// Instructions of one run of a path.
fn count(program: &Path, path: &str, out: &Path) -> Result<f64, String> {
    let mut command = process::bounded("valgrind", PATH_SECONDS_MAX);
    command.args(["--tool=callgrind", "--quiet", &format!("--toggle-collect={COUNTED}")]);
    command.arg(format!("--callgrind-out-file={}", out.display())).arg(program).arg(path);
    // What the environment says changes neither the program nor, much, where its memory lies. Memory is given back by the clock, unless never.
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("MIMALLOC_PURGE_DELAY", "-1");
    let said = process::run(&mut command)?;
    let runs: f64 = said.trim().parse().map_err(|_| format!("{path}: {said:?} is not how often it ran"))?;
    let profile = std::fs::read_to_string(out).map_err(|error| format!("{}: {error}", out.display()))?;
    match totals(&profile) {
        Some(total) if total > 0.0 && runs > 0.0 => Ok(total / runs),
        _ => Err(format!("{path}: nothing was counted: does the program still have functions called {COUNTED}?")),
    }
}

/// All that was counted, from callgrind's output format (valgrind manual, section 6.6).
fn totals(profile: &str) -> Option<f64> {
    let line = profile.lines().find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?;
    line.split_whitespace().next()?.parse().ok()
}

fn compiler() -> Result<String, String> {
    let said = process::run(Command::new("rustc").arg("--version"))?;
    Ok(format!("{}, {}", said.trim(), std::env::consts::ARCH))
}

fn table(counts: &Counts) -> String {
    let mut text = format!("{}\n\n| path | instructions | what |\n| --- | --- | --- |\n", counts.compiler);
    for Count { path, instructions, what } in &counts.counts {
        text.push_str(&format!("| {path} | {instructions:.0} | {what} |\n"));
    }
    text.trim_end().to_owned()
}

fn read(text: &str) -> Result<Counts, String> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let compiler = lines.next().ok_or_else(|| format!("{KEPT} keeps no counts: cargo xtask instructions --write"))?.to_owned();
    let mut counts = Vec::new();
    for line in lines.skip(2) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [path, instructions, what] = cells[..] else { return Err(format!("{KEPT}: {line:?} has not three columns")) };
        let instructions = instructions.parse().map_err(|_| format!("{KEPT}: {instructions:?} is no number"))?;
        counts.push(Count { path: path.to_owned(), instructions, what: what.to_owned() });
    }
    Ok(Counts { compiler, counts })
}

/// The differences, as an error if one is a regression.
fn judge(kept: &Counts, now: &Counts, all: bool) -> Result<String, String> {
    let mut said = vec![format!("{:<16} {:>12} {:>12} {:>9}", "path", "kept", "now", "change")];
    let (mut worse, mut better) = (Vec::new(), Vec::new());
    for count in &now.counts {
        let Some(before) = kept.counts.iter().find(|kept| kept.path == count.path) else {
            said.push(format!("{:<16} {:>12} {:>12.0}", count.path, "-", count.instructions));
            worse.push(format!("{} is not kept", count.path));
            continue;
        };
        let change = (count.instructions / before.instructions - 1.0) * 100.0;
        said.push(format!("{:<16} {:>12.0} {:>12.0} {change:>+8.2} %", count.path, before.instructions, count.instructions));
        if change > TOLERANCE_PERCENT {
            worse.push(format!("{} takes {change:.1} % more instructions, above the tolerance of {TOLERANCE_PERCENT} %", count.path));
        } else if change < -TOLERANCE_PERCENT {
            better.push(count.path.as_str());
        }
    }
    let gone = kept.counts.iter().filter(|kept| all && now.counts.iter().all(|count| count.path != kept.path));
    worse.extend(gone.map(|kept| format!("{} is kept and not counted any more", kept.path)));
    if kept.compiler != now.compiler {
        said.push(format!("not judged: kept with {}, counted with {}", kept.compiler, now.compiler));
        said.push("to judge a change here, keep the counts of the commit before it: cargo xtask instructions --write".to_owned());
        return Ok(said.join("\n"));
    }
    if !better.is_empty() {
        said.push(format!("fewer than kept: {}; keep them with cargo xtask instructions --write", better.join(", ")));
    }
    if worse.is_empty() {
        return Ok(said.join("\n"));
    }
    said.extend(worse);
    said.push("if the change is worth it, accept it with cargo xtask instructions --write and say why in the commit".to_owned());
    Err(said.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(compiler: &str, counts: &[(&str, f64)]) -> Counts {
        let count = |(path, instructions): &(&str, f64)| Count { path: (*path).into(), instructions: *instructions, what: "x".into() };
        Counts { compiler: compiler.into(), counts: counts.iter().map(count).collect() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let kept = counts("rustc 1", &[("read", 1200.0), ("update", 3.0)]);
        assert_eq!(read(&table(&kept)), Ok(kept));
        assert!(read("").is_err());
    }

    #[test]
    fn more_than_the_tolerance_fails_and_less_does_not() {
        let kept = counts("rustc 1", &[("read", 1000.0)]);
        let judged = |now: f64| judge(&kept, &counts("rustc 1", &[("read", now)]), true);
        assert!(judged(1029.0).is_ok());
        assert!(judged(1031.0).is_err_and(|said| said.contains("read takes 3.1 % more")));
        assert!(judged(900.0).is_ok_and(|said| said.contains("fewer than kept: read")));
    }

    #[test]
    fn a_path_that_is_new_or_gone_fails() {
        let (old, new) = (counts("rustc 1", &[("read", 1.0)]), counts("rustc 1", &[("read", 1.0), ("update", 1.0)]));
        assert!(judge(&old, &new, true).is_err_and(|said| said.contains("update is not kept")));
        assert!(judge(&new, &old, true).is_err_and(|said| said.contains("not counted any more")));
        assert!(judge(&new, &old, false).is_ok(), "it was not asked for");
    }

    #[test]
    fn counts_of_another_compiler_are_shown_and_not_judged() {
        let (kept, now) = (counts("rustc 1", &[("read", 1.0)]), counts("rustc 2", &[("read", 2.0)]));
        assert!(judge(&kept, &now, true).is_ok_and(|said| said.contains("not judged") && said.contains("+100.00 %")));
    }

    #[test]
    fn totals_are_found_in_a_profile() {
        assert_eq!(totals("version: 1\nevents: Ir\nfn=(1) x\n1 2\ntotals: 123\n"), Some(123.0));
        assert_eq!(totals("version: 1\n"), None);
    }
}
