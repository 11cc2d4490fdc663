//! What every entity says about itself, whatever its kind.

use std::time::Duration;

/// A gRPC service of a `.proto` file. `cloudstate-build` implements it for the marker type `Service` in the
/// module it generates per service.
pub trait Service {
    /// The full name, for example `com.example.shoppingcart.ShoppingCart`.
    const NAME: &'static str;
    /// The `FileDescriptorSet` that holds the service and all its imports, as the compiler wrote it.
    const DESCRIPTORS: &'static [u8];
}

/// The place of an entity in a service: which contract it answers, and under which name its data is stored.
///
/// The attribute of the entity's kind implements this, for example
/// [`#[event_sourced_entity]`](crate::event_sourced::event_sourced_entity); so can you, see
/// [`docs::by_hand`](crate::docs::by_hand).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a Cloudstate entity",
    label = "this type has no entity attribute",
    note = "annotate the struct with the attribute of its kind: `#[event_sourced_entity(service = .., persistence_id = \"..\")]`, `#[value_entity(service = .., persistence_id = \"..\")]`, `#[crdt_entity(service = ..)]` or `#[action(service = ..)]`"
)]
pub trait Entity: Sized + 'static {
    /// The gRPC service whose commands the entity handles.
    type Service: Service;
    /// The kind of the entity, for example [`event_sourced::Kind`](crate::event_sourced::Kind).
    type Kind;

    /// Names the place where the entity's data is stored. It must never change: data stored under another
    /// name is not found again.
    const PERSISTENCE_ID: &'static str;
    /// How long an entity may be idle before the proxy drops it from memory. `None` leaves it to the proxy.
    const PASSIVATE_AFTER: Option<Duration> = None;
    /// Name and version of the crate that declares the entity: the service's name and version in discovery,
    /// unless [`CloudState::named`](crate::CloudState::named) says otherwise.
    const PACKAGE: Option<(&'static str, &'static str)> = None;
}

/// A kind of entity that `E` completely implements, so that it can be registered.
#[diagnostic::on_unimplemented(
    message = "`{E}` cannot be registered as an entity",
    label = "not a complete entity",
    note = "an entity has an attribute such as `#[event_sourced_entity]`, an `impl EventSourcedEntity` and an implementation of its service's trait"
)]
pub trait EntityKind<E> {
    #[doc(hidden)]
    fn component(create: crate::registration::Create<E>) -> crate::registration::Component;
}
