//! What is counted of those who consume events and messages.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::families::{Counters, counters};
use crate::storage::Consumer;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ConsumerLabel {
    group: String,
    /// The persistence id, or the name of the topic.
    source: String,
}

/// The metrics of all consumers.
pub(super) struct ConsumerFamilies {
    delivered: Counters<ConsumerLabel>,
    failed: Counters<ConsumerLabel>,
    skipped: Counters<ConsumerLabel>,
    given_up: Counters<ConsumerLabel>,
    position: Family<ConsumerLabel, Gauge>,
    kept: KeptDeadLetters,
}

/// How many dead letters are in the store. Nothing bounds them but the disk: to drop one would be to lose it. So somebody
/// must be told.
#[derive(Clone, Default)]
pub(crate) struct KeptDeadLetters(Gauge);

/// The metrics of one consumer.
pub(crate) struct ConsumerMetrics {
    delivered: Counter,
    failed: Counter,
    skipped: Counter,
    given_up: Counter,
    position: Gauge,
    kept: KeptDeadLetters,
}

impl ConsumerFamilies {
    /// Under the prefix of `registry`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            delivered: counters(registry, "delivered_entries", "Events and messages processed"),
            failed: counters(registry, "failed_deliveries", "Deliveries that failed"),
            skipped: counters(registry, "skipped_entries", "Events and messages that no method takes"),
            given_up: counters(registry, "dead_letters", "Events and messages given up"),
            position: Family::default(),
            kept: KeptDeadLetters::default(),
        };
        registry.register("position", "The last entry that is done", families.position.clone());
        let kept = families.kept.0.clone();
        registry.register("kept_dead_letters", "Dead letters in the store", kept);
        families
    }

    pub(super) fn kept_dead_letters(&self) -> &KeptDeadLetters {
        &self.kept
    }

    pub(super) fn of(&self, consumer: &Consumer) -> ConsumerMetrics {
        let label =
            ConsumerLabel { group: consumer.group.to_string(), source: consumer.source.name().to_string() };
        ConsumerMetrics {
            delivered: self.delivered.get_or_create_owned(&label),
            failed: self.failed.get_or_create_owned(&label),
            skipped: self.skipped.get_or_create_owned(&label),
            given_up: self.given_up.get_or_create_owned(&label),
            position: self.position.get_or_create_owned(&label),
            kept: self.kept.clone(),
        }
    }
}

impl ConsumerMetrics {
    pub(crate) fn delivered(&self) {
        self.delivered.inc();
    }

    pub(crate) fn failed(&self) {
        self.failed.inc();
    }

    pub(crate) fn skipped(&self) {
        self.skipped.inc();
    }

    pub(crate) fn given_up(&self) {
        self.given_up.inc();
    }

    /// Everything through `position` is done, with so many dead letters.
    pub(crate) fn finished(&self, position: u64, dead_letters: usize) {
        self.position.set(i64::try_from(position).unwrap_or(i64::MAX));
        self.kept.add(dead_letters as u64);
    }
}

impl KeptDeadLetters {
    /// From this many on, somebody is told, and again for each ten times as many.
    const MANY: i64 = 100;

    /// There are more.
    pub(crate) fn add(&self, count: u64) {
        let more = i64::try_from(count).unwrap_or(i64::MAX);
        let before = self.0.inc_by(more);
        let after = before.saturating_add(more);
        if reaches(before, after) {
            tracing::warn!(
                "there are {after} dead letters in the store, and nothing removes them but a replay or DELETE: \
                 see /dead-letters of the management port"
            );
        }
    }

    /// There is one less.
    pub(crate) fn forgotten(&self) {
        self.0.dec();
    }
}

/// Whether a count passes one of those that are told.
fn reaches(before: i64, after: i64) -> bool {
    let mut told = std::iter::successors(Some(KeptDeadLetters::MANY), |many| many.checked_mul(10));
    told.any(|many| before < many && many <= after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_told_of_the_first_hundred_and_of_ten_times_as_many() {
        let told = [(0, 99), (0, 100), (100, 999), (999, 1_000), (50, 5_000), (1_000, 9_999)];
        let told = told.map(|(before, after)| reaches(before, after));
        assert_eq!(told, [false, true, false, true, true, false]);
        assert!(!reaches(i64::MAX, i64::MAX));
    }
}
