//! What the user wrote, as plain data that keeps the tokens for their spans.

mod event;
mod event_sourced;

pub(crate) use event::{Alias, EventEnum, Variant};
pub(crate) use event_sourced::EventSourcedEntity;

/// The path of the SDK, unless an option says otherwise.
fn default_sdk() -> syn::Path {
    syn::parse_quote!(::cloudstate_sdk)
}
