//! A function for each rpc that makes a typed call of it.

use proc_macro2::TokenStream;
use quote::quote;

use super::{deprecated, doc_line, identifier, rust_type};
use crate::service_model::{Method, Service};

pub(super) fn generate(service: &Service) -> TokenStream {
    service.methods.iter().map(call_constructor).collect()
}

fn call_constructor(method: &Method) -> TokenStream {
    let (call, purpose) = match (method.is_client_streaming, method.is_server_streaming) {
        (false, false) => (quote!(ServiceCall), "for forwards, side effects and tests"),
        (false, true) => (quote!(StreamCall), "for forwards and tests"),
        (true, false) => (quote!(action::RequestsCall), "for tests"),
        (true, true) => (quote!(action::DuplexCall), "for tests"),
    };
    let docs = doc_line(&format!("Calls `{}`: {purpose}.", method.name));
    let deprecated = deprecated(method);
    let name = &method.name;
    let function = identifier(&method.function);
    let input = rust_type(&method.input);
    let output = rust_type(&method.output);
    let (argument, passed, taken) = if method.is_client_streaming {
        (quote!(commands), quote!(commands), quote!(::cloudstate_sdk::action::Requests<#input>))
    } else {
        (quote!(command), quote!(&command), input)
    };
    quote! {
        #docs
        #deprecated
        pub fn #function(#argument: #taken) -> ::cloudstate_sdk::#call<#output> {
            ::cloudstate_sdk::#call::new(<Service as ::cloudstate_sdk::Service>::NAME, #name, #passed)
        }
    }
}
