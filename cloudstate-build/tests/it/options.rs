//! The options of the builder.

use cloudstate_build::{Builder, configure};

use crate::support::Contract;

const SHOP: &str = r#"
package shop;
message Money { int64 cents = 1; }
message Item {
    bytes picture = 1;
    map<string, int32> sizes = 2;
    Money price = 3;
    // Comment.
    string name = 4;
    oneof kind { bool toy = 5; }
}
enum Size { SIZE_UNKNOWN = 0; }
service Prices {
    rpc Get(Item) returns (Money);
}
"#;

#[track_caller]
fn shop(builder: Builder) -> String {
    let output = Contract::proto3(SHOP).compile_with(builder, &["proto/shop.proto"], &["proto"]).unwrap();
    output.text("shop.proto.rs").to_owned()
}

/// Each option, and what it adds to or takes from the code.
#[test]
fn options_change_the_code() {
    type Change = fn(Builder) -> Builder;
    let cases: &[(&str, Change, &str)] = &[
        (
            "type_attribute",
            |b| b.type_attribute("shop.Money", "#[derive(PartialOrd)]"),
            "#[derive(PartialOrd)]",
        ),
        (
            "message_attribute",
            |b| b.message_attribute("Item", "#[derive(PartialOrd)]"),
            "#[derive(PartialOrd)]",
        ),
        ("enum_attribute", |b| b.enum_attribute("Size", "#[derive(Default2)]"), "#[derive(Default2)]"),
        ("field_attribute", |b| b.field_attribute("Item.name", "#[secret]"), "#[secret]"),
        ("btree_map", |b| b.btree_map(["."]), "::cloudstate_sdk::prost::alloc::collections::BTreeMap<"),
        ("bytes", |b| b.bytes([".shop.Item"]), "picture: ::cloudstate_sdk::prost::bytes::Bytes"),
        ("boxed", |b| b.boxed("Item.price"), "::prost::alloc::boxed::Box<Money>"),
        (
            "extern_path",
            |b| b.extern_path(".shop.Money", "::money::Money"),
            "::cloudstate_sdk::ServiceCall<::money::Money>",
        ),
        (
            "extern_path",
            |b| b.extern_path(".shop.Money", "crate::Money"),
            "::cloudstate_sdk::ServiceCall<crate::Money>",
        ),
        ("skip_debug", |b| b.skip_debug(["."]), "#[prost(skip_debug)]"),
    ];
    let plain = shop(configure());
    for (name, change, expected) in cases {
        assert!(!plain.contains(expected), "{name}: {expected} without the option:\n{plain}");
        let changed = shop(change(configure()));
        assert!(changed.contains(expected), "{name}: no {expected} in\n{changed}");
    }
}

#[test]
fn comments_can_be_left_out() {
    assert!(shop(configure()).contains("/// Comment."));
    assert!(!shop(configure().disable_comments(["."])).contains("/// Comment."));
}

#[test]
fn messages_have_their_type_urls() {
    assert!(shop(configure()).contains(r#""type.googleapis.com/shop.Money".into()"#));
}

#[test]
fn no_rust_is_made_for_option_files() {
    let contract = Contract::proto3(
        "package shop;\nimport \"cloudstate/eventing.proto\";\nimport \"google/api/annotations.proto\";\nmessage A {}",
    );
    assert_eq!(
        contract.compile().unwrap().files(),
        ["cloudstate.descriptors", "cloudstate.rs", "shop.proto.rs"]
    );
}

#[test]
fn a_package_may_be_called_cloudstate() {
    let contract = Contract::proto3("package cloudstate;\nmessage A {}");
    let output = contract.compile().unwrap();
    assert!(output.text("cloudstate.rs").contains("pub mod cloudstate {"));
    assert!(output.text("cloudstate.proto.rs").contains("pub struct A"));
}
