use std::fmt;

/// A part of the protocol, and the scenarios that speak about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Area {
    Discovery,
    Action,
    ValueEntity,
    EventSourced,
    Crdt,
    Eventing,
}

impl Area {
    pub(crate) const ALL: [Self; 6] =
        [Self::Discovery, Self::Action, Self::ValueEntity, Self::EventSourced, Self::Crdt, Self::Eventing];

    /// The name people type and read.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Action => "action",
            Self::ValueEntity => "value-entity",
            Self::EventSourced => "event-sourced",
            Self::Crdt => "crdt",
            Self::Eventing => "eventing",
        }
    }

    /// What the ids of the area's scenarios begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Discovery => "DISC",
            Self::Action => "ACT",
            Self::ValueEntity => "VE",
            Self::EventSourced => "ES",
            Self::Crdt => "CRDT",
            Self::Eventing => "EVT",
        }
    }

    /// The protobuf package of the area's model services.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Discovery | Self::EventSourced => "cloudstate.tck.model",
            Self::Action => "cloudstate.tck.model.action",
            Self::ValueEntity => "cloudstate.tck.model.valueentity",
            Self::Crdt => "cloudstate.tck.model.crdt",
            Self::Eventing => "cloudstate.tck.model.eventlogeventing",
        }
    }

    /// The full name of one of the area's model services.
    pub(crate) fn service(self, name: &str) -> String {
        format!("{}.{name}", self.package())
    }

    /// The scenarios, as text.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Discovery => include_str!("../scenarios/discovery.txt"),
            Self::Action => include_str!("../scenarios/action.txt"),
            Self::ValueEntity => include_str!("../scenarios/value_entity.txt"),
            Self::EventSourced => include_str!("../scenarios/event_sourced.txt"),
            Self::Crdt => include_str!("../scenarios/crdt.txt"),
            Self::Eventing => include_str!("../scenarios/eventing.txt"),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
