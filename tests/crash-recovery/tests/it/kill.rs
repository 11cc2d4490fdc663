//! Processes that are killed under load, over and over.
//!
//! `CRASH_ROUNDS` says how often (as it is, 100 times), `CRASH_SEED` repeats the moments of a run that failed.

use std::{env, time::Duration};

use crash_recovery::SERVICES;
use tokio::time::sleep;

use crate::{
    file::check_file,
    load::{Load, Report},
    site::{Signal, Site},
};

/// So many rounds ask the same entities.
const ROUNDS_OF_A_GENERATION: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_is_killed() {
    let mut run = Run::start("the proxy is killed", 100).await;
    while run.next_round().await {
        run.site.kill_proxy();
        run.site.start_proxy();
        // Also while it starts.
        if run.random.u8(..4) == 0 {
            sleep(Duration::from_micros(run.random.u64(..60_000))).await;
            run.site.kill_proxy();
            run.site.start_proxy();
        }
        run.site.serving().await;
    }
    run.finish().await;
}

/// Commands that it has not answered wait for the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_user_function_is_killed_and_no_command_fails() {
    let refused = end_the_user_function("the user function is killed", Signal::Kill).await;
    assert!(refused.is_empty(), "{} commands failed, such as: {}", refused.len(), refused[0]);
}

/// Nor when it stops by itself, while commands are on their way to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_user_function_is_stopped_and_no_command_fails() {
    let refused = end_the_user_function("the user function is stopped", Signal::Terminate).await;
    assert!(refused.is_empty(), "{} commands failed, such as: {}", refused.len(), refused[0]);
}

/// Answers why commands were refused.
async fn end_the_user_function(what: &'static str, by: Signal) -> Vec<String> {
    let mut run = Run::start(what, 15).await;
    while run.next_round().await {
        run.site.end_function(by).await;
        run.site.start_function();
        // A command that has been sent to several processes in vain is given up: none gets that old here.
        run.load.everybody_progresses().await;
    }
    run.finish().await.refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_are_killed() {
    let mut run = Run::start("both are killed", 30).await;
    while run.next_round().await {
        run.site.end_function(Signal::Kill).await;
        run.site.kill_proxy();
        if run.random.bool() {
            run.site.start_function();
            run.site.start_proxy();
        } else {
            run.site.start_proxy();
            run.site.start_function();
        }
        run.site.serving().await;
    }
    run.finish().await;
}

/// A run of many rounds.
struct Run {
    what: &'static str,
    site: Site,
    load: Load,
    random: fastrand::Rng,
    rounds: usize,
    round: usize,
}

impl Run {
    /// `rounds` unless the environment says otherwise.
    async fn start(what: &'static str, rounds: usize) -> Self {
        let seed = number("CRASH_SEED").unwrap_or_else(|| fastrand::u64(..));
        let rounds = number("CRASH_ROUNDS").map_or(rounds, |rounds| rounds as usize);
        println!("{what}: {rounds} rounds with CRASH_SEED={seed}");
        let site = Site::start().await;
        let load = Load::start(site.port, SERVICES, seed);
        Self { what, site, load, random: fastrand::Rng::with_seed(seed), rounds, round: 0 }
    }

    /// Checks what the round before left behind and waits for the moment of the next one; false when there is none.
    async fn next_round(&mut self) -> bool {
        self.load.check_last(2).await;
        if self.round == self.rounds {
            return false;
        }
        self.round += 1;
        if self.round.is_multiple_of(ROUNDS_OF_A_GENERATION) {
            self.load.next_generation();
        }
        self.load.progress(self.random.u64(1..40)).await;
        sleep(Duration::from_micros(self.random.u64(..3_000))).await;
        true
    }

    async fn finish(self) -> Report {
        let Self { what, mut site, load, rounds, .. } = self;
        let report = load.finish().await;
        let (acknowledged, refused) = (report.acknowledged, report.refused.len());
        println!("{what}: {rounds} rounds, {acknowledged} commands acknowledged, {refused} refused");
        site.kill_proxy();
        check_file(&site.store());
        report
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`; write a number")))
}
