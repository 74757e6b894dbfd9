//! Where a row of the bench spends its time: the cluster and the load of `cargo xtask bench`, and `perf` on the leader.
//!
//! Stacks are taken by their unwind tables (`--call-graph dwarf`), which the program has as it is given out. It has no frame pointers: followed by those, two
//! samples of three lead to none of our functions. To have them everything would be built anew, as another program than the one that is measured elsewhere.

mod costs;
mod graph;
mod layers;
mod stacks;

use crate::bench::workloads::{self, Workload};
use crate::bench::{self, Side, florin, ledger, process};
use crate::release;
use costs::Costs;
use stacks::Stacks;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Caches and plans are full after it.
const WARM_UP_SECONDS: u64 = 3;
/// What the load of tables left to do in the background is part of a load, not of the row: it is waited for, but not for ever.
const SETTLE_SECONDS_MAX: u64 = 120;
/// Less processor time in a second, of all nodes, is that of idle ones.
const SETTLED_CPU_SECONDS: f64 = 0.15;
/// The load connects and prepares before it is looked at, and goes on until that has ended.
const LEAD_SECONDS: u64 = 2;
const LATE_SECONDS_MAX: u64 = 60;
const SCRIPT_SECONDS_MAX: u64 = 600;
/// Of a stack that are copied with each sample. Of a TPC-B-like load's stacks 97 % are whole then, with half of it 57 %, with a quarter 4 %. What is cut off
/// are the outermost callers, which only the flame graph shows.
const STACK_BYTES: u32 = 32 << 10;
/// Memory with a path: what is recorded does not go to the disk that the nodes write to.
const MEMORY: &str = "/dev/shm";

struct Options {
    row: &'static Workload,
    sizes: bench::Options,
    /// Samples a second.
    frequency: u32,
    nodes: u16,
    /// All nodes, instead of the one that leads.
    all: bool,
    program: Option<PathBuf>,
    /// Where the flame graph goes.
    out: Option<PathBuf>,
}

/// # Errors
/// If perf is missing or not allowed, or what could not be started or run, with the program's own words.
pub fn run(root: &Path, arguments: &[String]) -> Result<String, String> {
    let options = parse(arguments)?;
    let directory = std::env::temp_dir().join(format!("florin-profile-{}", std::process::id()));
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let result = permitted(&directory).and_then(|()| profile(root, &directory, &options));
    if let Err(error) = std::fs::remove_dir_all(&directory) {
        eprintln!("cannot remove {}: {error}", directory.display());
    }
    result
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let all = || workloads::ALL.iter().chain(ledger::ROWS);
    let rows = || all().map(|row| row.name).collect::<Vec<_>>().join(", ");
    let sizes = bench::Options::default().lasting(10);
    let row = arguments.first().ok_or_else(|| format!("which row? {}", rows()))?;
    let row = all().find(|known| known.name == *row).ok_or_else(|| format!("{row:?} is no row with a load: {}", rows()))?;
    let mut options = Options { row, sizes, frequency: 499, nodes: 3, all: false, program: None, out: None };
    let mut rest = arguments[1..].iter();
    while let Some(argument) = rest.next() {
        let mut number =
            || rest.next().and_then(|text| text.parse().ok()).filter(|n| *n > 0).ok_or(format!("{argument} needs a number above 0"));
        match argument.as_str() {
            "--seconds" => options.sizes.seconds = u64::from(number()?),
            "--scale" => options.sizes.scale = number()?,
            "--warehouses" => options.sizes.warehouses = number()?,
            "--frequency" => options.frequency = number()?,
            "--nodes" => options.nodes = u16::try_from(number()?).map_err(|_| "--nodes: at most 65535")?,
            "--all" => options.all = true,
            "--program" => options.program = Some(rest.next().map(PathBuf::from).ok_or("--program needs a path")?),
            "--out" => options.out = Some(rest.next().map(PathBuf::from).ok_or("--out needs a path")?),
            other => {
                return Err(format!(
                    "{other:?} is no option: --seconds, --scale, --warehouses, --frequency, --nodes, --all, --program, --out"
                ));
            }
        }
    }
    Ok(options)
}

/// # Errors
/// Why nothing can be recorded here, and what helps.
fn permitted(directory: &Path) -> Result<(), String> {
    process::run(Command::new("perf").arg("--version"))
        .map_err(|error| format!("{error}\nperf is needed (Debian package linux-perf; it should be as new as the kernel)"))?;
    let mut trial = Command::new("perf");
    trial.args(["record", "-o"]).arg(directory.join("trial")).args(["--", "true"]);
    process::run(&mut trial).map(drop).map_err(|error| {
        let level = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
        format!(
            "{error}\nperf may not record here: run as root, or lower kernel.perf_event_paranoid (now {}) to 1; \
             in a container the system call perf_event_open must be allowed",
            level.trim()
        )
    })
}

fn profile(root: &Path, directory: &Path, options: &Options) -> Result<String, String> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => release::program(root)?,
    };
    let cluster = florin::Cluster::start(&program, &directory.join("florin"), options.nodes)?;
    let cpu = || cluster.cpu_seconds();
    let side = Side { port: cluster.port(), user: "florin", cpu: &cpu };
    bench::prepare(options.row, &options.sizes, &side)?;
    settle(&cpu);
    bench::drive(options.row, &options.sizes.lasting(WARM_UP_SECONDS), &side, 0)?;
    let pids = if options.all { cluster.pids() } else { cluster.pids()[..1].to_vec() };
    let recorded = Recorded::new(directory);
    let data = &recorded.0;
    let figure = std::thread::scope(|scope| {
        let (frequency, recorded_seconds) = (options.frequency, options.sizes.seconds);
        let recording = scope.spawn(move || {
            std::thread::sleep(Duration::from_secs(LEAD_SECONDS));
            record(&pids, data, frequency, recorded_seconds)
        });
        let figure = bench::drive(options.row, &options.sizes.lasting(options.sizes.seconds + 2 * LEAD_SECONDS), &side, 1);
        recording.join().map_err(|_| "the thread that records panicked".to_owned())??;
        figure
    })?;
    let stacks = stacks(data, directory)?;
    let costs = Costs::of(&stacks);
    if costs.samples() == 0 {
        return Err("perf recorded nothing of the leader".to_owned());
    }
    let graph = options.out.clone().unwrap_or_else(|| release::target(root).join(format!("profile/{}.svg", options.row.name)));
    write(&graph, &graph::draw(&stacks, &format!("{}: {}", options.row.name, options.row.what)))?;
    write(&graph.with_extension("folded"), &stacks.folded())?;
    let whose = if options.all { "all nodes" } else { "the leader" };
    Ok(format!(
        "{}: {:.0} transactions/s while {whose} was recorded, {:.3} ms of processor time each (all nodes)\n{}\nflame graph: {}",
        options.row.name,
        figure.tps,
        figure.cpu_ms.iter().sum::<f64>(),
        costs.text(),
        graph.display()
    ))
}

/// Where it is recorded to; removed when this is dropped.
struct Recorded(PathBuf);

impl Recorded {
    fn new(directory: &Path) -> Recorded {
        let name = format!("florin-profile-{}.data", std::process::id());
        let memory = Path::new(MEMORY);
        Recorded(if memory.is_dir() { memory.join(name) } else { directory.join(name) })
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // Nothing was recorded: nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn settle(cpu: &dyn Fn() -> Vec<f64>) {
    let sum = || cpu().iter().sum::<f64>();
    let mut before = sum();
    for _ in 0..SETTLE_SECONDS_MAX {
        std::thread::sleep(Duration::from_secs(1));
        let now = sum();
        if now - before < SETTLED_CPU_SECONDS {
            return;
        }
        before = now;
    }
    eprintln!("the nodes still have work from loading after {SETTLE_SECONDS_MAX} s; it is in the profile");
}

fn record(pids: &[u32], data: &Path, frequency: u32, seconds: u64) -> Result<(), String> {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let mut command = process::bounded("perf", seconds + LATE_SECONDS_MAX);
    command.args(["record", "-F", &frequency.to_string(), "--call-graph", &format!("dwarf,{STACK_BYTES}")]);
    command.args(["-p", &pids.join(","), "-o"]).arg(data).args(["--", "sleep", &seconds.to_string()]);
    process::run(&mut command).map(drop)
}

/// What was recorded. Unwinding takes its time.
fn stacks(data: &Path, directory: &Path) -> Result<Stacks, String> {
    let printed = directory.join("stacks");
    let trouble = |error: std::io::Error| format!("{}: {error}", printed.display());
    let mut command = process::bounded("perf", SCRIPT_SECONDS_MAX);
    // Without lines of source, whose search takes longer than all the rest.
    command.args(["script", "--no-inline", "-F", "comm,ip,sym", "-i"]).arg(data);
    let status = command.stdout(File::create(&printed).map_err(trouble)?).stderr(Stdio::null()).status();
    let status = status.map_err(|error| format!("{command:?}: {error}"))?;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}"));
    }
    Stacks::read(BufReader::new(File::open(&printed).map_err(trouble)?)).map_err(trouble)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let trouble = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(trouble)?;
    }
    std::fs::write(path, text).map_err(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_and_its_options_are_read() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let options = parse(&words("select --seconds 3 --all --out x.svg")).expect("all known");
        assert_eq!((options.row.name, options.sizes.seconds, options.all), ("select", 3, true));
        assert!(parse(&words("idle")).is_err_and(|said| said.contains("tpcb")));
        assert!(parse(&words("tpcb --cuts 3")).is_err());
        assert!(parse(&[]).is_err());
    }
}
