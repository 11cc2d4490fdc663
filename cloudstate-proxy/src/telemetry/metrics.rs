//! Prometheus metrics. Those of event sourced entities have the names of the reference proxy; the other kinds have the
//! same families under their own prefix.

mod actions;
mod calls;
mod consumers;
mod entities;
mod families;
mod store;

use std::{fmt, sync::Arc};

use prometheus_client::{encoding::text::encode, registry::Registry};

use self::{
    actions::ActionFamilies, calls::CallFamilies, consumers::ConsumerFamilies, entities::EntityFamilies,
    store::StoreGauges,
};
pub(crate) use self::{
    actions::ActionMetrics,
    consumers::{ConsumerMetrics, KeptDeadLetters},
    entities::{EntityMetrics, Volume},
};
use crate::{
    code::Code,
    service_catalog::Method,
    storage::{Consumer, Store},
};

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
    calls: CallFamilies,
}

impl Metrics {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let mut registry = Registry::with_prefix("cloudstate");
        let store_gauges = StoreGauges::register(registry.sub_registry_with_prefix("store"));
        let event_sourced =
            EntityFamilies::register_event_sourced(registry.sub_registry_with_prefix("eventsourced"));
        let value = EntityFamilies::register(registry.sub_registry_with_prefix("valueentity"), "state");
        let crdt = EntityFamilies::register(registry.sub_registry_with_prefix("crdt"), "state");
        let actions = ActionFamilies::register(registry.sub_registry_with_prefix("action"));
        let consumers = ConsumerFamilies::register(registry.sub_registry_with_prefix("eventing"));
        let calls = CallFamilies::register(&mut registry);
        Self { registry, store, store_gauges, event_sourced, value, crdt, actions, consumers, calls }
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
        self.actions.of(service)
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
        self.calls.answered(method, code);
    }

    /// All metrics in the text format of OpenMetrics.
    pub(crate) fn render(&self) -> Result<String, fmt::Error> {
        self.store_gauges.set(&self.store.counters());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
