//! What is counted of entities, whatever their kind. Of the reference proxy are the names of event sourced ones (its
//! active time was a summary; ours is a histogram, which can be added up over proxies).

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

use super::families::{Counters, EntityLabel, Seconds, counters, seconds};

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
pub(super) struct EntityFamilies {
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

struct SnapshotFamilies {
    loaded: Counters,
    loaded_bytes: Counters,
    persisted: Counters,
    persisted_bytes: Counters,
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

#[derive(Clone)]
struct SnapshotMetrics {
    loaded: Counter,
    loaded_bytes: Counter,
    persisted: Counter,
    persisted_bytes: Counter,
}

impl EntityFamilies {
    /// The only kind with snapshots.
    pub(super) fn register_event_sourced(r: &mut Registry) -> Self {
        let families = Self::register(r, "event");
        Self { snapshots: Some(SnapshotFamilies::register(r)), ..families }
    }

    /// `item` is what is stored, in the singular.
    pub(super) fn register(r: &mut Registry, item: &str) -> Self {
        let loaded = (format!("loaded_{item}s"), format!("loaded_{item}_bytes"));
        let persisted = (format!("persisted_{item}s"), format!("persisted_{item}_bytes"));
        let total = "From command sent to answer, storing included";
        Self {
            activated: counters(r, "activated_entities", "Entities activated"),
            passivated: counters(r, "passivated_entities", "Activations that ended, for whatever reason"),
            active_time: seconds(r, "entity_active_time_seconds", "How long activations lasted"),
            failed_entities: counters(r, "failed_entities", "Activations that ended with an error"),
            recovery_time: seconds(r, "recovery_time_seconds", "From activation until all stored was sent"),
            loaded_items: counters(r, &loaded.0, "Read from the store"),
            loaded_item_bytes: counters(r, &loaded.1, "Bytes read from the store"),
            received_commands: counters(r, "received_commands", "Commands accepted"),
            stashed_commands: counters(r, "stashed_commands", "Commands that had to wait"),
            unstashed_commands: counters(r, "unstashed_commands", "Waiting commands taken up"),
            stash_time: seconds(r, "command_stash_time_seconds", "How long commands waited"),
            processing_time: seconds(r, "command_processing_time_seconds", "From command sent to reply"),
            total_time: seconds(r, "command_total_time_seconds", total),
            failed_commands: counters(r, "failed_commands", "Commands answered with a failure"),
            completed_commands: counters(r, "completed_commands", "Commands answered"),
            persist_time: seconds(r, "persist_time_seconds", "How long storing took"),
            persisted_items: counters(r, &persisted.0, "Stored"),
            persisted_item_bytes: counters(r, &persisted.1, "Bytes stored"),
            snapshots: None,
        }
    }

    pub(super) fn of(&self, persistence_id: &str) -> EntityMetrics {
        let label = EntityLabel::new(persistence_id);
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

impl SnapshotFamilies {
    fn register(r: &mut Registry) -> Self {
        Self {
            loaded: counters(r, "loaded_snapshots", "Snapshots read"),
            loaded_bytes: counters(r, "loaded_snapshot_bytes", "Bytes of snapshots read"),
            persisted: counters(r, "persisted_snapshots", "Snapshots stored"),
            persisted_bytes: counters(r, "persisted_snapshot_bytes", "Bytes of snapshots stored"),
        }
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
