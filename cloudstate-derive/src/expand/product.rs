use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;

use super::placed_at;
use crate::model::{Product, ProductField};

/// What `#[derive(Crdt)]` adds to a struct.
pub(super) fn glue(model: &Product) -> TokenStream {
    let Product { name, generics, fields, sdk } = model;
    let (generics, arguments, bounds) = generics.split_for_impl();
    let support = quote!(#sdk::macro_support);
    let entries = fields.iter().map(|ProductField { name, crdt, key }| {
        // At the type, so that one that is no CRDT is reported there, once.
        let (field, field_mut) = (
            placed_at(crdt.span(), quote!(&__product.#name)),
            placed_at(crdt.span(), quote!(&mut __product.#name)),
        );
        quote! {
            #support::Entry { key: #key, field: |__product| #field, field_mut: |__product| #field_mut }
        }
    });
    quote! {
        #[automatically_derived]
        impl #generics #support::Product for #name #arguments #bounds {
            const FIELDS: &'static [#support::Entry<Self>] = &[#(#entries),*];
        }
    }
}
