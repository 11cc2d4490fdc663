//! The live entities: at most one instance per entity id, each with a mailbox and a task of its own.

mod alarm;
mod crdt;
mod envelope;
mod idleness;
mod observer;
mod registry;
mod serial;
mod stream;
mod usage;
mod wishes;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

pub(crate) use envelope::{Answer, Envelope};
pub(crate) use registry::{Entities, LiveEntity};

use crate::{
    routing::Background,
    service_catalog::{EntityKind, Service},
    settings::PassivationTimeouts,
    storage::Store,
    telemetry::{FailedCalls, metrics::Metrics, spans::Spans},
    user_function::{ErrorReporter, Pool},
};

/// Names a caller between the task and the lifecycle of an entity.
type Token = u64;

/// How often a command is sent again because the process went away that it was sent to.
const MAX_RESENDS: u8 = 3;

/// What every entity needs.
pub(crate) struct Environment {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pool: Pool,
    pub(crate) reporter: ErrorReporter,
    pub(crate) metrics: Metrics,
    pub(crate) failed_calls: FailedCalls,
    pub(crate) spans: Spans,
    /// What calls led to and did not wait for.
    pub(crate) background: Background,
    pub(crate) relay_timeout: Duration,
    pub(crate) passivation_timeout: PassivationTimeouts,
    pub(crate) stash_size: usize,
    pub(crate) max_entities: usize,
}

impl Environment {
    /// How long a caller who comes now waits for an answer.
    pub(crate) fn relay_deadline(&self) -> Instant {
        alarm::after(Instant::now(), self.relay_timeout)
    }

    /// How long an entity of `service` may be idle.
    pub(crate) fn passivate_after(&self, service: &Service) -> Duration {
        let defaults = self.passivation_timeout;
        service.passivate_after.unwrap_or(match service.kind {
            // An action has no entity that could be idle.
            EntityKind::EventSourced | EntityKind::Action => defaults.event_sourced,
            EntityKind::Value => defaults.value,
            EntityKind::Crdt => defaults.crdt,
        })
    }
}
