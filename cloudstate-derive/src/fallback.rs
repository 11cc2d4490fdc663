//! What is written beside a mistake, so that it does not breed others.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{DeriveInput, parse_quote};

use crate::expand;
use crate::model::{Action, CrdtEntity, Declaration, EventSourcedEntity, ValueEntity};

/// An event sourced entity whose handlers are never called.
pub(crate) fn event_sourced(model: &EventSourcedEntity) -> TokenStream {
    entity(&model.declaration, "event_sourced", TokenStream::new())
}

/// A value entity whose handlers are never called.
pub(crate) fn value(model: &ValueEntity) -> TokenStream {
    let sdk = &model.declaration.sdk;
    let state = model.state.as_ref().map(|state| state.message.to_token_stream());
    let state = state.unwrap_or_else(|| quote!(()));
    let items = quote! {
        type State = #state;
        fn state(&mut self) -> #sdk::value::StateField<'_, Self::State> {
            ::core::unreachable!()
        }
    };
    entity(&model.declaration, "value", items)
}

/// `items` are what the kind's `Handler` has besides `handle`.
fn entity(model: &Declaration, kind: &str, items: TokenStream) -> TokenStream {
    let Declaration { entity: name, sdk, .. } = model;
    let (generics, _, bounds) = model.generics.split_for_impl();
    // Without a service there is no telling which handlers are meant, so then there is no entity either.
    let entity = expand::entity(model, kind);
    let kind = format_ident!("{kind}");
    quote! {
        #entity
        #[automatically_derived]
        impl #generics #sdk::#kind::Handler for #name #bounds {
            fn handle(
                &self,
                _: &str,
                _: &#sdk::Any,
                _: &#sdk::Context,
            ) -> ::core::result::Result<#sdk::macro_support::RawEffect<Self>, #sdk::macro_support::CommandError> {
                ::core::unreachable!()
            }
            #items
        }
    }
}

/// A CRDT entity whose handlers are never called.
pub(crate) fn crdt(model: &CrdtEntity) -> TokenStream {
    let Declaration { entity: name, sdk, generics, .. } = &model.declaration;
    let (generics, _, bounds) = generics.split_for_impl();
    let entity = expand::entity(&model.declaration, "crdt");
    quote! {
        #entity
        #[automatically_derived]
        impl #generics #sdk::crdt::Handler for #name #bounds {
            type Root = #sdk::crdt::Flag;
            fn handle(
                &mut self,
                _: &str,
                _: &#sdk::Any,
                _: &#sdk::Context,
            ) -> ::core::result::Result<#sdk::macro_support::RawReply<Self>, #sdk::macro_support::CommandError> {
                ::core::unreachable!()
            }
            fn root(&mut self) -> &mut Self::Root {
                ::core::unreachable!()
            }
        }
    }
}

/// An action whose handlers are never called.
pub(crate) fn action(model: &Action) -> TokenStream {
    let Declaration { entity: name, sdk, generics, .. } = &model.declaration;
    let (generics, _, bounds) = generics.split_for_impl();
    let entity = expand::action_entity(model);
    quote! {
        #entity
        #[automatically_derived]
        impl #generics #sdk::action::Handler for #name #bounds {
            fn handle(self: ::std::sync::Arc<Self>, _: #sdk::action::Call) -> #sdk::action::Responses {
                ::core::unreachable!()
            }
        }
    }
}

/// An event that is never stored.
pub(crate) fn event(item: &DeriveInput) -> TokenStream {
    let name = &item.ident;
    let mut generics = item.generics.clone();
    generics.make_where_clause().predicates.push(parse_quote!(Self: ::core::marker::Send + 'static));
    let (generics, arguments, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #generics ::cloudstate_sdk::macro_support::Event for #name #arguments #bounds {
            fn encode(&self) -> ::cloudstate_sdk::Any {
                ::core::unreachable!()
            }
            fn decode(_: &::cloudstate_sdk::Any) -> ::core::result::Result<Self, ::cloudstate_sdk::DecodeError> {
                ::core::unreachable!()
            }
        }
    }
}
