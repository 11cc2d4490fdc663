//! What is written beside a mistake, so that it does not breed others.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_quote};

use crate::expand;
use crate::model::EventSourcedEntity;

/// An entity whose handlers are never called.
pub(crate) fn event_sourced(model: &EventSourcedEntity) -> TokenStream {
    let EventSourcedEntity { entity: name, sdk, .. } = model;
    let (generics, _, bounds) = model.generics.split_for_impl();
    // Without a service there is no telling which handlers are meant, so then there is no entity either.
    let entity = expand::entity(model);
    quote! {
        #entity
        #[automatically_derived]
        impl #generics #sdk::macro_support::Handler for #name #bounds {
            fn handle(
                &self,
                _: &str,
                _: &#sdk::Any,
                _: &#sdk::Context,
            ) -> ::core::result::Result<#sdk::macro_support::RawEffect<Self>, #sdk::macro_support::CommandError> {
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
