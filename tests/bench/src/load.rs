//! Many callers that each send something, wait for the answer, and send the next.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Error;

/// One of many, with one call outstanding at most.
pub(crate) trait Caller: Send + Sized + 'static {
    /// Sends and waits for the answer, which must be right.
    fn call(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What a turn brought.
pub(crate) struct Turn {
    pub(crate) per_second: f64,
    /// Of each call, sorted.
    pub(crate) latencies: Vec<Duration>,
}

/// Lets all callers call for this long.
pub(crate) async fn run<C: Caller>(callers: &mut Vec<C>, duration: Duration) -> Result<Turn, Error> {
    let start = Instant::now();
    let until = start + duration;
    let mut running = JoinSet::new();
    for caller in callers.drain(..) {
        running.spawn(call_until(caller, until));
    }
    let mut latencies = Vec::new();
    while let Some(done) = running.join_next().await {
        let (caller, of_caller) = done??;
        callers.push(caller);
        latencies.extend(of_caller);
    }
    let per_second = latencies.len() as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Ok(Turn { per_second, latencies })
}

/// Once at least: on a busy machine the time may be over before a caller begins.
async fn call_until<C: Caller>(mut caller: C, until: Instant) -> Result<(C, Vec<Duration>), Error> {
    let mut latencies = Vec::new();
    let mut sent = Instant::now();
    loop {
        caller.call().await?;
        let received = Instant::now();
        latencies.push(received - sent);
        if received >= until {
            return Ok((caller, latencies));
        }
        sent = received;
    }
}
