use super::{Event, Snapshots};
use crate::command::{CommandError, Context, RawEffect};
use crate::{Any, Failure};

/// An entity whose state is the sum of its events.
///
/// The implementing type is the state. Commands are handled by the trait that `cloudstate-build` generates for
/// the service; they read the state and return events. Only [`apply`](Self::apply) changes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what its events are",
    label = "this entity needs its events and how they change it",
    note = "write `impl EventSourcedEntity for {Self}` with `type Event`, `type Error` and `fn apply`"
)]
pub trait EventSourcedEntity: Sized {
    /// An enum with `#[derive(Event)]`, or a single protobuf message.
    type Event: Event;
    /// What a command handler may return as `Err`. [`Failure`], or an own type that converts into it.
    type Error: Into<Failure>;

    /// Changes the state by what has happened.
    ///
    /// It runs when a command persists the event and again whenever the entity is loaded, so it must depend on
    /// nothing but the state and the event, and do nothing else. It cannot refuse: what has happened has
    /// happened.
    fn apply(&mut self, event: Self::Event);
}

/// Connects an entity with the dispatcher of its service.
/// [`#[event_sourced_entity]`](super::event_sourced_entity) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as an event sourced entity",
    label = "this type has no `#[event_sourced_entity]`",
    note = "annotate the struct, for example `#[event_sourced_entity(service = shopping_cart, persistence_id = \"shopping-cart\")]`"
)]
pub trait Handler: Sized {
    /// Calls the command handler for the rpc `name`.
    ///
    /// # Errors
    /// When the handler refuses, the payload cannot be read, or there is no such rpc.
    fn handle(&self, name: &str, payload: &Any, context: &Context) -> Result<RawEffect<Self>, CommandError>;

    /// Whether and how snapshots are taken and restored.
    fn snapshots() -> Snapshots<Self> {
        Snapshots::none()
    }
}
