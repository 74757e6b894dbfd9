//! The live view: payments per second, the map of cities and zones with their leaders, the events so far.

use super::DemoOptions;
use super::board::Board;
use super::observe::{self, Picture};
use super::payments::Payments;
use super::processes::Place;
use super::targets::Targets;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const REDRAW_MILLIS: u64 = 500;
const HISTORY_SECONDS: usize = 50;
const EVENTS_SHOWN: usize = 10;
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

enum Style {
    /// A terminal: the picture is drawn over the last one.
    Live,
    /// A file or pipe: a line for each event and second.
    Lines,
    Silent,
}

pub struct View {
    style: Style,
    title: String,
    payments: usize,
    board: Arc<Board>,
    targets: Arc<Targets>,
    places: Vec<Place>,
    events: Mutex<Vec<String>>,
}

impl View {
    pub fn new(options: &DemoOptions, payments: &Payments, board: &Arc<Board>, targets: &Arc<Targets>, places: Vec<Place>) -> Arc<View> {
        let style = match (options.json, std::io::stdout().is_terminal()) {
            (true, _) => Style::Silent,
            (false, true) => Style::Live,
            (false, false) => Style::Lines,
        };
        let title =
            format!("Florin demo · {} · {} payments in {} batches · seed {}", options.mode, payments.len(), payments.batches, options.seed);
        if matches!(style, Style::Lines) {
            println!("{title}");
        }
        let (board, targets) = (Arc::clone(board), Arc::clone(targets));
        Arc::new(View { style, title, payments: payments.len(), board, targets, places, events: Mutex::new(Vec::new()) })
    }

    pub fn event(&self, what: String) {
        let line = format!("{:>6.2} s  {what}", self.board.micros() as f64 / 1e6);
        if matches!(self.style, Style::Lines) {
            println!("{line}");
        }
        self.events.lock().expect("no holder panics").push(line);
    }

    /// Draws until it is aborted.
    pub async fn run(self: Arc<View>) {
        let mut frame = 0u64;
        loop {
            tokio::time::sleep(Duration::from_millis(REDRAW_MILLIS)).await;
            frame += 1;
            match self.style {
                Style::Silent => return,
                Style::Live => {
                    let picture = observe::picture(&self.targets).await.unwrap_or_default();
                    self.show(&picture);
                }
                Style::Lines if frame.is_multiple_of(2) => {
                    let rate = self.board.rates(1)[0];
                    println!(
                        "{:>6.2} s  {rate:>6} payments/s  {:>7} posted",
                        self.board.micros() as f64 / 1e6,
                        self.board.acknowledged.load(Ordering::Relaxed)
                    );
                }
                Style::Lines => (),
            }
        }
    }

    pub fn close(&self) {
        if matches!(self.style, Style::Live) {
            println!();
        }
    }

    fn show(&self, picture: &Picture) {
        let text = format!("\x1b[H\x1b[2J{}", self.draw(picture).replace('\n', "\r\n"));
        let mut out = std::io::stdout().lock();
        // A terminal that went away is no reason to stop the demo.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn draw(&self, picture: &Picture) -> String {
        let rates = self.board.rates(HISTORY_SECONDS);
        let posted = self.board.acknowledged.load(Ordering::Relaxed);
        let mut text = format!("{}\n\n", self.title);
        let _ = writeln!(
            text,
            "  {:>7} payments/s   {posted} of {} posted   {} attempts made again",
            rates.last().unwrap_or(&0),
            self.payments,
            self.board.retries.load(Ordering::Relaxed)
        );
        let _ = writeln!(text, "  {}\n", sparkline(&rates));
        let mut city = "";
        for (place, target) in self.places.iter().zip(self.targets.iter()) {
            if place.city != city {
                city = place.city;
                let _ = writeln!(text, "  {city}");
            }
            let led: Vec<String> = picture
                .leaders
                .iter()
                .filter(|(_, zone)| zone.as_deref() == Some(place.zone))
                .map(|(shard, _)| shard.to_string())
                .collect();
            let leads = if led.is_empty() { String::new() } else { format!("★ leads shard {}", led.join(", ")) };
            let state = match (target.open.load(Ordering::Relaxed), *target.healthy.borrow()) {
                (_, false) => "silent",
                (false, true) => "drained",
                (true, true) => "",
            };
            let _ = writeln!(text, "    {:<4} {:<8} {state:<8} {leads}", place.zone, place.name);
        }
        text.push('\n');
        let events = self.events.lock().expect("no holder panics");
        for event in events.iter().skip(events.len().saturating_sub(EVENTS_SHOWN)) {
            let _ = writeln!(text, "  {event}");
        }
        text
    }
}

fn sparkline(rates: &[usize]) -> String {
    let top = rates.iter().copied().max().unwrap_or(0).max(1);
    rates.iter().map(|rate| BARS[(rate * (BARS.len() - 1)).div_ceil(top)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_without_payments_shows_as_a_gap() {
        assert_eq!(sparkline(&[0, 4, 8]), " ▄█");
        assert_eq!(sparkline(&[0, 0]), "  ");
    }
}
