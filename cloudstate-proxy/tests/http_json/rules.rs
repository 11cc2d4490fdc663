//! Which rules are accepted, and which routes come of them.

use cloudstate_proxy::{
    frontend::http_json::{HttpJson, Route},
    service_catalog::ServiceCatalog,
};
use std::sync::Arc;

use crate::{
    contracts::{self, catalog, compile, compile_model},
    proxy::Proxy,
};

/// One service with two rpcs; the first has this rule.
fn with_rule(rule: &str) -> Arc<ServiceCatalog> {
    let source = format!(
        r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        import "google/api/annotations.proto";
        service Rules {{
          rpc Try(In) returns (Out) {{ option (google.api.http) = {{ {rule} }}; }}
        }}
        enum Color {{ NONE = 0; }}
        message Inner {{ string name = 1; Inner inner = 2; }}
        message In {{
          string id = 1 [(.cloudstate.entity_key) = true];
          int32 count = 2;
          repeated string tags = 3;
          map<string, string> labels = 4;
          Inner inner = 5;
          Color color = 6;
          repeated Inner inners = 7;
        }}
        message Out {{ string text = 1; }}
    "#
    );
    catalog(compile("rules.proto", &source), &["test.Rules"])
}

#[test]
fn rules_that_cannot_be_served_are_explained() {
    let cases = [
        ("body: '*'", "(no pattern)", "it has no pattern: one of get, put, post, delete, patch or custom"),
        ("get: ''", "get: ", "the path must start with `/`"),
        ("get: 'x/{id}'", "get: x/{id}", "the path must start with `/`"),
        ("post: '/x/{id'", "post: /x/{id", "a `{` is not closed by `}`"),
        ("put: '/x/{no}'", "put: /x/{no}", "path variable `no`: test.In has no field `no`"),
        (
            "get: '/x/{inner.no}'",
            "get: /x/{inner.no}",
            "path variable `inner.no`: test.Inner has no field `no`",
        ),
        (
            "get: '/x/{id.name}'",
            "get: /x/{id.name}",
            "path variable `id.name`: `id` is not a single message, so it has no field of its own to name after a dot",
        ),
        (
            "get: '/x/{inners.name}'",
            "get: /x/{inners.name}",
            "path variable `inners.name`: `inners` is not a single message, so it has no field of its own to name \
             after a dot",
        ),
        (
            "delete: '/x/{tags}'",
            "delete: /x/{tags}",
            "path variable `tags` is a repeated field; a path can carry numbers, bool, string and bytes",
        ),
        (
            "patch: '/x/{labels}'",
            "patch: /x/{labels}",
            "path variable `labels` is a map; a path can carry numbers, bool, string and bytes",
        ),
        (
            "get: '/x/{inner}'",
            "get: /x/{inner}",
            "path variable `inner` is a message; a path can carry numbers, bool, string and bytes",
        ),
        (
            "get: '/x/{color}'",
            "get: /x/{color}",
            "path variable `color` is an enum; a path can carry numbers, bool, string and bytes",
        ),
        ("get: '/x/{id}/{id}'", "get: /x/{id}/{id}", "path variable `id` occurs twice"),
        ("post: '/x' body: 'no'", "post: /x", "body: test.In has no field `no`"),
        (
            "post: '/x' body: 'count'",
            "post: /x",
            "body: `count` must be a single message field, or `*` for the whole message",
        ),
        (
            "post: '/x' body: 'inners'",
            "post: /x",
            "body: `inners` must be a single message field, or `*` for the whole message",
        ),
        ("get: '/x' response_body: 'no'", "get: /x", "response_body: test.Out has no field `no`"),
        (
            "custom { kind: 'FETCH' path: '/x' }",
            "custom FETCH: /x",
            "the custom kind `FETCH` is not supported, only `*` for any method",
        ),
        (
            "selector: 'test.Rules.Other' get: '/x'",
            "get: /x",
            "its selector is `test.Rules.Other`: leave it out, or make it `test.Rules.Try`",
        ),
        (
            "get: '/x' additional_bindings { get: '/y' additional_bindings { get: '/z' } }",
            "get: /y",
            "an additional binding must not have additional bindings itself",
        ),
        (
            "get: '/x' additional_bindings { get: '/{no}' }",
            "get: /{no}",
            "path variable `no`: test.In has no field `no`",
        ),
    ];
    for (rule, shown, reason) in cases {
        let error = HttpJson::new(&with_rule(rule)).err().unwrap_or_else(|| panic!("{rule} is accepted"));
        let expected =
            format!("the HTTP rule `{shown}` of rpc Try in service test.Rules is invalid: {reason}");
        assert_eq!(error.to_string(), expected, "{rule}");
    }
}

#[test]
fn unusual_rules_are_served() {
    let cases = [
        ("get: '/'", "GET /"),
        ("get: '/x' body: '*'", "GET /x"),
        ("delete: '/x' body: 'inner'", "DELETE /x"),
        ("custom { kind: '*' path: '/x/{id}' }", "* /x/{id}"),
        ("selector: 'test.Rules.Try' get: '/x'", "GET /x"),
        ("get: '/x/{inner.inner.name}'", "GET /x/{inner.inner.name}"),
        ("get: '/x/{id=a/*/b}/{count}:verb'", "GET /x/{id=a/*/b}/{count}:verb"),
    ];
    for (rule, expected) in cases {
        let http = HttpJson::new(&with_rule(rule)).unwrap();
        let routes: Vec<String> =
            http.routes().iter().map(|route| format!("{} {}", route.verb, route.template)).collect();
        assert_eq!(routes, [expected], "{rule}");
    }
}

#[test]
fn routes_are_shown_in_the_order_of_declaration_with_samples() {
    let route = |verb: &str, template: &str, rpc: &str, sample_path: &str, sample_body: Option<&str>| Route {
        verb: verb.to_owned(),
        template: template.to_owned(),
        rpc: format!("com.example.shoppingcart.ShoppingCart/{rpc}"),
        sample_path: sample_path.to_owned(),
        sample_body: sample_body.map(str::to_owned),
    };
    let body = r#"{"productId":"p1","name":"name","quantity":1}"#;
    let expected = [
        route("POST", "/cart/{user_id}/items/add", "AddItem", "/cart/u1/items/add", Some(body)),
        route(
            "POST",
            "/cart/{user_id}/items/{product_id}/remove",
            "RemoveItem",
            "/cart/u1/items/p1/remove",
            None,
        ),
        route("GET", "/carts/{user_id}", "GetCart", "/carts/u1", None),
        route("GET", "/carts/{user_id}/items", "GetCart", "/carts/u1/items", None),
    ];
    assert_eq!(Proxy::shopping_cart().http.routes(), expected);
}

#[test]
fn the_sample_of_a_huge_message_is_short() {
    let fields: String = (1..5_000).map(|number| format!("string f{number} = {number};")).collect();
    let source = format!(
        r#"
        syntax = "proto3";
        package test;
        service Huge {{ rpc Do(Message) returns (Message); }}
        message Message {{ {fields} Message inner = 5000; }}
    "#
    );
    let http = HttpJson::new(&contracts::actions(compile("huge.proto", &source), &["test.Huge"])).unwrap();
    let body = http.routes()[0].sample_body.as_deref().unwrap();
    assert!(body.starts_with(r#"{"f1":"f1","f2":"f2","#), "{body}");
    assert!(body.ends_with('}') && body.len() < 2048, "{} bytes", body.len());
}

#[tokio::test]
async fn the_sample_of_any_message_is_a_valid_request() {
    let source = r#"
        syntax = "proto3";
        package test;
        import "google/protobuf/any.proto";
        import "google/protobuf/empty.proto";
        service Listener { rpc OnOther(google.protobuf.Any) returns (google.protobuf.Empty); }
    "#;
    let proxy = Proxy::new(contracts::actions(compile("listener.proto", source), &["test.Listener"]));
    let sample = proxy.http.routes()[0].sample_body.clone().unwrap();
    let answer = proxy.send("POST /test.Listener/OnOther", &sample).await;
    assert_eq!(answer.status, 200, "{sample}: {answer:?}");
}

#[test]
fn rpcs_without_a_rule_get_the_default_route() {
    let services = ["EventSourcedTckModel", "EventSourcedTwo", "EventSourcedConfigured"]
        .map(|service| format!("cloudstate.tck.model.{service}"));
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    let descriptors = compile_model("cloudstate/tck/model/eventsourced.proto");
    let http = HttpJson::new(&catalog(descriptors, &services)).unwrap();
    let shown: Vec<(&str, &str)> =
        http.routes().iter().map(|route| (route.template.as_str(), route.sample_path.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("/tck/model/eventsourced/{id}", "/tck/model/eventsourced/1"),
            ("/cloudstate.tck.model.EventSourcedTwo/Call", "/cloudstate.tck.model.EventSourcedTwo/Call"),
            (
                "/cloudstate.tck.model.EventSourcedConfigured/Call",
                "/cloudstate.tck.model.EventSourcedConfigured/Call"
            ),
        ]
    );
}

#[tokio::test]
async fn every_sample_is_a_valid_request() {
    let models = [
        ("shapes.proto", contracts::SHAPES, &["test.Shapes"][..]),
        ("cart.proto", contracts::SHOPPING_CART, &["com.example.shoppingcart.ShoppingCart"]),
    ];
    for (name, source, services) in models {
        let proxy = Proxy::new(catalog(compile(name, source), services));
        for route in proxy.http.routes() {
            let verb = if route.verb == "*" { "PURGE" } else { &route.verb };
            let request = format!("{verb} {}", route.sample_path);
            let answer = proxy.send(&request, route.sample_body.as_deref().unwrap_or_default()).await;
            assert_eq!(answer.status, 200, "{route:?}: {answer:?}");
            let (rpc, _) = proxy.only_call();
            assert!(route.rpc.ends_with(&format!("/{rpc}")), "{route:?} led to {rpc}");
        }
    }
}
