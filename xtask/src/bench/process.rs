//! Programs of a bench: run to their end, or kept running and ended with the bench; what they cost.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A program that is ended if it takes longer: a bench runs unattended.
pub fn bounded(program: &str, seconds_max: u64) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &seconds_max.to_string(), program]);
    // Clients would encrypt where the server offers it, which only one side does as it comes.
    command.env("PGSSLMODE", "disable");
    command
}

/// Runs a program to its end and gives its standard output.
pub fn run(command: &mut Command) -> Result<String, String> {
    run_heard(command).map(|(out, _)| out)
}

/// Runs a program to its end and gives its standard output and its standard error.
pub fn run_heard(command: &mut Command) -> Result<(String, String), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = [said.trim(), String::from_utf8_lossy(&output.stdout).trim()].join(" ");
        return Err(format!("{} (of {command:?}, which ended with {})", said.trim(), output.status));
    }
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// A program that is killed when this is dropped.
pub struct Running {
    pub child: Child,
}

impl Running {
    pub fn start(command: &mut Command, log: &Path) -> Result<Running, String> {
        let file = File::options().create(true).append(true).open(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let copy = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let child = command.stdout(file).stderr(copy).spawn().map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Running { child })
    }

    /// Kills it and waits until it is gone.
    pub fn end(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Seconds of processor time of a process and of its children that ended, from `/proc/PID/stat` (proc(5), fields 14 to 17).
pub fn cpu_seconds(pid: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// Resident memory now, in MiB.
pub fn resident_mib(pid: u32) -> f64 {
    memory_mib(pid, "VmRSS:")
}

/// The most resident memory that there was, in MiB.
pub fn peak_mib(pid: u32) -> f64 {
    memory_mib(pid, "VmHWM:")
}

fn memory_mib(pid: u32, field: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

/// All processes whose parent is this one.
pub fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}
