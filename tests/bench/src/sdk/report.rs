//! What is printed.

use std::fmt;

use crate::{
    figures::{Milliseconds, median, percentile},
    load::Turn,
};

/// A turn of each server, one after the other.
pub(crate) struct Round {
    pub(crate) bare: Turn,
    pub(crate) sdk: Turn,
}

/// One kind and number of entities: medians over the rounds, latencies of the SDK, and the median of the rounds' ratios.
pub(crate) struct Line<'a> {
    pub(crate) kind: &'a str,
    pub(crate) entities: u32,
    pub(crate) rounds: &'a [Round],
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_rounds = |value: fn(&Round) -> f64| median(self.rounds, value);
        write!(
            f,
            "{:<15}  entities {:<3}  bare {:>6.0}/s  sdk {:>6.0}/s  p50 {}  p99 {}  ratio {:.2}",
            self.kind,
            self.entities,
            of_rounds(|round| round.bare.per_second),
            of_rounds(|round| round.sdk.per_second),
            Milliseconds(of_rounds(|round| percentile(&round.sdk.latencies, 0.50))),
            Milliseconds(of_rounds(|round| percentile(&round.sdk.latencies, 0.99))),
            of_rounds(|round| round.sdk.per_second / round.bare.per_second),
        )
    }
}

/// Bytes per stream, of servers that started anew.
pub(crate) struct IdleRound {
    pub(crate) bare: f64,
    pub(crate) sdk: f64,
}

/// Medians over the rounds.
pub(crate) struct IdleLine<'a> {
    pub(crate) streams: u32,
    pub(crate) rounds: &'a [IdleRound],
}

impl fmt::Display for IdleLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<15}  streams {}  bare {:.0} B each  sdk {:.0} B each  difference {:.0} B",
            "idle",
            self.streams,
            median(self.rounds, |round| round.bare),
            median(self.rounds, |round| round.sdk),
            median(self.rounds, |round| round.sdk - round.bare),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{IdleLine, IdleRound, Line, Round, Turn};

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
            Line { kind: "value", entities: 16, rounds: &rounds }.to_string(),
            "value            entities 16   bare   1500/s  sdk   1000/s  p50 4.0 ms  p99 5.0 ms  ratio 0.90"
        );
    }

    #[test]
    fn the_difference_is_that_of_each_round() {
        let rounds = [
            IdleRound { bare: 20_000.0, sdk: 20_700.0 },
            IdleRound { bare: 20_400.0, sdk: 20_900.0 },
            IdleRound { bare: 20_100.0, sdk: 20_700.0 },
        ];
        assert_eq!(
            IdleLine { streams: 10_000, rounds: &rounds }.to_string(),
            "idle             streams 10000  bare 20100 B each  sdk 20700 B each  difference 600 B"
        );
    }
}
