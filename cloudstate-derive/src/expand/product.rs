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
    let keys: Vec<_> = fields.iter().map(|field| &field.key).collect();
    // At the type, so that one that is no CRDT is reported there, once.
    let shared = fields.iter().map(|ProductField { name, crdt, .. }| {
        placed_at(crdt.span(), quote!(&self.#name as &dyn #support::Field))
    });
    let exclusive = fields.iter().map(|ProductField { name, crdt, .. }| {
        placed_at(crdt.span(), quote!(&mut self.#name as &mut dyn #support::Field))
    });
    quote! {
        #[automatically_derived]
        impl #generics #support::Product for #name #arguments #bounds {
            fn fields(&self) -> ::std::vec::Vec<(&'static str, &dyn #support::Field)> {
                ::std::vec![#((#keys, #shared)),*]
            }
            fn fields_mut(&mut self) -> ::std::vec::Vec<(&'static str, &mut dyn #support::Field)> {
                ::std::vec![#((#keys, #exclusive)),*]
            }
        }
    }
}
