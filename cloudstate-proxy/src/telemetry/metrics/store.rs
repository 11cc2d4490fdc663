//! What the store counts itself.

use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

use crate::storage::Counters;

/// Set from the store's own counters when metrics are read.
pub(super) struct StoreGauges {
    commits: Gauge,
    failed_commits: Gauge,
    queued: Gauge,
}

impl StoreGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges =
            Self { commits: Gauge::default(), failed_commits: Gauge::default(), queued: Gauge::default() };
        registry.register("commits", "Times something was made durable", gauges.commits.clone());
        registry.register("failed_commits", "Commits that failed", gauges.failed_commits.clone());
        registry.register("queued_appends", "Appends and writes waiting now", gauges.queued.clone());
        gauges
    }

    pub(super) fn set(&self, counters: &Counters) {
        self.commits.set(clamp(counters.commits));
        self.failed_commits.set(clamp(counters.failed_commits));
        self.queued.set(clamp(counters.queued as u64));
    }
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
