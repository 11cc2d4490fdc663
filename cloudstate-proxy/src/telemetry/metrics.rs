//! Prometheus metrics. Those of event sourced entities have the names of the reference proxy (its active time was a
//! summary; ours is a histogram, which can be added up over proxies); the other kinds have the same families under
//! their own prefix. Calls are counted by method and status code.

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::consumers::{ConsumerFamilies, ConsumerMetrics, KeptDeadLetters};
use crate::{
    code::Code,
    service_catalog::Method,
    storage::{Consumer, Store},
};

/// Upper bounds in seconds; the reference's, which are those of the Prometheus client libraries.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

type Counters = Family<EntityLabel, Counter>;
type Seconds = Family<EntityLabel, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EntityLabel {
    /// The persistence id.
    entity_name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabel {
    service: Arc<str>,
    method: Arc<str>,
    /// As gRPC names it, `OK` or `NOT_FOUND`.
    code: &'static str,
}

/// All metrics of a proxy.
pub(crate) struct Metrics {
    registry: Registry,
    store: Arc<dyn Store>,
    store_gauges: StoreGauges,
    event_sourced: EntityFamilies,
    value: EntityFamilies,
    crdt: EntityFamilies,
    actions: ActionFamilies,
    consumers: ConsumerFamilies,
    requests: Family<CallLabel, Counter>,
}

/// How much was read or written at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Events, or states.
    pub(crate) items: usize,
    /// Of all items.
    pub(crate) bytes: usize,
    /// Of the snapshot, if there is one.
    pub(crate) snapshot_bytes: Option<usize>,
}

/// The metrics of one kind of entity.
struct EntityFamilies {
    activated: Counters,
    passivated: Counters,
    active_time: Seconds,
    failed_entities: Counters,
    recovery_time: Seconds,
    loaded_items: Counters,
    loaded_item_bytes: Counters,
    received_commands: Counters,
    stashed_commands: Counters,
    unstashed_commands: Counters,
    stash_time: Seconds,
    processing_time: Seconds,
    total_time: Seconds,
    failed_commands: Counters,
    completed_commands: Counters,
    persist_time: Seconds,
    persisted_items: Counters,
    persisted_item_bytes: Counters,
    /// Of event sourced entities.
    snapshots: Option<SnapshotFamilies>,
}

struct ActionFamilies {
    received_commands: Counters,
    completed_commands: Counters,
    failed_commands: Counters,
    processing_time: Seconds,
}

struct SnapshotFamilies {
    loaded: Counters,
    loaded_bytes: Counters,
    persisted: Counters,
    persisted_bytes: Counters,
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
    loaded_items: Counter,
    loaded_item_bytes: Counter,
    received_commands: Counter,
    stashed_commands: Counter,
    unstashed_commands: Counter,
    stash_time: Histogram,
    processing_time: Histogram,
    total_time: Histogram,
    failed_commands: Counter,
    completed_commands: Counter,
    persist_time: Histogram,
    persisted_items: Counter,
    persisted_item_bytes: Counter,
    snapshots: Option<SnapshotMetrics>,
}

/// The metrics of one action service.
#[derive(Clone)]
pub(crate) struct ActionMetrics {
    received_commands: Counter,
    completed_commands: Counter,
    failed_commands: Counter,
    processing_time: Histogram,
}

#[derive(Clone)]
struct SnapshotMetrics {
    loaded: Counter,
    loaded_bytes: Counter,
    persisted: Counter,
    persisted_bytes: Counter,
}

impl Metrics {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let mut registry = Registry::with_prefix("cloudstate");
        let store_gauges = StoreGauges::register(registry.sub_registry_with_prefix("store"));
        let r = registry.sub_registry_with_prefix("eventsourced");
        let mut event_sourced = EntityFamilies::register(r, "event");
        event_sourced.snapshots = Some(SnapshotFamilies::register(r));
        let value = EntityFamilies::register(registry.sub_registry_with_prefix("valueentity"), "state");
        let crdt = EntityFamilies::register(registry.sub_registry_with_prefix("crdt"), "state");
        let actions = ActionFamilies::register(registry.sub_registry_with_prefix("action"));
        let consumers = ConsumerFamilies::register(registry.sub_registry_with_prefix("eventing"));
        let requests = Family::default();
        registry.register("requests", "Calls that ended, by gRPC status code", requests.clone());
        Self { registry, store, store_gauges, event_sourced, value, crdt, actions, consumers, requests }
    }

    /// The metrics of the event sourced entities with this persistence id.
    pub(crate) fn event_sourced(&self, persistence_id: &str) -> EntityMetrics {
        self.event_sourced.of(persistence_id)
    }

    /// The metrics of the value entities with this persistence id.
    pub(crate) fn value(&self, persistence_id: &str) -> EntityMetrics {
        self.value.of(persistence_id)
    }

    /// The metrics of the CRDT entities with this persistence id.
    pub(crate) fn crdt(&self, persistence_id: &str) -> EntityMetrics {
        self.crdt.of(persistence_id)
    }

    /// The metrics of one action service.
    pub(crate) fn action(&self, service: &str) -> ActionMetrics {
        let label = EntityLabel { entity_name: service.to_owned() };
        ActionMetrics {
            received_commands: self.actions.received_commands.get_or_create_owned(&label),
            completed_commands: self.actions.completed_commands.get_or_create_owned(&label),
            failed_commands: self.actions.failed_commands.get_or_create_owned(&label),
            processing_time: self.actions.processing_time.get_or_create_owned(&label),
        }
    }

    /// The metrics of one consumer of events or messages.
    pub(crate) fn consumer(&self, consumer: &Consumer) -> ConsumerMetrics {
        self.consumers.of(consumer)
    }

    pub(crate) fn kept_dead_letters(&self) -> &KeptDeadLetters {
        self.consumers.kept_dead_letters()
    }

    /// Counts a call that has ended, streams too; no code is OK, CANCELLED is also that nobody waited any longer.
    pub(crate) fn answered(&self, method: &Method, code: Option<Code>) {
        let label = CallLabel {
            service: Arc::clone(&method.service.name),
            method: Arc::clone(&method.name),
            code: code.map_or("OK", Code::name),
        };
        self.requests.get_or_create(&label).inc();
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

impl EntityFamilies {
    /// `item` is what is stored, in the singular.
    fn register(r: &mut Registry, item: &str) -> Self {
        let loaded = (format!("loaded_{item}s"), format!("loaded_{item}_bytes"));
        let persisted = (format!("persisted_{item}s"), format!("persisted_{item}_bytes"));
        let total = "From command sent to answer, storing included";
        Self {
            activated: counter(r, "activated_entities", "Entities activated"),
            passivated: counter(r, "passivated_entities", "Activations that ended, for whatever reason"),
            active_time: seconds(r, "entity_active_time_seconds", "How long activations lasted"),
            failed_entities: counter(r, "failed_entities", "Activations that ended with an error"),
            recovery_time: seconds(r, "recovery_time_seconds", "From activation until all stored was sent"),
            loaded_items: counter(r, &loaded.0, "Read from the store"),
            loaded_item_bytes: counter(r, &loaded.1, "Bytes read from the store"),
            received_commands: counter(r, "received_commands", "Commands accepted"),
            stashed_commands: counter(r, "stashed_commands", "Commands that had to wait"),
            unstashed_commands: counter(r, "unstashed_commands", "Waiting commands taken up"),
            stash_time: seconds(r, "command_stash_time_seconds", "How long commands waited"),
            processing_time: seconds(r, "command_processing_time_seconds", "From command sent to reply"),
            total_time: seconds(r, "command_total_time_seconds", total),
            failed_commands: counter(r, "failed_commands", "Commands answered with a failure"),
            completed_commands: counter(r, "completed_commands", "Commands answered"),
            persist_time: seconds(r, "persist_time_seconds", "How long storing took"),
            persisted_items: counter(r, &persisted.0, "Stored"),
            persisted_item_bytes: counter(r, &persisted.1, "Bytes stored"),
            snapshots: None,
        }
    }

    fn of(&self, persistence_id: &str) -> EntityMetrics {
        let label = EntityLabel { entity_name: persistence_id.to_owned() };
        let counter = |family: &Counters| family.get_or_create_owned(&label);
        let seconds = |family: &Seconds| family.get_or_create_owned(&label);
        EntityMetrics {
            activated: counter(&self.activated),
            passivated: counter(&self.passivated),
            active_time: seconds(&self.active_time),
            failed_entities: counter(&self.failed_entities),
            recovery_time: seconds(&self.recovery_time),
            loaded_items: counter(&self.loaded_items),
            loaded_item_bytes: counter(&self.loaded_item_bytes),
            received_commands: counter(&self.received_commands),
            stashed_commands: counter(&self.stashed_commands),
            unstashed_commands: counter(&self.unstashed_commands),
            stash_time: seconds(&self.stash_time),
            processing_time: seconds(&self.processing_time),
            total_time: seconds(&self.total_time),
            failed_commands: counter(&self.failed_commands),
            completed_commands: counter(&self.completed_commands),
            persist_time: seconds(&self.persist_time),
            persisted_items: counter(&self.persisted_items),
            persisted_item_bytes: counter(&self.persisted_item_bytes),
            snapshots: self.snapshots.as_ref().map(|families| SnapshotMetrics {
                loaded: counter(&families.loaded),
                loaded_bytes: counter(&families.loaded_bytes),
                persisted: counter(&families.persisted),
                persisted_bytes: counter(&families.persisted_bytes),
            }),
        }
    }
}

impl ActionFamilies {
    fn register(r: &mut Registry) -> Self {
        Self {
            received_commands: counter(r, "received_commands", "Calls sent to the user function"),
            completed_commands: counter(r, "completed_commands", "Calls that ended"),
            failed_commands: counter(r, "failed_commands", "Calls that ended with a failure"),
            processing_time: seconds(r, "command_processing_time_seconds", "From call sent to its end"),
        }
    }
}

impl SnapshotFamilies {
    fn register(r: &mut Registry) -> Self {
        Self {
            loaded: counter(r, "loaded_snapshots", "Snapshots read"),
            loaded_bytes: counter(r, "loaded_snapshot_bytes", "Bytes of snapshots read"),
            persisted: counter(r, "persisted_snapshots", "Snapshots stored"),
            persisted_bytes: counter(r, "persisted_snapshot_bytes", "Bytes of snapshots stored"),
        }
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

    pub(crate) fn loaded(&self, volume: Volume) {
        self.loaded_items.inc_by(volume.items as u64);
        self.loaded_item_bytes.inc_by(volume.bytes as u64);
        if let (Some(snapshots), Some(bytes)) = (&self.snapshots, volume.snapshot_bytes) {
            snapshots.loaded.inc();
            snapshots.loaded_bytes.inc_by(bytes as u64);
        }
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

    /// `took` is from command sent to answer; none: it was answered before it was sent.
    pub(crate) fn command_completed(&self, took: Option<Duration>, failed: bool) {
        self.completed_commands.inc();
        if let Some(took) = took {
            self.total_time.observe(took.as_secs_f64());
        }
        if failed {
            self.failed_commands.inc();
        }
    }

    pub(crate) fn persisted(&self, took: Duration, volume: Volume) {
        self.persist_time.observe(took.as_secs_f64());
        self.persisted_items.inc_by(volume.items as u64);
        self.persisted_item_bytes.inc_by(volume.bytes as u64);
        if let (Some(snapshots), Some(bytes)) = (&self.snapshots, volume.snapshot_bytes) {
            snapshots.persisted.inc();
            snapshots.persisted_bytes.inc_by(bytes as u64);
        }
    }
}

impl ActionMetrics {
    pub(crate) fn command_received(&self) {
        self.received_commands.inc();
    }

    pub(crate) fn command_completed(&self, took: Duration, failed: bool) {
        self.completed_commands.inc();
        self.processing_time.observe(took.as_secs_f64());
        if failed {
            self.failed_commands.inc();
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
