//! From models to code. Nothing is decided here.

mod action;
mod crdt;
mod entity;
mod event;
mod event_sourced;
mod product;
mod value;

pub(crate) use action::entity as action_entity;
pub(crate) use entity::entity;
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Item;

use crate::diagnostics::Diagnostics;
use crate::fallback;
use crate::model::{Action, CrdtEntity, EventEnum, EventSourcedEntity, Product, ValueEntity, fields};

/// The item as it was written, followed by what the attribute adds.
pub(crate) fn event_sourced_entity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let read = |item: &Item, diagnostics: &mut _| EventSourcedEntity::read(arguments, item, diagnostics);
    attribute(item, read, event_sourced::glue, fallback::event_sourced)
}

/// The item as it was written, followed by what the attribute adds.
pub(crate) fn value_entity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let read = |item: &Item, diagnostics: &mut _| ValueEntity::read(arguments, item, diagnostics);
    attribute(item, read, value::glue, fallback::value)
}

/// The item as it was written, followed by what the attribute adds.
pub(crate) fn crdt_entity(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let read = |item: &Item, diagnostics: &mut _| CrdtEntity::read(arguments, item, diagnostics);
    attribute(item, read, crdt::glue, fallback::crdt)
}

/// The item as it was written, followed by what the attribute adds.
pub(crate) fn action(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let read = |item: &Item, diagnostics: &mut _| Action::read(arguments, item, diagnostics);
    attribute(item, read, action::glue, fallback::action)
}

/// What the attributes of all kinds do: `fallback` takes the place of `glue` beside a mistake.
fn attribute<M>(
    item: TokenStream,
    read: impl FnOnce(&Item, &mut Diagnostics) -> Option<M>,
    glue: fn(&M) -> TokenStream,
    fallback: fn(&M) -> TokenStream,
) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let parsed = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        // The compiler reports it, and better.
        Err(_) => return item,
    };
    let glue = match read(&parsed, &mut diagnostics) {
        Some(entity) if diagnostics.is_empty() => glue(&entity),
        Some(entity) => fallback(&entity),
        None => TokenStream::new(),
    };
    let item = fields::without_markers(parsed);
    let errors = diagnostics.into_compile_errors();
    quote!(#item #glue #errors)
}

/// What the derive adds.
pub(crate) fn derive_event(item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let item: syn::DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let glue = match EventEnum::read(&item, &mut diagnostics) {
        Some(events) => event::glue(&events),
        None => fallback::event(&item),
    };
    let errors = diagnostics.into_compile_errors();
    quote!(#glue #errors)
}

/// What the derive adds.
pub(crate) fn derive_crdt(item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let item: syn::DeriveInput = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let glue = Product::read(&item, &mut diagnostics).map(|product| product::glue(&product));
    let errors = diagnostics.into_compile_errors();
    quote!(#glue #errors)
}

/// Puts tokens at another place of the user's code, where errors about them belong.
fn placed_at(span: Span, tokens: TokenStream) -> TokenStream {
    let place = |mut token: proc_macro2::TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    tokens.into_iter().map(place).collect()
}
