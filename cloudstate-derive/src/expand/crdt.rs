use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::entity::{entity, registration};
use crate::model::{CrdtEntity, Declaration};

/// What `#[crdt_entity]` adds to a struct.
pub(super) fn glue(model: &CrdtEntity) -> TokenStream {
    let entity = entity(&model.declaration, "crdt");
    let handler = handler(model);
    let registration = registration(&model.declaration);
    quote!(#entity #handler #registration)
}

fn handler(model: &CrdtEntity) -> Option<TokenStream> {
    let Declaration { entity, sdk, service, generics, .. } = &model.declaration;
    let (member, root) = model.root.as_ref()?;
    let (generics, _, bounds) = generics.split_for_impl();
    // At the service, so that missing command handlers are reported there.
    let dispatch = quote_spanned! {service.span()=>
        #service::dispatch_crdt(self, __name, __payload, __context)
    };
    Some(quote! {
        #[automatically_derived]
        impl #generics #sdk::crdt::Handler for #entity #bounds {
            type Root = #root;
            fn handle(
                &mut self,
                __name: &str,
                __payload: &#sdk::Any,
                __context: &#sdk::Context,
            ) -> ::core::result::Result<#sdk::macro_support::RawReply<Self>, #sdk::macro_support::CommandError> {
                #dispatch
            }
            fn root(&mut self) -> &mut Self::Root {
                &mut self.#member
            }
        }
    })
}
