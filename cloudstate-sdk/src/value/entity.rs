use crate::command::{CommandError, Context, RawEffect};
use crate::payload::ProtobufMessage;
use crate::{Any, Failure};

/// An entity that stores one value, which each change replaces.
///
/// The implementing type holds the value as one of its fields. Commands are handled by the trait that
/// `cloudstate-build` generates for the service; they read the value and return what takes its place.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what its error is",
    label = "this entity needs an error type",
    note = "write `impl ValueEntity for {Self} {{ type Error = Failure; }}`"
)]
pub trait ValueEntity: Sized {
    /// What a command handler may return as `Err`. [`Failure`], or an own type that converts into it.
    type Error: Into<Failure>;
}

/// Connects an entity with the dispatcher of its service, and tells where its value is.
/// [`#[value_entity]`](super::value_entity) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a value entity",
    label = "this type has no `#[value_entity]`",
    note = "annotate the struct, for example `#[value_entity(service = profiles, persistence_id = \"profiles\")]`"
)]
pub trait Handler: Sized {
    /// What is stored.
    type State: ProtobufMessage;

    /// Calls the command handler for the rpc `name`.
    ///
    /// # Errors
    /// When the handler refuses, the payload cannot be read, or there is no such rpc.
    fn handle(&self, name: &str, payload: &Any, context: &Context) -> Result<RawEffect<Self>, CommandError>;

    /// The field that holds the value.
    fn state(&mut self) -> StateField<'_, Self::State>;
}

/// The field of an entity that holds its value.
#[derive(Debug)]
pub enum StateField<'a, M> {
    /// Always holds one.
    Value(&'a mut M),
    /// `None` while there is none.
    Optional(&'a mut Option<M>),
}

impl<M> StateField<'_, M> {
    /// Puts a value in its place; swapping again takes it back.
    pub(super) fn swap_with(self, other: &mut Option<M>) {
        match (self, other) {
            (Self::Value(value), Some(other)) => std::mem::swap(value, other),
            (Self::Value(_), None) => {}
            (Self::Optional(value), other) => std::mem::swap(value, other),
        }
    }
}
