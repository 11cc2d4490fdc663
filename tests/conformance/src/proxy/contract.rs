//! What the kit answers to `discover` when it is the user function: the models, and services of its own.

use cloudstate_proto::{
    Entity, EntityPassivationStrategy, EntitySpec, PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION,
    ServiceInfo, TimeoutPassivationStrategy,
    entity_passivation_strategy::Strategy,
    entity_type::{ACTION, CRDT, EVENT_SOURCED, VALUE_ENTITY},
};

use crate::{
    area::Area,
    descriptors::{self, CHOICES, OWN},
};

/// Milliseconds after which an entity of a `Configured` model is passivated.
const PASSIVATION: Option<i64> = Some(100);

/// Of these kinds, or of all if none is given; with `for_reference`, only what the reference proxy accepts.
pub(crate) fn spec(kinds: &[String], for_reference: bool) -> Result<EntitySpec, String> {
    let mut texts = vec![OWN];
    let mut served = MODELS.to_vec();
    served.extend(SERVED);
    if !for_reference {
        texts.push(CHOICES);
        served.extend(CHOSEN);
    }
    let is_offered = |row: &Row| kinds.is_empty() || kinds.iter().any(|kind| kind == kind_of(row));
    let entities = served.into_iter().filter(is_offered).map(entity).collect();
    let proto = descriptors::descriptor_set(&texts).map_err(|error| error.to_string())?;
    let service_info = ServiceInfo {
        service_name: "cloudstate-tck".to_owned(),
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
        support_library_name: "cloudstate-tck".to_owned(),
        support_library_version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol_major_version: PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: PROTOCOL_MINOR_VERSION,
        ..ServiceInfo::default()
    };
    Ok(EntitySpec { proto: proto.into(), entities, service_info: Some(service_info) })
}

/// Type, area, name, persistence id, and milliseconds to passivation.
type Row = (&'static str, Area, &'static str, &'static str, Option<i64>);

const MODELS: [Row; 14] = [
    (EVENT_SOURCED, Area::EventSourced, "EventSourcedTckModel", "event-sourced-tck-model", None),
    (EVENT_SOURCED, Area::EventSourced, "EventSourcedTwo", "event-sourced-tck-model-two", None),
    (EVENT_SOURCED, Area::EventSourced, "EventSourcedConfigured", "event-sourced-configured", PASSIVATION),
    (VALUE_ENTITY, Area::ValueEntity, "ValueEntityTckModel", "value-entity-tck-model", None),
    (VALUE_ENTITY, Area::ValueEntity, "ValueEntityTwo", "value-entity-tck-model-two", None),
    (VALUE_ENTITY, Area::ValueEntity, "ValueEntityConfigured", "value-entity-configured", PASSIVATION),
    (CRDT, Area::Crdt, "CrdtTckModel", "crdt-tck-model", None),
    (CRDT, Area::Crdt, "CrdtTwo", "crdt-tck-model-two", None),
    (CRDT, Area::Crdt, "CrdtConfigured", "crdt-configured", PASSIVATION),
    (ACTION, Area::Action, "ActionTckModel", "", None),
    (ACTION, Area::Action, "ActionTwo", "", None),
    (ACTION, Area::Eventing, "EventLogSubscriberModel", "", None),
    (EVENT_SOURCED, Area::Eventing, "EventSourcedEntityOne", "eventlogeventing-one", None),
    (EVENT_SOURCED, Area::Eventing, "EventSourcedEntityTwo", "eventlogeventing-two", None),
];

const SERVED: [Row; 2] = [
    (ACTION, Area::Http, "HttpRules", "", None),
    (EVENT_SOURCED, Area::Http, "Keys", "conformance-keys", None),
];

/// What the reference proxy refuses.
const CHOSEN: [Row; 2] =
    [(ACTION, Area::Http, "HttpChoices", "", None), (ACTION, Area::Http, "Topics", "", None)];

fn kind_of((entity_type, ..): &Row) -> &'static str {
    match *entity_type {
        EVENT_SOURCED => Area::EventSourced.name(),
        VALUE_ENTITY => Area::ValueEntity.name(),
        CRDT => Area::Crdt.name(),
        _ => Area::Action.name(),
    }
}

fn entity((entity_type, area, name, persistence_id, passivation): Row) -> Entity {
    let strategy = |timeout| Strategy::Timeout(TimeoutPassivationStrategy { timeout });
    Entity {
        entity_type: entity_type.to_owned(),
        service_name: area.service(name),
        persistence_id: persistence_id.to_owned(),
        passivation_strategy: passivation
            .map(|timeout| EntityPassivationStrategy { strategy: Some(strategy(timeout)) }),
    }
}
