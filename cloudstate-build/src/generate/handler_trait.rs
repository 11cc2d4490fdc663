//! The trait with one function per rpc.

use proc_macro2::TokenStream;
use quote::quote;

use super::entity_kind::{EntityKind, UNARY};
use super::{deprecated, doc_line, docs, identifier, rust_type};
use crate::service_model::{Method, Service};

pub(super) fn generate(service: &Service, kind: &EntityKind) -> TokenStream {
    let Service { full_name, module, .. } = service;
    let EntityKind { title, handler_trait, .. } = kind;
    let docs = doc_line(&format!("The commands of `{full_name}`, for {title} entity."));
    let message = format!("`{{Self}}` does not implement the commands of `{full_name}`");
    let note = format!("write `impl {module}::{handler_trait} for {{Self}}` with one function per rpc");
    let name = identifier(handler_trait);
    let entity_trait = rust_type(&format!("::cloudstate_sdk::{}", kind.entity_trait));
    let unary_only = streamed(service).next().map(|_| quote!(+ unary_only::#name));
    let handlers = service.methods.iter().filter(|method| method.is_unary()).map(handler);
    quote! {
        #docs
        #[diagnostic::on_unimplemented(
            message = #message,
            label = "this entity needs its command handlers",
            note = #note
        )]
        pub trait #name: ::cloudstate_sdk::Entity<Service = Service> + #entity_trait #unary_only {
            #(#handlers)*
        }
    }
}

fn handler(method: &Method) -> TokenStream {
    let docs = handler_docs(method);
    let deprecated = deprecated(method);
    let function = identifier(&method.function);
    let input = rust_type(&method.input);
    let output = rust_type(&method.output);
    quote! {
        #docs
        #deprecated
        fn #function(
            &self,
            command: #input,
            context: &::cloudstate_sdk::Context,
        ) -> ::cloudstate_sdk::Reply<Self, #output, Self::Error>;
    }
}

/// What the contract says about an rpc.
pub(super) fn handler_docs(method: &Method) -> TokenStream {
    let docs = docs(&method.docs, &format!("Handles the command `{}`.", method.name));
    let facts = facts(method);
    quote!(#docs #facts)
}

/// What the options of the contract say, for the reader of the trait.
fn facts(method: &Method) -> TokenStream {
    let mut lines = Vec::new();
    if !method.entity_key.is_empty() {
        let fields: Vec<_> = method.entity_key.iter().map(|field| format!("`{field}`")).collect();
        lines.push(format!("Entity key: {}.", fields.join(", ")));
    }
    if !method.http_routes.is_empty() {
        let routes = method.http_routes.iter().map(|route| format!("`{} {}`", route.verb, route.path));
        lines.push(format!("HTTP: {}.", routes.collect::<Vec<_>>().join(", ")));
    }
    lines.iter().flat_map(|line| [doc_line(""), doc_line(line)]).collect()
}

/// Bounds that nothing meets, for a service with streamed rpcs: their messages tell more than missing traits would.
pub(super) fn unary_only(service: &Service) -> Option<TokenStream> {
    let first = streamed(service).next()?;
    let names: Vec<_> = streamed(service).map(|method| format!("`{}`", method.name)).collect();
    let note = format!("streamed: {}; move them to a service of their own, for an action", names.join(", "));
    let bounds = UNARY.iter().map(|kind| {
        let name = identifier(kind.handler_trait);
        let message = format!(
            "`{{Self}}` cannot be {} entity: they are unary only, and the rpc `{}` of `{}` is streamed",
            kind.title, first.name, service.full_name
        );
        quote! {
            #[diagnostic::on_unimplemented(message = #message, label = "has streamed rpcs", note = #note)]
            pub trait #name {}
        }
    });
    Some(quote! {
        mod unary_only {
            #(#bounds)*
        }
    })
}

fn streamed(service: &Service) -> impl Iterator<Item = &Method> {
    service.methods.iter().filter(|method| !method.is_unary())
}
