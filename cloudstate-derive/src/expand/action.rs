use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::entity::registration;
use crate::model::{Action, Declaration};

/// What `#[action]` adds to a struct.
pub(super) fn glue(model: &Action) -> TokenStream {
    let entity = entity(model);
    let handler = handler(model);
    let registration = registration(&model.declaration);
    quote!(#entity #handler #registration)
}

/// `None` when the service is missing.
pub(crate) fn entity(model: &Action) -> Option<TokenStream> {
    let Declaration { entity, sdk, service, .. } = &model.declaration;
    let service = service.as_ref()?;
    let (generics, _, bounds) = model.declaration.generics.split_for_impl();
    // It stores nothing, but proxies want a name that no other action has.
    Some(quote! {
        #[automatically_derived]
        impl #generics #sdk::Entity for #entity #bounds {
            type Service = #service::Service;
            type Kind = #sdk::action::Kind;
            const PERSISTENCE_ID: &'static str = <#service::Service as #sdk::Service>::NAME;
            const PACKAGE: ::core::option::Option<(&'static str, &'static str)> =
                ::core::option::Option::Some((::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION")));
        }
    })
}

fn handler(model: &Action) -> TokenStream {
    let Declaration { entity, sdk, service, .. } = &model.declaration;
    let (generics, _, bounds) = model.declaration.generics.split_for_impl();
    // At the service, so that a missing `impl sums::Action` is reported there.
    let dispatch = quote_spanned!(service.span()=> #service::dispatch_action(self, __call));
    quote! {
        #[automatically_derived]
        impl #generics #sdk::action::Handler for #entity #bounds {
            fn handle(self: ::std::sync::Arc<Self>, __call: #sdk::action::Call) -> #sdk::action::Responses {
                #dispatch
            }
        }
    }
}
