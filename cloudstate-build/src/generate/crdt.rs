//! The trait and the dispatcher for a CRDT entity: handlers that change it, with one reply or several.

use proc_macro2::TokenStream;
use quote::quote;

use super::{deprecated, doc_line, handler_trait, identifier, rust_type};
use crate::service_model::{Method, Service};

/// The function that calls the handler for a command.
pub(super) const DISPATCHER: &str = "dispatch_crdt";

pub(super) fn generate(service: &Service) -> TokenStream {
    let handler_trait = crdt_trait(service);
    let one_request = one_request(service);
    let dispatcher = dispatcher(service);
    quote!(#handler_trait #one_request #dispatcher)
}

fn crdt_trait(service: &Service) -> TokenStream {
    let Service { full_name, module, .. } = service;
    let docs = doc_line(&format!("The commands of `{full_name}`, for a CRDT entity."));
    let message = format!("`{{Self}}` does not implement the commands of `{full_name}`");
    let note = format!("write `impl {module}::Crdt for {{Self}}` with one function per rpc");
    let one_request = streamed_in(service).next().map(|_| quote!(+ one_request::Crdt));
    let handlers = commands(service).map(handler);
    quote! {
        #docs
        #[diagnostic::on_unimplemented(
            message = #message,
            label = "this entity needs its command handlers",
            note = #note
        )]
        pub trait Crdt:
            ::cloudstate_sdk::Entity<Service = Service> + ::cloudstate_sdk::crdt::CrdtEntity #one_request
        {
            #(#handlers)*
        }
    }
}

fn handler(method: &Method) -> TokenStream {
    let docs = handler_trait::handler_docs(method);
    let deprecated = deprecated(method);
    let function = identifier(&method.function);
    let (input, output) = (rust_type(&method.input), rust_type(&method.output));
    let reply = if method.is_server_streaming { quote!(StreamReply) } else { quote!(Reply) };
    quote! {
        #docs
        #deprecated
        fn #function(
            &mut self,
            command: #input,
            context: &::cloudstate_sdk::Context,
        ) -> ::cloudstate_sdk::#reply<Self, #output, Self::Error>;
    }
}

fn dispatcher(service: &Service) -> TokenStream {
    let dispatcher = identifier(DISPATCHER);
    let arms = commands(service).map(|method| {
        let name = &method.name;
        let function = identifier(&method.function);
        let call = identifier(if method.is_server_streaming { "call_crdt_streamed" } else { "call_crdt" });
        // Named by its trait: an rpc may have the name of a function of another trait of the entity.
        quote! {
            #name => ::cloudstate_sdk::macro_support::#call(payload, |command| {
                Crdt::#function(entity, command, context)
            })
        }
    });
    quote! {
        /// Calls the handler of the command `name`.
        #[doc(hidden)]
        pub fn #dispatcher<E: Crdt>(
            entity: &mut E,
            name: &str,
            payload: &::cloudstate_sdk::Any,
            context: &::cloudstate_sdk::Context,
        ) -> ::core::result::Result<
            ::cloudstate_sdk::macro_support::RawReply<E>,
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

/// A bound that nothing meets, for a service with streamed requests: its message tells more than a missing trait would.
fn one_request(service: &Service) -> Option<TokenStream> {
    let first = streamed_in(service).next()?;
    let message = format!(
        "`{{Self}}` cannot be a CRDT entity: its commands come one at a time, and the rpc `{}` of `{}` has a stream of \
         requests",
        first.name, service.full_name
    );
    let names: Vec<_> = streamed_in(service).map(|method| format!("`{}`", method.name)).collect();
    let note = format!("streamed: {}; move them to a service of their own, for an action", names.join(", "));
    Some(quote! {
        mod one_request {
            #[diagnostic::on_unimplemented(message = #message, label = "has streamed requests", note = #note)]
            pub trait Crdt {}
        }
    })
}

fn commands(service: &Service) -> impl Iterator<Item = &Method> {
    service.methods.iter().filter(|method| !method.is_client_streaming)
}

fn streamed_in(service: &Service) -> impl Iterator<Item = &Method> {
    service.methods.iter().filter(|method| method.is_client_streaming)
}
