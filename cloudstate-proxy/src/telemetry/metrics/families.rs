//! One metric for each label, and how such families are registered.

use std::{fmt::Debug, hash::Hash};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

/// Upper bounds in seconds; the reference's, which are those of the Prometheus client libraries.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

pub(super) type Counters<L = EntityLabel> = Family<L, Counter>;
pub(super) type Seconds = Family<EntityLabel, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct EntityLabel {
    /// The persistence id; of an action the name of its service.
    entity_name: String,
}

impl EntityLabel {
    pub(super) fn new(name: &str) -> Self {
        Self { entity_name: name.to_owned() }
    }
}

pub(super) fn counters<L>(registry: &mut Registry, name: &str, help: &str) -> Counters<L>
where
    L: EncodeLabelSet + Clone + Debug + Eq + Hash + Send + Sync + 'static,
{
    let family = Counters::default();
    registry.register(name, help, family.clone());
    family
}

pub(super) fn seconds(registry: &mut Registry, name: &str, help: &str) -> Seconds {
    let family = Seconds::new_with_constructor(|| Histogram::new(BUCKETS));
    registry.register(name, help, family.clone());
    family
}
