//! The function that finds the handler for a command by the name of its rpc.

use proc_macro2::TokenStream;
use quote::quote;

use super::{entity_kind::EntityKind, identifier};
use crate::service_model::Service;

pub(super) fn generate(service: &Service, kind: &EntityKind) -> TokenStream {
    let handler_trait = identifier(kind.handler_trait);
    let dispatcher = identifier(kind.dispatcher);
    let arms = service.methods.iter().filter(|method| method.is_unary()).map(|method| {
        let name = &method.name;
        let function = identifier(&method.function);
        // Named by its trait: an rpc may have the name of a function of another trait of the entity.
        quote! {
            #name => ::cloudstate_sdk::macro_support::call(payload, |command| {
                #handler_trait::#function(entity, command, context)
            })
        }
    });
    quote! {
        /// Calls the handler of the command `name`.
        #[doc(hidden)]
        pub fn #dispatcher<E: #handler_trait>(
            entity: &E,
            name: &str,
            payload: &::cloudstate_sdk::Any,
            context: &::cloudstate_sdk::Context,
        ) -> ::core::result::Result<
            ::cloudstate_sdk::macro_support::RawEffect<E>,
            ::cloudstate_sdk::macro_support::CommandError,
        > {
            match name {
                #(#arms,)*
                _ => Err(::cloudstate_sdk::macro_support::CommandError::unknown(
                    <Service as ::cloudstate_sdk::Service>::NAME,
                    name,
                )),
            }
        }
    }
}
