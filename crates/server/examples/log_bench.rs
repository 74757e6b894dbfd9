//! Measures the log's disk: writes of 16 KiB one after the other, by each means that the log's thread has, and as a
//! file that grows would do it.
//!
//! `cargo run --release -p server --example log_bench -- <directory> [writes]`. The directory is made and removed.
#![allow(clippy::disallowed_methods, reason = "a program of its own: it reads the clock and files")]

use bytes::Bytes;
use server::disk::{DiskOptions, DiskReport, DiskThread, FileLogFiles, WriteMode};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use storage::log::{LogWrite, SEGMENT_BYTES};

const WRITE_BYTES: usize = 16 * 1024;
/// Segments written in turn, as recycled ones are.
const SEGMENTS: u64 = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let directory = Path::new(arguments.get(1).expect("a directory to work in"));
    let writes = arguments.get(2).map_or(10_000, |text| text.parse().expect("a number"));
    growing(directory, writes.min(3_000));
    for mode in [WriteMode::Cached, WriteMode::Direct, WriteMode::Ring] {
        through_the_thread(directory, mode, writes);
    }
}

fn growing(directory: &Path, writes: u64) {
    std::fs::create_dir_all(directory).expect("the directory can be made");
    let mut file = File::create(directory.join("growing")).expect("a file can be made");
    let bytes = vec![1; WRITE_BYTES];
    let mut write = |_| {
        file.write_all(&bytes).expect("the disk has room");
        file.sync_data().expect("the disk works");
    };
    measure("a growing file and fdatasync", writes, &mut write);
    std::fs::remove_dir_all(directory).expect("the directory can be removed");
}

fn through_the_thread(directory: &Path, mode: WriteMode, writes: u64) {
    let files = FileLogFiles::open(directory).expect("the directory can be made");
    let (report, reports) = channel();
    let options = DiskOptions { mode, ..DiskOptions::default() };
    let disk = DiskThread::start(files, options, move |ended| report.send(ended).expect("the main thread waits")).expect("threads start");
    let per_segment = (SEGMENT_BYTES / WRITE_BYTES) as u64;
    let bytes = Bytes::from(vec![2; WRITE_BYTES]);
    let mut write = |sequence: u64| {
        let segment = sequence / per_segment % SEGMENTS;
        let offset = sequence % per_segment * WRITE_BYTES as u64;
        disk.write(LogWrite { sequence, segment, offset, bytes: bytes.clone(), surplus: Vec::new() });
        match reports.recv().expect("each write is reported") {
            DiskReport::Written { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    // Makes the segments.
    (0..SEGMENTS).for_each(|segment| write(segment * per_segment));
    measure(&format!("the log's thread, {mode:?}"), writes, &mut write);
    drop(disk);
    std::fs::remove_dir_all(directory).expect("the directory can be removed");
}

fn measure(what: &str, writes: u64, write: &mut dyn FnMut(u64)) {
    let mut times = Vec::with_capacity(writes as usize);
    let (started, cpu) = (Instant::now(), cpu_seconds());
    for sequence in 0..writes {
        let begun = Instant::now();
        write(sequence);
        times.push(begun.elapsed());
    }
    let elapsed = started.elapsed();
    let cpu = (cpu_seconds() - cpu) * 1e6 / writes as f64;
    times.sort_unstable();
    let part = |of: f64| -> Duration { times[((writes - 1) as f64 * of) as usize] };
    println!(
        "{what}: {:.0} writes/s, p50 {:?}, p99 {:?}, p99.9 {:?}, {cpu:.0} µs of CPU each",
        writes as f64 / elapsed.as_secs_f64(),
        part(0.5),
        part(0.99),
        part(0.999)
    );
}

/// Of all threads.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("procfs");
    let after_name = text.rsplit(')').next().expect("a process has a name");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number of ticks")).sum();
    ticks as f64 / 100.0
}
