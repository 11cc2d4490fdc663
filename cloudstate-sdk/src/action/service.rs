use std::sync::Arc;

use super::{Call, Responses};
use crate::Failure;

/// A service that holds no state of its own: it computes, asks others, and calls entities.
///
/// The implementing type holds what all calls share, such as clients of databases. Calls are handled by the trait that
/// `cloudstate-build` generates for the service, any number at a time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an action",
    label = "only an action does this",
    note = "an action has `#[action(service = ..)]` and `impl ActionService for {Self}` with `type Error`"
)]
pub trait ActionService: Sized + Send + Sync + 'static {
    /// What a handler may return as `Err`. [`Failure`], or an own type that converts into it.
    type Error: Into<Failure>;
}

/// Connects an action with the dispatcher of its service. [`#[action]`](super::action) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as an action",
    label = "this type has no `#[action]`",
    note = "annotate the struct, for example `#[action(service = sums)]`"
)]
pub trait Handler: Sized {
    /// Calls the handler of the rpc that is called.
    fn handle(self: Arc<Self>, call: Call) -> Responses;
}
