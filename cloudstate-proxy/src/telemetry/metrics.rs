//! Prometheus metrics of event sourced entities, under the names of the reference proxy (its active time was a
//! summary; ours is a histogram, which can be added up over proxies).

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::storage::Store;

/// Upper bounds in seconds; the reference's, which are those of the Prometheus client libraries.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

type Counters = Family<EntityLabel, Counter>;
type Seconds = Family<EntityLabel, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EntityLabel {
    /// The persistence id.
    entity_name: String,
}

/// All metrics of a proxy.
pub(crate) struct Metrics {
    registry: Registry,
    store: Arc<dyn Store>,
    store_gauges: StoreGauges,
    activated: Counters,
    passivated: Counters,
    active_time: Seconds,
    failed_entities: Counters,
    recovery_time: Seconds,
    loaded_snapshots: Counters,
    loaded_snapshot_bytes: Counters,
    loaded_events: Counters,
    loaded_event_bytes: Counters,
    received_commands: Counters,
    stashed_commands: Counters,
    unstashed_commands: Counters,
    stash_time: Seconds,
    processing_time: Seconds,
    total_time: Seconds,
    failed_commands: Counters,
    completed_commands: Counters,
    persist_time: Seconds,
    persisted_events: Counters,
    persisted_event_bytes: Counters,
    persisted_snapshots: Counters,
    persisted_snapshot_bytes: Counters,
}

/// Set from the store's own counters when metrics are read.
struct StoreGauges {
    commits: Gauge,
    failed_commits: Gauge,
    queued: Gauge,
}

/// The metrics of the entities of one service.
#[derive(Clone)]
pub(crate) struct EntityMetrics {
    activated: Counter,
    passivated: Counter,
    active_time: Histogram,
    failed_entities: Counter,
    recovery_time: Histogram,
    loaded_snapshots: Counter,
    loaded_snapshot_bytes: Counter,
    loaded_events: Counter,
    loaded_event_bytes: Counter,
    received_commands: Counter,
    stashed_commands: Counter,
    unstashed_commands: Counter,
    stash_time: Histogram,
    processing_time: Histogram,
    total_time: Histogram,
    failed_commands: Counter,
    completed_commands: Counter,
    persist_time: Histogram,
    persisted_events: Counter,
    persisted_event_bytes: Counter,
    persisted_snapshots: Counter,
    persisted_snapshot_bytes: Counter,
}

impl Metrics {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let mut root = Registry::with_prefix("cloudstate");
        let store_gauges = StoreGauges::register(root.sub_registry_with_prefix("store"));
        let r = root.sub_registry_with_prefix("eventsourced");
        Self {
            store,
            store_gauges,
            activated: counter(r, "activated_entities", "Entities activated"),
            passivated: counter(r, "passivated_entities", "Activations that ended, for whatever reason"),
            active_time: seconds(r, "entity_active_time_seconds", "How long activations lasted"),
            failed_entities: counter(r, "failed_entities", "Activations that ended with an error"),
            recovery_time: seconds(r, "recovery_time_seconds", "From activation until the history was sent"),
            loaded_snapshots: counter(r, "loaded_snapshots", "Snapshots read"),
            loaded_snapshot_bytes: counter(r, "loaded_snapshot_bytes", "Bytes of snapshots read"),
            loaded_events: counter(r, "loaded_events", "Events read"),
            loaded_event_bytes: counter(r, "loaded_event_bytes", "Bytes of events read"),
            received_commands: counter(r, "received_commands", "Commands accepted"),
            stashed_commands: counter(r, "stashed_commands", "Commands that had to wait"),
            unstashed_commands: counter(r, "unstashed_commands", "Waiting commands taken up"),
            stash_time: seconds(r, "command_stash_time_seconds", "How long commands waited"),
            processing_time: seconds(r, "command_processing_time_seconds", "From command sent to reply"),
            total_time: seconds(
                r,
                "command_total_time_seconds",
                "From command sent to answer, storing included",
            ),
            failed_commands: counter(r, "failed_commands", "Commands answered with a failure"),
            completed_commands: counter(r, "completed_commands", "Commands answered"),
            persist_time: seconds(r, "persist_time_seconds", "How long storing took"),
            persisted_events: counter(r, "persisted_events", "Events stored"),
            persisted_event_bytes: counter(r, "persisted_event_bytes", "Bytes of events stored"),
            persisted_snapshots: counter(r, "persisted_snapshots", "Snapshots stored"),
            persisted_snapshot_bytes: counter(r, "persisted_snapshot_bytes", "Bytes of snapshots stored"),
            registry: root,
        }
    }

    /// The metrics of the entities with this persistence id.
    pub(crate) fn entity(&self, persistence_id: &str) -> EntityMetrics {
        let label = EntityLabel { entity_name: persistence_id.to_owned() };
        let counter = |family: &Counters| family.get_or_create_owned(&label);
        let seconds = |family: &Seconds| family.get_or_create_owned(&label);
        EntityMetrics {
            activated: counter(&self.activated),
            passivated: counter(&self.passivated),
            active_time: seconds(&self.active_time),
            failed_entities: counter(&self.failed_entities),
            recovery_time: seconds(&self.recovery_time),
            loaded_snapshots: counter(&self.loaded_snapshots),
            loaded_snapshot_bytes: counter(&self.loaded_snapshot_bytes),
            loaded_events: counter(&self.loaded_events),
            loaded_event_bytes: counter(&self.loaded_event_bytes),
            received_commands: counter(&self.received_commands),
            stashed_commands: counter(&self.stashed_commands),
            unstashed_commands: counter(&self.unstashed_commands),
            stash_time: seconds(&self.stash_time),
            processing_time: seconds(&self.processing_time),
            total_time: seconds(&self.total_time),
            failed_commands: counter(&self.failed_commands),
            completed_commands: counter(&self.completed_commands),
            persist_time: seconds(&self.persist_time),
            persisted_events: counter(&self.persisted_events),
            persisted_event_bytes: counter(&self.persisted_event_bytes),
            persisted_snapshots: counter(&self.persisted_snapshots),
            persisted_snapshot_bytes: counter(&self.persisted_snapshot_bytes),
        }
    }

    /// All metrics in the text format of OpenMetrics.
    pub(crate) fn render(&self) -> Result<String, fmt::Error> {
        let counters = self.store.counters();
        self.store_gauges.commits.set(clamp(counters.commits));
        self.store_gauges.failed_commits.set(clamp(counters.failed_commits));
        self.store_gauges.queued.set(clamp(counters.queued as u64));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl StoreGauges {
    fn register(registry: &mut Registry) -> Self {
        let gauges =
            Self { commits: Gauge::default(), failed_commits: Gauge::default(), queued: Gauge::default() };
        registry.register("commits", "Times something was made durable", gauges.commits.clone());
        registry.register("failed_commits", "Commits that failed", gauges.failed_commits.clone());
        registry.register("queued_appends", "Appends and writes waiting now", gauges.queued.clone());
        gauges
    }
}

impl EntityMetrics {
    pub(crate) fn activated(&self) {
        self.activated.inc();
    }

    pub(crate) fn deactivated(&self, active: Duration) {
        self.passivated.inc();
        self.active_time.observe(active.as_secs_f64());
    }

    pub(crate) fn crashed(&self) {
        self.failed_entities.inc();
    }

    pub(crate) fn recovered(&self, took: Duration) {
        self.recovery_time.observe(took.as_secs_f64());
    }

    pub(crate) fn snapshot_loaded(&self, bytes: usize) {
        self.loaded_snapshots.inc();
        self.loaded_snapshot_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn events_loaded(&self, events: usize, bytes: usize) {
        self.loaded_events.inc_by(events as u64);
        self.loaded_event_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn command_received(&self) {
        self.received_commands.inc();
    }

    pub(crate) fn command_stashed(&self) {
        self.stashed_commands.inc();
    }

    pub(crate) fn command_unstashed(&self, waited: Duration) {
        self.unstashed_commands.inc();
        self.stash_time.observe(waited.as_secs_f64());
    }

    pub(crate) fn command_processed(&self, took: Duration) {
        self.processing_time.observe(took.as_secs_f64());
    }

    pub(crate) fn command_completed(&self, took: Duration, failed: bool) {
        self.completed_commands.inc();
        self.total_time.observe(took.as_secs_f64());
        if failed {
            self.failed_commands.inc();
        }
    }

    pub(crate) fn persisted(
        &self,
        took: Duration,
        events: usize,
        event_bytes: usize,
        snapshot_bytes: Option<usize>,
    ) {
        self.persist_time.observe(took.as_secs_f64());
        self.persisted_events.inc_by(events as u64);
        self.persisted_event_bytes.inc_by(event_bytes as u64);
        if let Some(bytes) = snapshot_bytes {
            self.persisted_snapshots.inc();
            self.persisted_snapshot_bytes.inc_by(bytes as u64);
        }
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counters {
    let family = Counters::default();
    registry.register(name, help, family.clone());
    family
}

fn seconds(registry: &mut Registry, name: &str, help: &str) -> Seconds {
    let family = Seconds::new_with_constructor(|| Histogram::new(BUCKETS));
    registry.register(name, help, family.clone());
    family
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
