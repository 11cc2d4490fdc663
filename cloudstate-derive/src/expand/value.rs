use proc_macro2::TokenStream;
use quote::quote;

use super::entity::{entity, handle, registration};
use crate::model::{Declaration, State, ValueEntity};

/// What `#[value_entity]` adds to a struct.
pub(super) fn glue(model: &ValueEntity) -> TokenStream {
    let entity = entity(&model.declaration, "value");
    let handler = handler(model);
    let registration = registration(&model.declaration);
    quote!(#entity #handler #registration)
}

fn handler(model: &ValueEntity) -> Option<TokenStream> {
    let Declaration { entity, sdk, generics, .. } = &model.declaration;
    let State { member, message, is_optional } = model.state.as_ref()?;
    let (generics, _, bounds) = generics.split_for_impl();
    let handle = handle(&model.declaration, "dispatch_value");
    let field = if *is_optional { quote!(Optional) } else { quote!(Value) };
    Some(quote! {
        #[automatically_derived]
        impl #generics #sdk::value::Handler for #entity #bounds {
            type State = #message;
            #handle
            fn state(&mut self) -> #sdk::value::StateField<'_, Self::State> {
                #sdk::value::StateField::#field(&mut self.#member)
            }
        }
    })
}
