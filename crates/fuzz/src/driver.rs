//! Runs one target on many mutated inputs, from one seed, within bounds; says which input broke it.

use crate::Target;
use crate::mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An input that takes longer, on a machine that may be busy, hangs.
const HANG: Duration = Duration::from_secs(30);
/// As a thread of the node has it: what overflows here would overflow there.
const STACK_BYTES: usize = 2 << 20;

/// What the target is at: the number of the input, since when, and the input.
type Current = Arc<Mutex<(u64, Instant, Vec<u8>)>>;

pub struct Bounds {
    pub time: Duration,
    pub inputs_max: u64,
}

/// Answers how many inputs were tried. Prints the input before it passes a panic on.
///
/// # Panics
/// If the target does, or does not end.
pub fn drive(target: &'static Target, seed: u64, bounds: Bounds) -> u64 {
    let current: Current = Arc::new(Mutex::new((0, Instant::now(), Vec::new())));
    let (done, ended) = channel();
    let shared = Arc::clone(&current);
    let work = move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| feed(target, seed, &bounds, &shared)));
        // The receiver waits for this, or has panicked.
        let _ = done.send(outcome);
    };
    let builder = std::thread::Builder::new().name(format!("fuzz {}", target.name)).stack_size(STACK_BYTES);
    builder.spawn(work).expect("a thread can be started");
    loop {
        match ended.recv_timeout(Duration::from_secs(1)) {
            Ok(Ok(inputs)) => return inputs,
            Ok(Err(panic)) => {
                tell(target, seed, &current, "broke it");
                resume_unwind(panic);
            }
            Err(RecvTimeoutError::Timeout) => {
                let since = current.lock().unwrap_or_else(PoisonError::into_inner).1;
                if since.elapsed() > HANG {
                    tell(target, seed, &current, "does not end");
                    panic!("{}: an input takes longer than {} s", target.name, HANG.as_secs());
                }
            }
            Err(RecvTimeoutError::Disconnected) => panic!("{}: its thread ended without a word", target.name),
        }
    }
}

fn feed(target: &Target, seed: u64, bounds: &Bounds, current: &Current) -> u64 {
    let seeds = (target.seeds)();
    let note = |number: u64, input: &[u8]| {
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        current.0 = number;
        current.1 = Instant::now();
        current.2.clear();
        current.2.extend_from_slice(input);
    };
    for seed in &seeds {
        note(0, seed);
        (target.run)(seed);
    }
    let mut mutator = Mutator::new(seed, seeds);
    let start = Instant::now();
    let mut number = 0;
    while number < bounds.inputs_max && start.elapsed() < bounds.time {
        number += 1;
        let input = mutator.next_input();
        note(number, &input);
        (target.run)(&input);
    }
    number
}

fn tell(target: &Target, seed: u64, current: &Current, what: &str) {
    let current = current.lock().unwrap_or_else(PoisonError::into_inner);
    let escaped: String = current.2.iter().map(|byte| std::ascii::escape_default(*byte).to_string()).collect();
    eprintln!("{}: input {} of seed {seed} {what}; keep it as a test:\nb\"{escaped}\"", target.name, current.0);
}
