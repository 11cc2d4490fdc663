//! User functions' contracts, compiled as their build tools would.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use cloudstate_proto::{Entity, EntitySpec, ServiceInfo, entity_type, sources};
use cloudstate_proxy::service_catalog::ServiceCatalog;
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};

/// The shopping cart of the protocol.
pub(crate) const SHOPPING_CART: &str = r#"
    syntax = "proto3";
    package com.example.shoppingcart;
    import "google/protobuf/empty.proto";
    import "cloudstate/entity_key.proto";
    import "google/api/annotations.proto";

    service ShoppingCart {
      rpc AddItem(AddLineItem) returns (google.protobuf.Empty) {
        option (google.api.http) = { post: "/cart/{user_id}/items/add" body: "*" };
      }
      rpc RemoveItem(RemoveLineItem) returns (google.protobuf.Empty) {
        option (google.api.http) = { post: "/cart/{user_id}/items/{product_id}/remove" };
      }
      rpc GetCart(GetShoppingCart) returns (Cart) {
        option (google.api.http) = {
          get: "/carts/{user_id}"
          additional_bindings { get: "/carts/{user_id}/items" response_body: "items" }
        };
      }
    }
    message AddLineItem {
      string user_id = 1 [(.cloudstate.entity_key) = true];
      string product_id = 2;
      string name = 3;
      int32 quantity = 4;
    }
    message RemoveLineItem {
      string user_id = 1 [(.cloudstate.entity_key) = true];
      string product_id = 2;
    }
    message GetShoppingCart { string user_id = 1 [(.cloudstate.entity_key) = true]; }
    message LineItem { string product_id = 1; string name = 2; int32 quantity = 3; }
    message Cart { repeated LineItem items = 1; }
"#;

/// A message with a field of every kind, in the ways a rule can carry it.
pub(crate) const SHAPES: &str = r#"
    syntax = "proto3";
    package test;
    import "cloudstate/entity_key.proto";
    import "google/api/annotations.proto";
    import "google/api/httpbody.proto";
    import "google/protobuf/any.proto";
    import "google/protobuf/duration.proto";
    import "google/protobuf/empty.proto";
    import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";

    service Shapes {
      rpc Draw(Shape) returns (Shape) {
        option (google.api.http) = {
          post: "/whole/{id}" body: "*"
          additional_bindings { get: "/query/{id}" }
          additional_bindings { put: "/center/{id}" body: "center" }
          additional_bindings { get: "/at/{center.x}/{center.label}/{id}" }
          additional_bindings { get: "/numbers/{i64}/{u32}/{flag}/{ratio}/{data}/{id}" }
          additional_bindings { delete: "/files/{id=home/**}" }
          additional_bindings { patch: "/shapes/{id}:move" body: "*" }
          additional_bindings { custom { kind: "*" path: "/any/{id}" } }
          additional_bindings { get: "/points/{id}" response_body: "points" }
          additional_bindings { get: "/only-center/{id}" response_body: "center" }
          additional_bindings { get: "/only-u64/{id}" response_body: "u64" }
        };
      }
      rpc Download(Id) returns (google.api.HttpBody) {
        option (google.api.http) = { get: "/download/{id}" };
      }
      rpc Default(Id) returns (google.protobuf.Empty);
    }
    message Id { string id = 1 [(.cloudstate.entity_key) = true]; }
    message Point { sint32 x = 1; sint32 y = 2; string label = 3; Point next = 4; }
    enum Color { COLOR_UNSPECIFIED = 0; RED = 1; BLUE = 5; }
    message Shape {
      string id = 1 [(.cloudstate.entity_key) = true];
      bool flag = 2;
      int32 i32 = 3;
      int64 i64 = 4;
      uint32 u32 = 5;
      uint64 u64 = 6;
      float ratio = 7;
      double exact_ratio = 8;
      bytes data = 9;
      Color fill_color = 10;
      Point center = 11;
      repeated Point points = 12;
      repeated string tags = 13;
      repeated int32 marks = 14;
      map<string, int64> counts = 15;
      oneof kind { Point dot = 16; string text_form = 17; }
      optional string note = 18;
      google.protobuf.Timestamp at = 20;
      google.protobuf.Duration lasts = 21;
      google.protobuf.FieldMask mask = 22;
      google.protobuf.StringValue maybe_text = 23;
      google.protobuf.Int64Value maybe_count = 24;
      google.protobuf.BoolValue maybe_flag = 25;
      google.protobuf.DoubleValue maybe_ratio = 26;
      google.protobuf.Struct structure = 27;
      google.protobuf.Value value = 28;
      google.protobuf.ListValue list = 29;
      google.protobuf.Any any = 30;
      google.protobuf.Empty nothing = 31;
      repeated Color colors = 32;
      string legacyName = 33;
      map<bool, Point> corners = 34;
    }
"#;

/// [`SHAPES`], compiled once for all tests.
pub(crate) static SHAPES_SET: LazyLock<Vec<u8>> = LazyLock::new(|| compile("shapes.proto", SHAPES));

/// Compiles one file and what it imports to an encoded descriptor set.
pub(crate) fn compile(name: &str, source: &str) -> Vec<u8> {
    compiler(name, source).encode_file_descriptor_set()
}

/// [`compile`], with the comments.
pub(crate) fn compile_with_comments(name: &str, source: &str) -> Vec<u8> {
    compiler(name, source).include_source_info(true).encode_file_descriptor_set()
}

fn compiler(name: &str, source: &str) -> Compiler {
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory(HashMap::from([(name.to_owned(), source.to_owned())])));
    let bundled = [sources::FRONTEND, sources::TCK].concat();
    resolver.add(InMemory(bundled.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file(name).unwrap();
    compiler
}

/// Compiles a file of the conformance suite's models.
pub(crate) fn compile_model(name: &str) -> Vec<u8> {
    let (_, source) = sources::TCK.iter().find(|(model, _)| *model == name).unwrap();
    compile(name, source)
}

/// What discovery makes of a contract whose services are all event sourced.
pub(crate) fn catalog(descriptor_set: Vec<u8>, services: &[&str]) -> Arc<ServiceCatalog> {
    catalog_of(entity_type::EVENT_SOURCED, descriptor_set, services)
}

/// What discovery makes of a contract whose services are all actions.
pub(crate) fn actions(descriptor_set: Vec<u8>, services: &[&str]) -> Arc<ServiceCatalog> {
    catalog_of(entity_type::ACTION, descriptor_set, services)
}

fn catalog_of(entity_type: &str, descriptor_set: Vec<u8>, services: &[&str]) -> Arc<ServiceCatalog> {
    let entities = services.iter().map(|service| Entity {
        entity_type: entity_type.to_owned(),
        service_name: service.to_string(),
        persistence_id: service.to_string(),
        ..Entity::default()
    });
    let spec = EntitySpec {
        proto: descriptor_set.into(),
        entities: entities.collect(),
        service_info: Some(ServiceInfo {
            protocol_major_version: 0,
            protocol_minor_version: 2,
            ..ServiceInfo::default()
        }),
    };
    Arc::new(ServiceCatalog::new(spec, false).unwrap())
}

struct InMemory(HashMap<String, String>);

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(source) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
