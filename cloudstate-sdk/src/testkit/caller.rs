use cloudstate_proto as proto;

use crate::conversation::{MAX_REPLY_SIZE, Terms};
use crate::fault::Fault;
use crate::{Entity, Metadata, Service, ServiceCall};

/// The part of a proxy that sends commands to one entity.
pub(super) struct Caller {
    pub(super) entity_id: String,
    pub(super) metadata: Metadata,
    last_command: i64,
}

/// The kit plays a proxy that knows status codes.
pub(super) const TERMS: Terms = Terms { max_reply_size: MAX_REPLY_SIZE, status_codes: true };

impl Caller {
    pub(super) fn new(entity_id: impl Into<String>) -> Self {
        Self { entity_id: entity_id.into(), metadata: Metadata::new(), last_command: 0 }
    }

    /// The command that `call` is for the entity `E`.
    #[track_caller]
    pub(super) fn command<E: Entity, R>(&mut self, call: &ServiceCall<R>) -> proto::Command {
        assert_eq!(
            call.service(),
            E::Service::NAME,
            "the call is for another service than that of the entity"
        );
        self.last_command += 1;
        proto::Command {
            entity_id: self.entity_id.clone(),
            id: self.last_command,
            name: call.command().into(),
            payload: Some(call.payload().clone()),
            streamed: false,
            metadata: self.metadata.clone().into_proto(),
        }
    }
}

#[track_caller]
pub(super) fn expect_no_fault<T>(outcome: Result<T, Fault>) -> T {
    outcome.unwrap_or_else(|fault| {
        panic!("the entity's stream would end: {}", fault.detail().unwrap_or(fault.description()))
    })
}

#[track_caller]
pub(super) fn expect_readable<T>(decoded: Result<T, crate::DecodeError>) -> T {
    decoded.unwrap_or_else(|error| panic!("the entity wrote what it cannot read: {error}"))
}
