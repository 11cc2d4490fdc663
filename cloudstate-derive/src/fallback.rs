//! What is written beside a mistake, so that it does not breed others.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::diagnostics::Diagnostics;
use crate::expand;
use crate::model::EventSourcedEntity;

/// An entity whose handlers are never called.
pub(crate) fn event_sourced(model: &EventSourcedEntity, diagnostics: &mut Diagnostics) -> TokenStream {
    let EventSourcedEntity { entity: name, sdk, service, .. } = model;
    let (generics, _, bounds) = model.generics.split_for_impl();
    let service = match service {
        Some(service) => quote!(#service::Service),
        // Any type would contradict the service that the user's handlers belong to. A mistake in place of a type does
        // not: the compiler reports it, and believes whatever else is said about the type.
        None => diagnostics.take_first().map(syn::Error::into_compile_error).unwrap_or_default(),
    };
    let entity = expand::entity(model, &service);
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
    let (generics, arguments, bounds) = item.generics.split_for_impl();
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
