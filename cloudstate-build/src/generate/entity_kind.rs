//! What differs between the kinds of entities.

/// How a kind appears in generated code.
pub(crate) struct EntityKind {
    /// With its article, as in a sentence.
    pub(crate) title: &'static str,
    /// The trait with the command handlers.
    pub(crate) handler_trait: &'static str,
    /// What else the entity implements, a path in the SDK.
    pub(crate) entity_trait: &'static str,
    /// The function that calls the handler for a command.
    pub(crate) dispatcher: &'static str,
}

/// Event sourced entities: unary rpcs only.
pub(crate) const EVENT_SOURCED: EntityKind = EntityKind {
    title: "an event sourced",
    handler_trait: "EventSourced",
    entity_trait: "event_sourced::EventSourcedEntity",
    dispatcher: "dispatch_event_sourced",
};

/// Value entities: unary rpcs only.
pub(crate) const VALUE: EntityKind = EntityKind {
    title: "a value",
    handler_trait: "Value",
    entity_trait: "value::ValueEntity",
    dispatcher: "dispatch_value",
};

/// The kinds whose commands are all unary, and whose traits look alike.
pub(crate) const UNARY: [&EntityKind; 2] = [&EVENT_SOURCED, &VALUE];
