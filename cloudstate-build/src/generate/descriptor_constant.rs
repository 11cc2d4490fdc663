//! The marker type that carries a service's name and the descriptors of its contract.

use proc_macro2::TokenStream;
use quote::quote;

use super::{doc_line, rust_type};
use crate::{include_file, service_model::Service};

pub(super) fn generate(service: &Service) -> TokenStream {
    let Service { full_name, depth, .. } = service;
    let docs = doc_line(&format!("The gRPC service `{full_name}`."));
    let descriptors = rust_type(&format!("{}{}", "super::".repeat(*depth), include_file::DESCRIPTORS));
    quote! {
        #docs
        #[derive(Clone, Copy, Debug)]
        pub struct Service;

        impl ::cloudstate_sdk::Service for Service {
            const NAME: &'static str = #full_name;
            const DESCRIPTORS: &'static [u8] = #descriptors;
        }
    }
}
