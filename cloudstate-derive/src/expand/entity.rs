//! What the attributes of all kinds add.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::Declaration;

/// `impl Entity`, of the kind in the SDK's module `kind`. `None` when the service is missing.
pub(crate) fn entity(model: &Declaration, kind: &str) -> Option<TokenStream> {
    let Declaration { entity, sdk, .. } = model;
    let kind = format_ident!("{kind}");
    let service = model.service.as_ref()?;
    let (generics, _, bounds) = model.generics.split_for_impl();
    // What stores nothing has none, but proxies want a name that no other entity has.
    let persistence_id = match &model.persistence_id {
        Some(id) => id.to_token_stream(),
        None => quote!(<#service::Service as #sdk::Service>::NAME),
    };
    let passivate_after = model.passivate_after.map(|idle| {
        let milliseconds = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        quote! {
            const PASSIVATE_AFTER: ::core::option::Option<::core::time::Duration> =
                ::core::option::Option::Some(::core::time::Duration::from_millis(#milliseconds));
        }
    });
    Some(quote! {
        #[automatically_derived]
        impl #generics #sdk::Entity for #entity #bounds {
            type Service = #service::Service;
            type Kind = #sdk::#kind::Kind;
            const PERSISTENCE_ID: &'static str = #persistence_id;
            #passivate_after
            const PACKAGE: ::core::option::Option<(&'static str, &'static str)> =
                ::core::option::Option::Some((::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION")));
        }
    })
}

/// The function that hands commands to the dispatcher of the service.
pub(super) fn handle(model: &Declaration, dispatcher: &str) -> TokenStream {
    let Declaration { sdk, service, .. } = model;
    let dispatcher = Ident::new(dispatcher, service.span());
    // At the service, so that missing command handlers are reported there.
    let dispatch = quote_spanned! {service.span()=>
        #service::#dispatcher(self, __name, __payload, __context)
    };
    quote! {
        fn handle(
            &self,
            __name: &str,
            __payload: &#sdk::Any,
            __context: &#sdk::Context,
        ) -> ::core::result::Result<#sdk::macro_support::RawEffect<Self>, #sdk::macro_support::CommandError> {
            #dispatch
        }
    }
}

/// An entry in the link-time registry. A generic type has none: it stands for many.
pub(super) fn registration(model: &Declaration) -> Option<TokenStream> {
    let Declaration { entity, sdk, .. } = model;
    model.is_concrete().then(|| {
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
    })
}
