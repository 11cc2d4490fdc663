//! A service as plain data: all that generated code says about it.

use std::collections::BTreeMap;

use cloudstate_proto::{
    descriptor::{DescriptorProto, FileDescriptorSet, MethodDescriptorProto},
    google::api::{HttpRule, http_rule::Pattern},
};
use prost_build::{Comments, Module};

use crate::name_clashes::snake_case;

/// A gRPC service.
#[derive(Debug, PartialEq)]
pub(crate) struct Service {
    /// With the package: `com.example.shoppingcart.ShoppingCart`.
    pub(crate) full_name: String,
    /// The Rust module made for it: `shopping_cart`.
    pub(crate) module: String,
    /// How many modules deep that module is.
    pub(crate) depth: usize,
    /// Doc comments as Rust source.
    pub(crate) docs: String,
    /// In the order of declaration.
    pub(crate) methods: Vec<Method>,
}

/// An rpc.
#[derive(Debug, PartialEq)]
pub(crate) struct Method {
    /// As the protocol knows it: `AddItem`.
    pub(crate) name: String,
    /// The Rust function: `add_item`.
    pub(crate) function: String,
    /// Doc comments as Rust source.
    pub(crate) docs: String,
    /// The Rust type of the command, as the service's module sees it.
    pub(crate) input: String,
    /// The Rust type of the reply, as the service's module sees it.
    pub(crate) output: String,
    pub(crate) is_client_streaming: bool,
    pub(crate) is_server_streaming: bool,
    pub(crate) is_deprecated: bool,
    /// Whether `cloudstate.eventing` brings events to it.
    pub(crate) is_subscribed: bool,
    /// The fields of the input that are the entity key.
    pub(crate) entity_key: Vec<String>,
    /// Where `google.api.http` puts it.
    pub(crate) http_routes: Vec<HttpRoute>,
}

/// A verb and a path template.
#[derive(Debug, PartialEq)]
pub(crate) struct HttpRoute {
    pub(crate) verb: String,
    pub(crate) path: String,
}

impl Service {
    /// `service` knows the Rust types, `options` what stands in custom options.
    pub(crate) fn new(service: &prost_build::Service, options: &CustomOptions) -> Self {
        let full_name = qualified(&service.package, &service.proto_name);
        let methods = service.methods.iter().map(|method| {
            let descriptor = options.methods.get(&format!("{full_name}.{}", method.proto_name));
            Method::new(method, descriptor, options)
        });
        Self {
            module: snake_case(&service.proto_name),
            depth: Module::from_protobuf_package_name(&service.package).len().max(1) + 1,
            docs: docs(&service.comments),
            methods: methods.collect(),
            full_name,
        }
    }
}

impl Method {
    fn new(
        method: &prost_build::Method,
        descriptor: Option<&MethodDescriptorProto>,
        options: &CustomOptions,
    ) -> Self {
        let input =
            descriptor.and_then(|method| options.messages.get(method.input_type.trim_start_matches('.')));
        let eventing = descriptor.and_then(|method| method.options.as_ref()?.eventing.as_ref());
        let http_rule = descriptor.and_then(|method| method.options.as_ref()?.http.as_ref());
        Self {
            name: method.proto_name.clone(),
            function: method.name.clone(),
            docs: docs(&method.comments),
            input: from_service_module(&method.input_type),
            output: from_service_module(&method.output_type),
            is_client_streaming: method.client_streaming,
            is_server_streaming: method.server_streaming,
            is_deprecated: method.options.deprecated(),
            is_subscribed: eventing.is_some_and(|eventing| eventing.r#in.is_some()),
            entity_key: input.map(entity_key).unwrap_or_default(),
            http_routes: http_rule.map(http_routes).unwrap_or_default(),
        }
    }

    pub(crate) fn is_unary(&self) -> bool {
        !self.is_client_streaming && !self.is_server_streaming
    }
}

/// The contract with its custom options, by full name.
#[derive(Debug, Default)]
pub(crate) struct CustomOptions {
    messages: BTreeMap<String, DescriptorProto>,
    methods: BTreeMap<String, MethodDescriptorProto>,
}

impl CustomOptions {
    pub(crate) fn read(contract: FileDescriptorSet) -> Self {
        let mut read = Self::default();
        for file in contract.file {
            for service in file.service {
                let service_name = qualified(&file.package, &service.name);
                let methods = service.method.into_iter();
                read.methods
                    .extend(methods.map(|method| (format!("{service_name}.{}", method.name), method)));
            }
            for message in file.message_type {
                read.insert_message(&file.package, message);
            }
        }
        read
    }

    fn insert_message(&mut self, parent: &str, mut message: DescriptorProto) {
        let name = qualified(parent, &message.name);
        for nested in std::mem::take(&mut message.nested_type) {
            self.insert_message(&name, nested);
        }
        self.messages.insert(name, message);
    }
}

fn entity_key(input: &DescriptorProto) -> Vec<String> {
    input.field.iter().filter(|field| field.is_entity_key()).map(|field| field.name.clone()).collect()
}

fn http_routes(rule: &HttpRule) -> Vec<HttpRoute> {
    let route = |rule: &HttpRule| {
        let (verb, path) = match rule.pattern.clone()? {
            Pattern::Get(path) => ("GET".to_owned(), path),
            Pattern::Put(path) => ("PUT".to_owned(), path),
            Pattern::Post(path) => ("POST".to_owned(), path),
            Pattern::Delete(path) => ("DELETE".to_owned(), path),
            Pattern::Patch(path) => ("PATCH".to_owned(), path),
            Pattern::Custom(custom) => (custom.kind, custom.path),
        };
        Some(HttpRoute { verb, path })
    };
    std::iter::once(rule).chain(&rule.additional_bindings).filter_map(route).collect()
}

/// prost names types as the module of the package sees them; the service's module is one deeper.
fn from_service_module(rust_type: &str) -> String {
    // What prost makes of `google.protobuf.Empty` and of the wrapper types.
    const PRIMITIVES: &[&str] = &["()", "bool", "f32", "f64", "i32", "i64", "u32", "u64"];
    let is_absolute = rust_type.starts_with("::") || rust_type.starts_with("crate::");
    if is_absolute || PRIMITIVES.contains(&rust_type) {
        rust_type.to_owned()
    } else {
        format!("super::{rust_type}")
    }
}

fn docs(comments: &Comments) -> String {
    let mut docs = String::new();
    comments.append_with_indent(0, &mut docs);
    docs
}

fn qualified(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}
