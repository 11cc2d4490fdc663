//! The attributes and derives of `cloudstate-sdk`, which re-exports and documents them. Use them from there.
//!
//! Each goes the same way: `attributes` and `model` read what the user wrote, `validate` checks it, `expand` writes
//! the code. Mistakes are gathered in `diagnostics` and reported together, beside the code that can be written all the
//! same (`fallback`), so that one mistake is one error.

mod attributes;
mod diagnostics;
mod expand;
mod fallback;
mod model;
mod validate;

use proc_macro::TokenStream;

/// See `cloudstate_sdk::event_sourced::event_sourced_entity`.
#[proc_macro_attribute]
pub fn event_sourced_entity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::event_sourced_entity(arguments.into(), item.into()).into()
}

/// See `cloudstate_sdk::value::value_entity`.
#[proc_macro_attribute]
pub fn value_entity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::value_entity(arguments.into(), item.into()).into()
}

/// See `cloudstate_sdk::crdt::crdt_entity`.
#[proc_macro_attribute]
pub fn crdt_entity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::crdt_entity(arguments.into(), item.into()).into()
}

/// See `cloudstate_sdk::crdt::Crdt`.
#[proc_macro_derive(Crdt, attributes(crdt))]
pub fn derive_crdt(item: TokenStream) -> TokenStream {
    expand::derive_crdt(item.into()).into()
}

/// See `cloudstate_sdk::action::action`.
#[proc_macro_attribute]
pub fn action(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::action(arguments.into(), item.into()).into()
}

/// See `cloudstate_sdk::event_sourced::Event`.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    expand::derive_event(item.into()).into()
}
