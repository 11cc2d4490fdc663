//! What is printed.

use std::{fmt, time::Duration};

use crate::{
    figures::{Milliseconds, median, percentile},
    load::Turn,
};

/// A turn of each side, one after the other.
pub(super) struct Round {
    pub(super) other: Side,
    pub(super) ours: Side,
}

/// A turn, and what it cost the process that was called.
pub(super) struct Side {
    pub(super) turn: Turn,
    pub(super) cpu: Duration,
}

impl Side {
    /// In microseconds.
    fn cpu_per_command(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.turn.latencies.len().max(1) as f64
    }
}

/// One frontend, store and number of connections: medians over the rounds, latencies of the proxy, the median of the
/// rounds' ratios; and the processor time that each side took for a command, which says more than its speed on a machine
/// that has other things to do.
pub(super) struct Line<'a> {
    pub(super) frontend: &'a str,
    pub(super) store: &'a str,
    pub(super) connections: u32,
    /// What the proxy is compared with.
    pub(super) other: &'a str,
    pub(super) rounds: &'a [Round],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_rounds = |value: fn(&Round) -> f64| median(self.rounds, value);
        write!(
            f,
            "{:<4}  {:<7}  connections {:<3}  {} {:>6.0}/s  ours {:>6.0}/s  p50 {}  p99 {}  ratio {:.2}  cpu {} {:.1} µs  ours {:.1} µs",
            self.frontend,
            self.store,
            self.connections,
            self.other,
            of_rounds(|round| round.other.turn.per_second),
            of_rounds(|round| round.ours.turn.per_second),
            Milliseconds(of_rounds(|round| percentile(&round.ours.turn.latencies, 0.50))),
            Milliseconds(of_rounds(|round| percentile(&round.ours.turn.latencies, 0.99))),
            of_rounds(|round| round.ours.turn.per_second / round.other.turn.per_second),
            self.other,
            of_rounds(|round| round.other.cpu_per_command()),
            of_rounds(|round| round.ours.cpu_per_command()),
        )
    }
}

/// What a side needs once it has done its work.
pub(super) struct AfterLoad<'a> {
    pub(super) store: &'a str,
    /// Resident, in bytes.
    pub(super) relay: u64,
    /// Resident, in bytes.
    pub(super) ours: u64,
    /// None without a disk.
    pub(super) commits: Option<Commits>,
}

/// How the price of a disk flush was shared.
pub(super) struct Commits {
    pub(super) commands: usize,
    pub(super) commits: u64,
}

impl fmt::Display for AfterLoad<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "load  {:<7}  resident relay {}  ours {}",
            self.store,
            Mebibytes(self.relay),
            Mebibytes(self.ours)
        )?;
        match &self.commits {
            Some(Commits { commands, commits }) => {
                let per_thousand = *commits as f64 * 1000.0 / (*commands).max(1) as f64;
                write!(f, "  fsyncs per 1,000 commands {per_thousand:.1}")
            }
            None => Ok(()),
        }
    }
}

/// Starts of the proxy with the user function up and a store to open.
pub(super) struct Start<'a> {
    pub(super) times: &'a [Duration],
    /// Resident, in bytes.
    pub(super) proxy: u64,
    /// Resident, in bytes.
    pub(super) user_function: u64,
}

impl fmt::Display for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: &Duration| time.as_secs_f64() * 1000.0;
        let slowest = self.times.iter().max().map_or(0.0, milliseconds);
        write!(
            f,
            "start to first answer {}  slowest of {} {}  resident idle proxy {}  user function {}",
            Milliseconds(median(self.times, milliseconds)),
            self.times.len(),
            Milliseconds(slowest),
            Mebibytes(self.proxy),
            Mebibytes(self.user_function)
        )
    }
}

struct Mebibytes(u64);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB", self.0 as f64 / f64::from(1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AfterLoad, Commits, Line, Round, Side, Start, Turn};

    /// 200 µs of processor time in all.
    fn side(per_second: f64, milliseconds: &[u64]) -> Side {
        let latencies = milliseconds.iter().copied().map(Duration::from_millis).collect();
        Side { turn: Turn { per_second, latencies }, cpu: Duration::from_micros(200) }
    }

    #[test]
    fn a_line_has_medians() {
        let rounds = [
            Round { other: side(1000.0, &[1, 1]), ours: side(800.0, &[1, 2, 3, 4]) },
            Round { other: side(2000.0, &[1, 1]), ours: side(1000.0, &[1, 2, 8, 9]) },
            Round { other: side(1500.0, &[1, 1]), ours: side(1350.0, &[1, 2, 4, 5]) },
        ];
        assert_eq!(
            Line { frontend: "http", store: "durable", connections: 16, other: "relay", rounds: &rounds }
                .to_string(),
            "http  durable  connections 16   relay   1500/s  ours   1000/s  p50 4.0 ms  p99 5.0 ms  ratio 0.80  \
             cpu relay 100.0 µs  ours 50.0 µs"
        );
    }

    #[test]
    fn flushes_are_counted_per_thousand_commands() {
        let commits = Some(Commits { commands: 20_000, commits: 500 });
        let line = AfterLoad { store: "durable", relay: 10 << 20, ours: 15 << 20, commits };
        assert_eq!(
            line.to_string(),
            "load  durable  resident relay 10.0 MiB  ours 15.0 MiB  fsyncs per 1,000 commands 25.0"
        );
    }

    #[test]
    fn starts_have_a_median_and_a_slowest() {
        let times = [8, 20, 9].map(Duration::from_millis);
        assert_eq!(
            Start { times: &times, proxy: 12 << 20, user_function: 5 << 20 }.to_string(),
            "start to first answer 9.0 ms  slowest of 3 20.0 ms  resident idle proxy 12.0 MiB  user function 5.0 MiB"
        );
    }
}
