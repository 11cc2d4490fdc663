//! The trait with one function per rpc.

use proc_macro2::TokenStream;
use quote::quote;

use super::{deprecated, doc_line, docs, entity_kind::EntityKind, identifier, rust_type};
use crate::service_model::{Method, Service};

pub(super) fn generate(service: &Service, kind: &EntityKind) -> TokenStream {
    let Service { full_name, module, .. } = service;
    let EntityKind { title, handler_trait, .. } = kind;
    let docs = doc_line(&format!("The commands of `{full_name}`, for an {title} entity."));
    let message = format!("`{{Self}}` does not implement the commands of `{full_name}`");
    let note = format!("write `impl {module}::{handler_trait} for {{Self}}` with one function per rpc");
    let name = identifier(handler_trait);
    let entity_trait = rust_type(&format!("::cloudstate_sdk::{}", kind.entity_trait));
    let unary_only = unary_only(service, kind);
    let unary_only_bound = unary_only.as_ref().map(|_| quote!(+ unary_only::UnaryOnly));
    let handlers = service.methods.iter().filter(|method| method.is_unary()).map(handler);
    quote! {
        #docs
        #[diagnostic::on_unimplemented(
            message = #message,
            label = "this entity needs its command handlers",
            note = #note
        )]
        pub trait #name: ::cloudstate_sdk::Entity<Service = Service> + #entity_trait #unary_only_bound {
            #(#handlers)*
        }
        #unary_only
    }
}

fn handler(method: &Method) -> TokenStream {
    let docs = docs(&method.docs, &format!("Handles the command `{}`.", method.name));
    let facts = facts(method);
    let deprecated = deprecated(method);
    let function = identifier(&method.function);
    let input = rust_type(&method.input);
    let output = rust_type(&method.output);
    quote! {
        #docs
        #facts
        #deprecated
        fn #function(
            &self,
            command: #input,
            context: &::cloudstate_sdk::Context,
        ) -> ::cloudstate_sdk::Reply<Self, #output, Self::Error>;
    }
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

/// A bound that nothing meets, for a service with streamed rpcs: its message tells more than a missing trait would.
fn unary_only(service: &Service, kind: &EntityKind) -> Option<TokenStream> {
    let streamed: Vec<_> = service.methods.iter().filter(|method| !method.is_unary()).collect();
    let first = streamed.first()?;
    let message = format!(
        "`{{Self}}` cannot be an {} entity: they are unary only, and the rpc `{}` of `{}` is streamed",
        kind.title, first.name, service.full_name
    );
    let names: Vec<_> = streamed.iter().map(|method| format!("`{}`", method.name)).collect();
    let note = format!("streamed: {}; move them to a service of their own, for an action", names.join(", "));
    Some(quote! {
        mod unary_only {
            #[diagnostic::on_unimplemented(message = #message, label = "has streamed rpcs", note = #note)]
            pub trait UnaryOnly {}
        }
    })
}
