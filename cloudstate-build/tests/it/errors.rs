//! What a person reads when a contract is wrong.

use std::io;

use insta::assert_snapshot;

use crate::support::Contract;

#[test]
fn syntax_error() {
    assert_snapshot!(Contract::proto3("message Cart {\n  string id 1;\n}").error(), @r#"
    proto/shop.proto:3:13: expected '=', but found '1'
      |
    3 |   string id 1;
      |             ^ found here
    "#);
}

#[test]
fn unknown_type() {
    assert_snapshot!(Contract::proto3("message Cart {\n  repeated Itme items = 1;\n}").error(), @r#"
    proto/shop.proto:3:12: name 'Itme' is not defined
      |
    3 |   repeated Itme items = 1;
      |            ^^^^ found here
    "#);
}

#[test]
fn name_defined_twice() {
    assert_snapshot!(Contract::proto3("message Cart {}\nmessage Cart {}").error(), @r#"
    proto/shop.proto:2:9: name 'Cart' is defined twice
      |
    2 | message Cart {}
      |         ^^^^ first defined here
    3 | message Cart {}
      |         ^^^^ defined again here
    "#);
}

#[test]
fn two_errors_in_one_file() {
    let contract = Contract::proto3("message Cart {\n  Foo foo = 1;\n  Bar bar = 2;\n}");
    assert_snapshot!(contract.error(), @r#"
    proto/shop.proto:3:3: name 'Foo' is not defined
      |
    3 |   Foo foo = 1;
      |   ^^^ found here

    proto/shop.proto:4:3: name 'Bar' is not defined
      |
    4 |   Bar bar = 2;
      |   ^^^ found here
    "#);
}

#[test]
fn end_of_file() {
    assert_snapshot!(Contract::proto3("message Cart {").error(), @"proto/shop.proto:2: expected a message field, oneof, reserved range, enum, message, option or '}', but reached end of file");
}

#[test]
fn error_in_an_imported_file() {
    let contract = Contract::new(&[
        ("proto/shop.proto", "syntax = \"proto3\";\nimport \"shop/cart.proto\";"),
        ("proto/shop/cart.proto", "syntax = \"proto3\";\nmessage Cart { int23 a = 1; }"),
    ]);
    assert_snapshot!(contract.error(), @r#"
    proto/shop/cart.proto:2:16: name 'int23' is not defined
      |
    2 | message Cart { int23 a = 1; }
      |                ^^^^^ found here
    "#);
}

#[test]
fn missing_import() {
    assert_snapshot!(Contract::proto3("import \"cart.proto\";").error(), @r#"
    proto/shop.proto:2:1: import 'cart.proto' not found
      |
    2 | import "cart.proto";
      | ^^^^^^^^^^^^^^^^^^^^ imported here
    looked in proto, and among the bundled cloudstate/*.proto, google/api/*.proto and google/protobuf/*.proto
    "#);
}

#[test]
fn import_cycle() {
    let contract = Contract::new(&[
        ("proto/shop.proto", "syntax = \"proto3\";\nimport \"cart.proto\";"),
        ("proto/cart.proto", "syntax = \"proto3\";\nimport \"shop.proto\";"),
    ]);
    assert_snapshot!(contract.error(), @"proto/shop.proto: import cycle detected: shop.proto -> cart.proto -> shop.proto");
}

#[test]
fn wrong_option() {
    let contract = Contract::proto3(
        "import \"cloudstate/entity_key.proto\";\nmessage Get { string id = 1 [(cloudstate.entity_kye) = true]; }",
    );
    assert_snapshot!(contract.error(), @r#"
    proto/shop.proto:3:30: 'cloudstate.entity_kye' resolves to 'cloudstate.entity_kye', which is not defined
      |
    3 | message Get { string id = 1 [(cloudstate.entity_kye) = true]; }
      |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found here
      = The innermost scope is searched first in name resolution. Consider using a leading '.' (i.e., '.cloudstate.entity_kye') to start from the outermost scope.
    "#);
}

#[test]
fn edition() {
    let contract = Contract::new(&[("proto/shop.proto", "// Shop.\nedition = \"2023\";\nmessage Cart {}")]);
    assert_snapshot!(contract.error(), @r#"
    proto/shop.proto:2:1: protobuf editions are not supported; start the file with `syntax = "proto3";`
      |
    2 | edition = "2023";
      | ^^^^^^^ found here
    "#);
}

#[test]
fn not_utf8() {
    let contract = Contract::new(&[]);
    std::fs::create_dir(contract.path().join("proto")).unwrap();
    std::fs::write(contract.path().join("proto/shop.proto"), b"syntax = \"proto3\"; // \xff").unwrap();
    assert_snapshot!(contract.error(), @"proto/shop.proto: file 'shop.proto' is not valid utf-8");
}

#[test]
fn missing_file() {
    let contract = Contract::new(&[("proto/cart.proto", "syntax = \"proto3\";")]);
    let error = contract.compile().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_snapshot!(contract.relative(&error), @"the .proto file `proto/shop.proto` does not exist (looked for `proto/shop.proto`)");
}

#[test]
fn missing_include() {
    let contract = Contract::new(&[("protos/shop.proto", "syntax = \"proto3\";")]);
    let error = contract.compile().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_snapshot!(contract.relative(&error), @"the include folder `proto` does not exist (looked for proto)");
}

#[test]
fn file_outside_of_the_includes() {
    let contract = Contract::new(&[("shop.proto", "syntax = \"proto3\";"), ("proto/a.proto", "")]);
    let error =
        contract.compile_with(cloudstate_build::configure(), &["shop.proto"], &["proto"]).unwrap_err();
    assert_snapshot!(contract.relative(&error), @"the .proto file `shop.proto` is below none of the include folders (`proto`); add the folder from which others would import it");
}

#[test]
fn nothing_to_compile() {
    let contract = Contract::new(&[]);
    let error = contract.compile_with(cloudstate_build::configure(), &[], &[]).unwrap_err();
    assert_snapshot!(error, @"no .proto file was given");
}

#[test]
fn no_out_dir() {
    // Tests run without it, unlike build scripts.
    let error = cloudstate_build::compile_protos(&["shop.proto"], &["proto"]).unwrap_err();
    assert_snapshot!(error, @"`OUT_DIR` is not set: call this from a build script, or choose a folder with `out_dir`");
}

#[test]
fn output_folder_that_does_not_exist() {
    let contract = Contract::proto3("package shop;\nmessage Cart {}");
    let out_dir = contract.path().join("nowhere");
    let builder = cloudstate_build::configure().out_dir(&out_dir);
    let error =
        builder.compile_protos(&[contract.path().join("proto/shop.proto")], &[contract.path().join("proto")]);
    assert_snapshot!(contract.relative(&error.unwrap_err()), @"cannot write `nowhere/shop.proto.rs`: No such file or directory (os error 2)");
}

#[test]
fn extern_path_without_leading_dot() {
    let contract = Contract::proto3("message Cart {}");
    let builder = cloudstate_build::configure().extern_path("com.example", "::example");
    let error = contract.compile_with(builder, &["proto/shop.proto"], &["proto"]).unwrap_err();
    assert_snapshot!(error, @"code generation option: Protobuf paths must be fully qualified (begin with a leading '.'): com.example");
}

#[test]
fn attribute_that_is_none() {
    let contract = Contract::proto3("package shop;\nmessage Cart {}");
    let builder = cloudstate_build::configure().type_attribute(".", "derive(Clone)");
    let error = contract.compile_with(builder, &["proto/shop.proto"], &["proto"]).unwrap_err();
    assert_snapshot!(error, @"`derive(Clone)` is no attribute; write it as `#[…]`");
}

#[test]
fn rpcs_that_become_one_function() {
    let contract = Contract::proto3(
        "package shop;\nmessage A {}\nservice Cart {\n  rpc GetCart(A) returns (A);\n  rpc get_cart(A) returns (A);\n}",
    );
    assert_snapshot!(contract.error(), @"proto/shop.proto:6:3: rpc `GetCart` and rpc `get_cart` would both become the Rust function `shop::cart::get_cart`; rename one of them");
}

#[test]
fn rpc_with_a_reserved_name() {
    let contract =
        Contract::proto3("message A {}\nservice Cart {\n  rpc DispatchEventSourced(A) returns (A);\n}");
    assert_snapshot!(contract.error(), @"proto/shop.proto:4:3: the generated function and rpc `DispatchEventSourced` would both become the Rust function `cart::dispatch_event_sourced`; rename one of them");
}

#[test]
fn service_and_package_that_become_one_module() {
    let contract = Contract::new(&[
        (
            "proto/shop.proto",
            "syntax = \"proto3\";\npackage shop;\nimport \"cart.proto\";\nmessage A {}\nservice Cart {}",
        ),
        ("proto/cart.proto", "syntax = \"proto3\";\npackage shop.cart;\nmessage B {}"),
    ]);
    assert_snapshot!(contract.error(), @"proto/shop.proto:5:1: package `shop.cart` and service `shop.Cart` would both become the Rust module `shop::cart`; rename one of them");
}

#[test]
fn service_and_nested_messages_that_become_one_module() {
    let contract =
        Contract::proto3("package shop;\nmessage ShoppingCart { message Line {} }\nservice shopping_cart {}");
    assert_snapshot!(contract.error(), @"proto/shop.proto:3:1: service `shop.shopping_cart` and what is nested in message `shop.ShoppingCart` would both become the Rust module `shop::shopping_cart`; rename one of them");
}

#[test]
fn services_that_become_one_module() {
    assert_snapshot!(Contract::proto3("service GetCart {}\nservice getCart {}").error(), @"proto/shop.proto:3:1: service `GetCart` and service `getCart` would both become the Rust module `get_cart`; rename one of them");
}

#[test]
fn rpc_with_a_message_that_has_no_name_in_rust() {
    let contract = Contract::proto3(
        "import \"google/protobuf/struct.proto\";\nservice A {\n  rpc Get(google.protobuf.Struct) returns (google.protobuf.Value);\n}",
    );
    assert_snapshot!(contract.error(), @"proto/shop.proto:4:3: the rpc `Get` uses `google.protobuf.Struct`, which cannot be a command or a reply by itself; put it into a message of your own");
}

/// Cargo shows the `Debug` form of what `main` of a build script returns.
#[test]
fn debug_form_is_readable() {
    let error = Contract::proto3("message Cart {\n  string id 1;\n}").compile().unwrap_err();
    let debug = format!("{error:?}");
    assert!(debug.contains(&format!("\n{error}\n")), "{debug}");
}
