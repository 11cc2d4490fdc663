//! What is counted of those who consume events and messages.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::storage::Consumer;

type Counters = Family<ConsumerLabel, Counter>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ConsumerLabel {
    group: String,
    /// The persistence id, or the name of the topic.
    source: String,
}

/// The metrics of all consumers.
pub(super) struct ConsumerFamilies {
    delivered: Counters,
    failed: Counters,
    skipped: Counters,
    given_up: Counters,
    position: Family<ConsumerLabel, Gauge>,
}

/// The metrics of one consumer.
pub(crate) struct ConsumerMetrics {
    delivered: Counter,
    failed: Counter,
    skipped: Counter,
    given_up: Counter,
    position: Gauge,
}

impl ConsumerFamilies {
    /// Under the prefix of `registry`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            delivered: Counters::default(),
            failed: Counters::default(),
            skipped: Counters::default(),
            given_up: Counters::default(),
            position: Family::default(),
        };
        registry.register("delivered_entries", "Events and messages processed", families.delivered.clone());
        registry.register("failed_deliveries", "Deliveries that failed", families.failed.clone());
        registry.register(
            "skipped_entries",
            "Events and messages that no method takes",
            families.skipped.clone(),
        );
        registry.register("dead_letters", "Events and messages given up", families.given_up.clone());
        registry.register("position", "The last entry that is done", families.position.clone());
        families
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

    /// Everything through `position` is done.
    pub(crate) fn finished(&self, position: u64) {
        self.position.set(i64::try_from(position).unwrap_or(i64::MAX));
    }
}
