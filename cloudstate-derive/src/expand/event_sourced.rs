use proc_macro2::TokenStream;
use quote::quote;

use super::entity::{entity, handle, registration};
use super::placed_at;
use crate::model::{Declaration, EventSourcedEntity};

/// What `#[event_sourced_entity]` adds to a struct.
pub(super) fn glue(model: &EventSourcedEntity) -> TokenStream {
    let entity = entity(&model.declaration, "event_sourced");
    let handler = handler(model);
    let registration = registration(&model.declaration);
    quote!(#entity #handler #registration)
}

fn handler(model: &EventSourcedEntity) -> TokenStream {
    let Declaration { entity, sdk, .. } = &model.declaration;
    let (generics, _, bounds) = model.declaration.generics.split_for_impl();
    let handle = handle(&model.declaration, "dispatch_event_sourced");
    let snapshots = snapshots(model);
    quote! {
        #[automatically_derived]
        impl #generics #sdk::event_sourced::Handler for #entity #bounds {
            #handle
            #snapshots
        }
    }
}

fn snapshots(model: &EventSourcedEntity) -> Option<TokenStream> {
    let sdk = &model.declaration.sdk;
    let body = match &model.snapshot_every {
        // At the number, so that a missing `impl Snapshot` is reported there.
        Some(events) => {
            placed_at(events.span(), quote!(#sdk::event_sourced::Snapshots::<Self>::every(#events)))
        }
        // Asks for none, but those of an earlier version of the entity are restored if that is possible.
        None if model.declaration.is_concrete() => quote! {
            use #sdk::macro_support::{WithSnapshot as _, WithoutSnapshot as _};
            (&#sdk::macro_support::Probe::<Self>::new()).snapshots()
        },
        // What a generic type can do is not known here.
        None => return None,
    };
    Some(quote! {
        fn snapshots() -> #sdk::event_sourced::Snapshots<Self> {
            #body
        }
    })
}
