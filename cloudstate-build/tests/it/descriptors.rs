//! The descriptors that discovery sends to a proxy.

use cloudstate_build::configure;
use prost::Message;
use prost_types::FileDescriptorSet;

use crate::support::{Contract, Output};

const SHOP: &str = r#"
package shop;
import "cloudstate/entity_key.proto";
import "cloudstate/eventing.proto";
import "cloudstate/legacy_entity_key.proto";
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
// A comment.
message Add {
    string user_id = 1 [(.cloudstate.entity_key) = true];
    string old_id = 2 [(.cloudstate.legacy_entity_key) = true];
}
service Cart {
    rpc AddItem(Add) returns (google.protobuf.Empty) {
        option (google.api.http) = { post: "/cart/{user_id}", body: "*" };
        option (.cloudstate.eventing) = { in: { topic: "items" } };
    }
}
"#;

fn descriptors(output: &Output) -> &[u8] {
    output.bytes("cloudstate.descriptors")
}

#[test]
fn imports_are_included() {
    let output = Contract::proto3(SHOP).compile().unwrap();
    let set = FileDescriptorSet::decode(descriptors(&output)).unwrap();
    let mut names: Vec<_> = set.file.iter().map(|file| file.name()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "cloudstate/entity_key.proto",
            "cloudstate/eventing.proto",
            "cloudstate/legacy_entity_key.proto",
            "google/api/annotations.proto",
            "google/api/http.proto",
            "google/protobuf/descriptor.proto",
            "google/protobuf/empty.proto",
            "shop.proto",
        ]
    );
    for file in &set.file {
        for import in &file.dependency {
            assert!(names.contains(&import.as_str()), "{} imports {import}", file.name());
        }
    }
}

#[test]
fn custom_options_are_kept() {
    let output = Contract::proto3(SHOP).compile().unwrap();
    let set = cloudstate_proto::descriptor::FileDescriptorSet::decode(descriptors(&output)).unwrap();
    let shop = set.file.iter().find(|file| file.name == "shop.proto").unwrap();

    let fields = &shop.message_type[0].field;
    assert!(fields[0].options.unwrap().entity_key, "1080");
    assert!(!fields[0].options.unwrap().legacy_entity_key);
    assert!(fields[1].options.unwrap().legacy_entity_key, "50002");

    let options = shop.service[0].method[0].options.as_ref().unwrap();
    let eventing = options.eventing.as_ref().unwrap();
    assert!(eventing.r#in.is_some(), "1081");
    assert_eq!(options.http.as_ref().unwrap().body, "*", "72295728");
}

#[test]
fn comments_are_left_out() {
    let output = Contract::proto3(SHOP).compile().unwrap();
    let set = FileDescriptorSet::decode(descriptors(&output)).unwrap();
    assert!(set.file.iter().all(|file| file.source_code_info.is_none()));
    let bytes = descriptors(&output);
    assert!(!bytes.windows(9).any(|window| window == b"A comment"));
}

#[test]
fn own_copy_of_a_bundled_file_is_preferred() {
    let shop =
        "syntax = \"proto3\";\nimport \"google/api/http.proto\";\nmessage A { google.api.Newer n = 1; }";
    let http = "syntax = \"proto3\";\npackage google.api;\nmessage Newer {}";
    let contract = Contract::new(&[("proto/shop.proto", shop), ("proto/google/api/http.proto", http)]);
    let output = contract.compile_with(configure(), &["proto/shop.proto"], &["proto"]).unwrap();
    assert!(output.text("google.api.proto.rs").contains("pub struct Newer"));
}

#[test]
fn output_is_always_the_same() {
    let contract = Contract::new(&[
        ("proto/shop.proto", &format!("syntax = \"proto3\";{SHOP}")),
        ("proto/b.proto", "syntax = \"proto3\"; package b; message B { map<string, string> m = 1; }"),
        ("proto/a.proto", "syntax = \"proto3\"; package a; service S {}"),
        ("proto/ab.proto", "syntax = \"proto3\"; package a.b; service T {}"),
    ]);
    let protos = ["proto/shop.proto", "proto/b.proto", "proto/a.proto", "proto/ab.proto"];
    let first = contract.compile_with(configure(), &protos, &["proto"]).unwrap();
    for _ in 0..10 {
        assert_eq!(contract.compile_with(configure(), &protos, &["proto"]).unwrap(), first);
    }
}
