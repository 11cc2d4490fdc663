//! From the service model to Rust: one file here for each part of a service's module.

use cloudstate_proto::descriptor::FileDescriptorSet;
use proc_macro2::{Ident, TokenStream};
use prost::Message;
use prost_build::ServiceGenerator;
use quote::{format_ident, quote};

use crate::{
    error::Error,
    service_model::{CustomOptions, Method, Service},
};

mod action;
mod call_constructors;
mod crdt;
mod descriptor_constant;
mod dispatcher;
mod entity_kind;
mod handler_trait;

use entity_kind::{EVENT_SOURCED, UNARY, VALUE};

/// Functions in a service's module that no rpc may take the name of.
pub(crate) const RESERVED_FUNCTIONS: &[&str] =
    &[EVENT_SOURCED.dispatcher, VALUE.dispatcher, crdt::DISPATCHER, action::DISPATCHER];

/// Gives each service a module beside the messages of its package.
pub(crate) struct ServiceModules {
    options: CustomOptions,
}

impl ServiceModules {
    /// `descriptors` are the encoded file descriptors of the contract.
    pub(crate) fn new(descriptors: &[u8]) -> Result<Self, Error> {
        Ok(Self { options: CustomOptions::read(FileDescriptorSet::decode(descriptors)?) })
    }
}

impl ServiceGenerator for ServiceModules {
    fn generate(&mut self, service: prost_build::Service, out: &mut String) {
        let service = Service::new(&service, &self.options);
        out.push_str(&service_module(&service).to_string());
    }
}

fn service_module(service: &Service) -> TokenStream {
    let docs = docs(&service.docs, &format!("The gRPC service `{}`.", service.full_name));
    let module = identifier(&service.module);
    let descriptor_constant = descriptor_constant::generate(service);
    let unary_only = handler_trait::unary_only(service);
    let unary_kinds = UNARY.iter().map(|kind| {
        let (handler_trait, dispatcher) =
            (handler_trait::generate(service, kind), dispatcher::generate(service, kind));
        quote!(#handler_trait #dispatcher)
    });
    let crdt = crdt::generate(service);
    let action = action::generate(service);
    let call_constructors = call_constructors::generate(service);
    quote! {
        #docs
        pub mod #module {
            #descriptor_constant
            #(#unary_kinds)*
            #unary_only
            #crdt
            #action
            #call_constructors
        }
    }
}

/// The comments of the contract, or the default where it has none.
fn docs(comments: &str, default: &str) -> TokenStream {
    match comments.parse::<TokenStream>() {
        Ok(docs) if !docs.is_empty() => docs,
        _ => doc_line(default),
    }
}

fn doc_line(line: &str) -> TokenStream {
    let line = format!(" {line}");
    quote!(#[doc = #line])
}

fn deprecated(method: &Method) -> Option<TokenStream> {
    method.is_deprecated.then(|| quote!(#[deprecated]))
}

/// `name` may be a raw identifier.
fn identifier(name: &str) -> Ident {
    format_ident!("{name}")
}

/// A path that prost, or the user in an option, wrote.
fn rust_type(path: &str) -> TokenStream {
    // What is no Rust at all is left for rustc to report, with this text in it.
    path.parse().unwrap_or_else(|_| quote!(compile_error!(#path)))
}
