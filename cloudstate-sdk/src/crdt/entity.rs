use super::{Crdt, RawReply};
use crate::command::{CommandError, Context};
use crate::{Any, Failure};

/// An entity whose state is one CRDT, which all nodes of the proxy's cluster may change at once.
///
/// The implementing type holds the CRDT as one of its fields. Commands are handled by the trait that
/// `cloudstate-build` generates for the service, and change the CRDT through its methods. A command that fails has
/// changed nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what its error is",
    label = "this entity needs an error type",
    note = "write `impl CrdtEntity for {Self} {{ type Error = Failure; }}`"
)]
pub trait CrdtEntity: Sized {
    /// What a command handler may return as `Err`. [`Failure`], or an own type that converts into it.
    type Error: Into<Failure>;
}

/// Connects an entity with the dispatcher of its service, and tells where its CRDT is.
/// [`#[crdt_entity]`](super::crdt_entity) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a CRDT entity",
    label = "this type has no `#[crdt_entity]`",
    note = "annotate the struct, for example `#[crdt_entity(service = presence)]`"
)]
pub trait Handler: Sized {
    /// What is replicated.
    type Root: Crdt;

    /// Calls the command handler for the rpc `name`.
    ///
    /// # Errors
    /// When the handler refuses, the payload cannot be read, or there is no such rpc.
    fn handle(
        &mut self,
        name: &str,
        payload: &Any,
        context: &Context,
    ) -> Result<RawReply<Self>, CommandError>;

    /// The field that holds the CRDT.
    fn root(&mut self) -> &mut Self::Root;
}
