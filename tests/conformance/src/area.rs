use std::fmt;

/// A part of the protocol, and the scenarios that speak about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Area {
    Discovery,
    Action,
    ValueEntity,
    EventSourced,
    Crdt,
    Reflection,
    Eventing,
    /// Forwards and side effects from one kind to another.
    Routing,
    /// What a proxy's gRPC must do whatever it is about.
    Grpc,
    /// HTTP and JSON.
    Http,
    /// The management port.
    Management,
}

impl Area {
    pub(crate) const ALL: [Self; 11] = [
        Self::Discovery,
        Self::Action,
        Self::ValueEntity,
        Self::EventSourced,
        Self::Crdt,
        Self::Reflection,
        Self::Routing,
        Self::Grpc,
        Self::Http,
        Self::Management,
        Self::Eventing,
    ];

    /// Those that a user function is tested for.
    pub(crate) const OF_SERVICES: [Self; 6] =
        [Self::Discovery, Self::Action, Self::ValueEntity, Self::EventSourced, Self::Crdt, Self::Eventing];

    /// The name people type and read.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Action => "action",
            Self::ValueEntity => "value-entity",
            Self::EventSourced => "event-sourced",
            Self::Crdt => "crdt",
            Self::Reflection => "reflection",
            Self::Eventing => "eventing",
            Self::Routing => "routing",
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Management => "management",
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
            Self::Reflection => "REFL",
            Self::Eventing => "EVT",
            Self::Routing => "ROUTE",
            Self::Grpc => "GRPC",
            Self::Http => "HTTP",
            Self::Management => "MGMT",
        }
    }

    /// The protobuf package of the area's services.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Discovery | Self::EventSourced => "cloudstate.tck.model",
            Self::Action | Self::Routing => "cloudstate.tck.model.action",
            Self::ValueEntity => "cloudstate.tck.model.valueentity",
            Self::Crdt => "cloudstate.tck.model.crdt",
            Self::Eventing => "cloudstate.tck.model.eventlogeventing",
            Self::Reflection => "grpc.reflection.v1alpha",
            Self::Grpc | Self::Http | Self::Management => "cloudstate.conformance",
        }
    }

    /// The full name of one of the area's services.
    pub(crate) fn service(self, name: &str) -> String {
        format!("{}.{name}", self.package())
    }

    /// The service that is meant where none is named.
    pub(crate) fn model(self) -> Option<&'static str> {
        match self {
            Self::Action | Self::Routing => Some("ActionTckModel"),
            Self::ValueEntity => Some("ValueEntityTckModel"),
            Self::EventSourced => Some("EventSourcedTckModel"),
            Self::Crdt => Some("CrdtTckModel"),
            Self::Reflection => Some("ServerReflection"),
            Self::Eventing => Some("EventLogSubscriberModel"),
            Self::Grpc | Self::Http => Some("HttpRules"),
            Self::Discovery | Self::Management => None,
        }
    }

    /// The scenarios against a user function, as text.
    pub(crate) fn of_services(self) -> Option<&'static str> {
        match self {
            Self::Discovery => Some(include_str!("../scenarios/discovery.txt")),
            Self::Action => Some(include_str!("../scenarios/action.txt")),
            Self::ValueEntity => Some(include_str!("../scenarios/value_entity.txt")),
            Self::EventSourced => Some(include_str!("../scenarios/event_sourced.txt")),
            Self::Crdt => Some(include_str!("../scenarios/crdt.txt")),
            Self::Eventing => Some(include_str!("../scenarios/eventing.txt")),
            Self::Reflection | Self::Routing | Self::Grpc | Self::Http | Self::Management => None,
        }
    }

    /// The scenarios around a proxy, as text.
    pub(crate) fn of_proxies(self) -> &'static str {
        match self {
            Self::Discovery => include_str!("../scenarios/proxy/discovery.txt"),
            Self::Action => include_str!("../scenarios/proxy/action.txt"),
            Self::ValueEntity => include_str!("../scenarios/proxy/value_entity.txt"),
            Self::EventSourced => include_str!("../scenarios/proxy/event_sourced.txt"),
            Self::Crdt => include_str!("../scenarios/proxy/crdt.txt"),
            Self::Reflection => include_str!("../scenarios/proxy/reflection.txt"),
            Self::Eventing => include_str!("../scenarios/proxy/eventing.txt"),
            Self::Routing => include_str!("../scenarios/proxy/routing.txt"),
            Self::Grpc => include_str!("../scenarios/proxy/grpc.txt"),
            Self::Http => include_str!("../scenarios/proxy/http.txt"),
            Self::Management => include_str!("../scenarios/proxy/management.txt"),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
