//! What is printed.

use std::{fmt, time::Duration};

use crate::client::Turn;

/// A turn of each server, one after the other.
pub(crate) struct Round {
    pub(crate) bare: Turn,
    pub(crate) sdk: Turn,
}

/// One number of entities: medians over the rounds, latencies of the SDK, and the median of the rounds' ratios.
pub(crate) struct Line<'a> {
    pub(crate) entities: u32,
    pub(crate) rounds: &'a [Round],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_rounds = |value: fn(&Round) -> f64| median(self.rounds.iter().map(value).collect());
        write!(
            f,
            "event sourced  entities {:<3}  bare {:>6.0}/s  sdk {:>6.0}/s  p50 {}  p99 {}  ratio {:.2}",
            self.entities,
            of_rounds(|round| round.bare.per_second),
            of_rounds(|round| round.sdk.per_second),
            Milliseconds(of_rounds(|round| percentile(&round.sdk.latencies, 0.50))),
            Milliseconds(of_rounds(|round| percentile(&round.sdk.latencies, 0.99))),
            of_rounds(|round| round.sdk.per_second / round.bare.per_second),
        )
    }
}

struct Milliseconds(f64);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1.0 { write!(f, "{:.2} ms", self.0) } else { write!(f, "{:.1} ms", self.0) }
    }
}

/// In milliseconds; 0 of nothing.
fn percentile(sorted: &[Duration], part: f64) -> f64 {
    let index = (sorted.len() as f64 * part) as usize;
    sorted.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[length / 2],
        length => f64::midpoint(values[length / 2 - 1], values[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Line, Round, Turn};

    fn turn(per_second: f64, milliseconds: &[u64]) -> Turn {
        let latencies =
            milliseconds.iter().map(|milliseconds| Duration::from_millis(*milliseconds)).collect();
        Turn { per_second, latencies }
    }

    #[test]
    fn medians_are_printed() {
        let rounds = [
            Round { bare: turn(1000.0, &[]), sdk: turn(950.0, &[1, 2, 3, 4]) },
            Round { bare: turn(2000.0, &[]), sdk: turn(1000.0, &[1, 2, 8, 9]) },
            Round { bare: turn(1500.0, &[]), sdk: turn(1350.0, &[1, 2, 4, 5]) },
        ];
        assert_eq!(
            Line { entities: 16, rounds: &rounds }.to_string(),
            "event sourced  entities 16   bare   1500/s  sdk   1000/s  p50 4.0 ms  p99 5.0 ms  ratio 0.90"
        );
    }
}
