//! A function for each rpc with one request that makes a typed call of it.

use proc_macro2::TokenStream;
use quote::quote;

use super::{deprecated, doc_line, identifier, rust_type};
use crate::service_model::{Method, Service};

pub(super) fn generate(service: &Service) -> TokenStream {
    service.methods.iter().filter(|method| !method.is_client_streaming).map(call_constructor).collect()
}

fn call_constructor(method: &Method) -> TokenStream {
    let (call, purpose) = if method.is_server_streaming {
        (quote!(StreamCall), "for tests")
    } else {
        (quote!(ServiceCall), "for forwards, side effects and tests")
    };
    let docs = doc_line(&format!("Calls `{}`: {purpose}.", method.name));
    let deprecated = deprecated(method);
    let name = &method.name;
    let function = identifier(&method.function);
    let input = rust_type(&method.input);
    let output = rust_type(&method.output);
    quote! {
        #docs
        #deprecated
        pub fn #function(command: #input) -> ::cloudstate_sdk::#call<#output> {
            ::cloudstate_sdk::#call::new(<Service as ::cloudstate_sdk::Service>::NAME, #name, &command)
        }
    }
}
