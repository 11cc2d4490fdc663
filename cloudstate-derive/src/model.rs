//! What the user wrote, as plain data that keeps the tokens for their spans.

mod action;
mod crdt;
mod declaration;
mod event;
mod event_sourced;
pub(crate) mod fields;
mod product;
mod value;

pub(crate) use action::Action;
pub(crate) use crdt::CrdtEntity;
pub(crate) use declaration::Declaration;
pub(crate) use event::{Alias, EventEnum, Variant};
pub(crate) use event_sourced::EventSourcedEntity;
pub(crate) use product::{Product, ProductField};
pub(crate) use value::{State, ValueEntity};

/// The path of the SDK, unless an option says otherwise.
fn default_sdk() -> syn::Path {
    syn::parse_quote!(::cloudstate_sdk)
}
