use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::placed_at;
use crate::model::EventSourcedEntity;

/// What `#[event_sourced_entity]` adds to a struct.
pub(super) fn glue(model: &EventSourcedEntity) -> TokenStream {
    let entity = entity(model);
    let handler = handler(model);
    let registration = model.is_concrete().then(|| registration(model));
    quote!(#entity #handler #registration)
}

/// `None` when the service is missing.
pub(crate) fn entity(model: &EventSourcedEntity) -> Option<TokenStream> {
    let EventSourcedEntity { entity, sdk, .. } = model;
    let service = model.service.as_ref()?;
    let (generics, _, bounds) = model.generics.split_for_impl();
    let persistence_id = model.persistence_id.iter();
    let passivate_after = model.passivate_after.map(|idle| {
        let milliseconds = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        quote! {
            const PASSIVATE_AFTER: ::core::option::Option<::core::time::Duration> =
                ::core::option::Option::Some(::core::time::Duration::from_millis(#milliseconds));
        }
    });
    // After a mistake there is no id, and this code never runs.
    Some(quote! {
        #[automatically_derived]
        impl #generics #sdk::Entity for #entity #bounds {
            type Service = #service::Service;
            type Kind = #sdk::macro_support::Kind;
            const PERSISTENCE_ID: &'static str = ::core::concat!(#(#persistence_id)*);
            #passivate_after
            const PACKAGE: ::core::option::Option<(&'static str, &'static str)> =
                ::core::option::Option::Some((::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION")));
        }
    })
}

fn handler(model: &EventSourcedEntity) -> TokenStream {
    let EventSourcedEntity { entity, sdk, service, .. } = model;
    let (generics, _, bounds) = model.generics.split_for_impl();
    // At the service, so that a missing `impl shopping_cart::EventSourced` is reported there.
    let dispatch = quote_spanned! {service.span()=>
        #service::dispatch_event_sourced(self, __name, __payload, __context)
    };
    let snapshots = snapshots(model);
    quote! {
        #[automatically_derived]
        impl #generics #sdk::macro_support::Handler for #entity #bounds {
            fn handle(
                &self,
                __name: &str,
                __payload: &#sdk::Any,
                __context: &#sdk::Context,
            ) -> ::core::result::Result<#sdk::macro_support::RawEffect<Self>, #sdk::macro_support::CommandError> {
                #dispatch
            }
            #snapshots
        }
    }
}

fn snapshots(model: &EventSourcedEntity) -> Option<TokenStream> {
    let sdk = &model.sdk;
    let body = match &model.snapshot_every {
        // At the number, so that a missing `impl Snapshot` is reported there.
        Some(events) => {
            placed_at(events.span(), quote!(#sdk::macro_support::Snapshots::<Self>::every(#events)))
        }
        // Asks for none, but those of an earlier version of the entity are restored if that is possible.
        None if model.is_concrete() => quote! {
            use #sdk::macro_support::{WithSnapshot as _, WithoutSnapshot as _};
            (&#sdk::macro_support::Probe::<Self>::new()).snapshots()
        },
        // What a generic type can do is not known here.
        None => return None,
    };
    Some(quote! {
        fn snapshots() -> #sdk::macro_support::Snapshots<Self> {
            #body
        }
    })
}

fn registration(model: &EventSourcedEntity) -> TokenStream {
    let EventSourcedEntity { entity, sdk, .. } = model;
    quote! {
        const _: () = {
            use #sdk::macro_support::{WithDefault as _, WithoutDefault as _};
            #sdk::macro_support::inventory::submit! {
                #sdk::macro_support::Registration::new(|| {
                    #sdk::macro_support::Discovered::of::<#entity>(
                        (&#sdk::macro_support::Probe::<#entity>::new()).constructor(),
                    )
                })
            }
        };
    }
}
