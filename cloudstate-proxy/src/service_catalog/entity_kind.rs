//! The kinds of entity, and what sets them apart in a contract.

use cloudstate_proto::{descriptor::MethodDescriptorProto, entity_type};

/// The entity types this proxy serves, as it tells them to the user function.
pub const SUPPORTED_ENTITY_TYPES: [&str; 4] =
    [entity_type::EVENT_SOURCED, entity_type::VALUE_ENTITY, entity_type::CRDT, entity_type::ACTION];

/// What protocol 0.1 called an action. Accepted but not advertised.
pub(super) const STATELESS_FUNCTION: &str = "cloudstate.function.StatelessFunction";

/// The messages in which CRDT entities are spoken to. The other kinds have the same ones in both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrdtProtocol {
    /// A value is a delta from empty.
    #[default]
    V0_2,
    /// A value is a message of its own.
    V0_1,
}

/// The kinds of entity this proxy hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// `cloudstate.eventsourced.EventSourced`
    EventSourced,
    /// `cloudstate.valueentity.ValueEntity`
    Value,
    /// `cloudstate.crdt.Crdt`
    Crdt,
    /// `cloudstate.action.ActionProtocol`: no entity, no state.
    Action,
}

impl EntityKind {
    /// The kind that is served by an entity type; none if it is not supported.
    pub fn of_type(entity_type: &str) -> Option<Self> {
        match entity_type {
            entity_type::EVENT_SOURCED => Some(EntityKind::EventSourced),
            entity_type::VALUE_ENTITY => Some(EntityKind::Value),
            entity_type::CRDT => Some(EntityKind::Crdt),
            entity_type::ACTION | STATELESS_FUNCTION => Some(EntityKind::Action),
            _ => None,
        }
    }

    /// Whether its methods address entities, which have a key and state.
    pub fn is_entity(self) -> bool {
        self != EntityKind::Action
    }

    /// What of `method` this kind cannot serve, as a sentence about all such methods begins; none: nothing.
    pub(super) fn refuses(self, method: &MethodDescriptorProto) -> Option<&'static str> {
        let streamed = method.client_streaming || method.server_streaming;
        match self {
            EntityKind::EventSourced if streamed => {
                Some("Event sourced entities do not support streamed methods")
            }
            EntityKind::Value if streamed => Some("Value entities do not support streamed methods"),
            EntityKind::Crdt if method.client_streaming => {
                Some("CRDT entities do not support methods with a stream of requests")
            }
            _ => None,
        }
    }
}
