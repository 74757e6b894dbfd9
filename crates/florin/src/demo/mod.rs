//! `florin demo`: a real cluster of node processes, a real ACH file, real faults, and a verdict.
//!
//! Five processes in three emulated cities post the payments of a bank's file over PostgreSQL connections while the demo
//! cuts cables, kills and drains. It then counts: what was acknowledged must be there, once, and the books must agree with the
//! file's own control records. Nothing here has access to the nodes but what a user has: SQL, signals and the command line; the
//! emulated cables are the one exception (`processes`).

mod board;
mod faults;
mod observe;
mod payments;
mod plan;
mod posting;
mod processes;
mod targets;
mod verdict;
mod view;

use base::locality::LocalityMode;
use clap::Args;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for the cluster to come up and to settle at the end.
const SETTLE_SECONDS_MAX: u64 = 30;
/// Connections that post payments.
const POSTERS: usize = 24;

#[derive(Args, Clone, Debug)]
pub struct DemoOptions {
    /// Where voters stand: 3dc, 2c3dc, 3c5dc or dual-active
    #[arg(long, default_value = "3c5dc")]
    pub mode: LocalityMode,
    /// How long payments flow, in seconds; the faults are spread over it
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=3600))]
    pub seconds: u64,
    /// Decides the moments of the faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print the verdict as JSON and nothing else
    #[arg(long)]
    pub json: bool,
    /// Keep the nodes' data and logs, and say where they are
    #[arg(long)]
    pub keep: bool,
}

/// Runs the demo. The exit code is 1 if a promise was broken, 2 if the demo itself could not run.
pub fn run(options: &DemoOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("florin demo: cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(demo(options)) {
        Ok(verdict) => {
            if options.json {
                println!("{}", verdict.json());
            } else {
                println!("{verdict}");
            }
            if verdict.holds() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("florin demo: {error}");
            ExitCode::from(2)
        }
    }
}

async fn demo(options: &DemoOptions) -> Result<verdict::Verdict, String> {
    let payments = Arc::new(payments::Payments::load()?);
    let mut cluster = processes::Cluster::start(options.mode, options.keep).await?;
    let result = drive(options, &payments, &mut cluster).await;
    if !result.as_ref().is_ok_and(verdict::Verdict::holds) {
        cluster.keep_logs();
    }
    cluster.stop().await;
    result
}

async fn drive(
    options: &DemoOptions,
    payments: &Arc<payments::Payments>,
    cluster: &mut processes::Cluster,
) -> Result<verdict::Verdict, String> {
    let targets = cluster.targets();
    observe::wait_until_serving(&targets, options.mode.voters(), Duration::from_secs(SETTLE_SECONDS_MAX)).await?;
    posting::prepare(&targets, payments).await?;

    let board = Arc::new(board::Board::new(payments.len(), options.seconds, Instant::now()));
    let view = view::View::new(options, payments, &board, &targets, cluster.places());
    let drawing = tokio::spawn(Arc::clone(&view).run());
    let mut posters = tokio::task::JoinSet::new();
    for number in 0..POSTERS {
        posters.spawn(posting::post_all(number, Arc::clone(payments), Arc::clone(&board), Arc::clone(&targets)));
    }
    let mut checks = targets::check_all(&targets);
    let plan = plan::plan(options);
    let faults = faults::inject(&plan, cluster, &board, &view).await?;
    posting::finish(&board, &mut posters, options.seconds).await;
    checks.shutdown().await;
    drawing.abort();
    view.close();

    observe::wait_until_serving(&targets, options.mode.voters(), Duration::from_secs(SETTLE_SECONDS_MAX)).await?;
    let verdict = verdict::judge(options, payments, &board, &targets, faults).await?;
    cluster.write_down("clients.log", &board.story());
    Ok(verdict)
}
