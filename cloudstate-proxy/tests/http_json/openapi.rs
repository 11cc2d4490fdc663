//! The OpenAPI document: one that tools can read, and that says what the routes do.

use std::collections::BTreeSet;

use openapiv3::{OpenAPI, ReferenceOr};
use serde_json::{Value, json};

use crate::{contracts, proxy::Proxy};

fn document(proxy: &Proxy) -> Value {
    serde_json::from_slice(&proxy.http.openapi(&proxy.catalog, "shop", "1.2.3")).unwrap()
}

/// All that `"$ref"` names, wherever it stands.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if name == "$ref" => {
                        found.insert(target.clone());
                    }
                    _ => references(member, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| references(element, found)),
        _ => {}
    }
}

#[test]
fn a_parser_reads_it_and_every_reference_leads_somewhere() {
    for proxy in [Proxy::shapes(), Proxy::shopping_cart()] {
        let document = document(&proxy);
        let parsed: OpenAPI = serde_json::from_value(document.clone()).unwrap();
        assert_eq!((parsed.info.title.as_str(), parsed.info.version.as_str()), ("shop", "1.2.3"));
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        let schemas = parsed.components.unwrap().schemas;
        assert!(schemas.values().all(|schema| matches!(schema, ReferenceOr::Item(_))));
    }
}

#[test]
fn every_route_is_there_once_with_exactly_the_parameters_of_its_path() {
    for proxy in [Proxy::shapes(), Proxy::shopping_cart()] {
        let parsed: OpenAPI = serde_json::from_value(document(&proxy)).unwrap();
        let mut ids = BTreeSet::new();
        let mut rpcs = BTreeSet::new();
        for (path, item) in &parsed.paths.paths {
            for (verb, operation) in item.as_item().unwrap().iter() {
                let id = operation.operation_id.clone().unwrap();
                assert!(ids.insert(id.clone()), "{id} is there twice");
                rpcs.insert(operation.summary.clone().unwrap());
                let in_path: Vec<_> = operation
                    .parameters
                    .iter()
                    .map(|parameter| parameter.as_item().unwrap())
                    .filter(|parameter| matches!(parameter, openapiv3::Parameter::Path { .. }))
                    .map(|parameter| format!("{{{}}}", parameter.parameter_data_ref().name))
                    .collect();
                assert_eq!(in_path.len(), path.matches('{').count(), "{verb} {path}");
                assert!(in_path.iter().all(|name| path.contains(name)), "{verb} {path}: {in_path:?}");
            }
        }
        let served: BTreeSet<_> = proxy.http.routes().iter().map(|route| route.rpc.clone()).collect();
        assert_eq!(rpcs, served);
    }
}

#[test]
fn paths_are_those_of_the_templates() {
    let document = document(&Proxy::shapes());
    let paths = document["paths"].as_object().unwrap();
    for (path, verbs) in [
        ("/whole/{id}", &["post"][..]),
        ("/at/{center.x}/{center.label}/{id}", &["get"]),
        ("/files/{id}", &["delete"]),
        ("/shapes/{id}:move", &["patch"]),
        ("/any/{id}", &["delete", "get", "patch", "post", "put"]),
        ("/test.Shapes/Default", &["post"]),
    ] {
        let item = paths.get(path).unwrap_or_else(|| panic!("{path} is not in {:?}", paths.keys()));
        assert_eq!(item.as_object().unwrap().keys().collect::<Vec<_>>(), verbs, "{path}");
    }
    let spanning = &document["paths"]["/files/{id}"]["delete"]["parameters"][0];
    assert_eq!(spanning["description"], "Of the form `home/**`, with its slashes.");
}

/// Where a value stands in the document, and what it is.
#[test]
fn types_are_those_of_the_json_mapping() {
    let document = document(&Proxy::shapes());
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let properties = &document["components"]["schemas"]["test.Shape"]["properties"];
    for (field, expected) in [
        ("flag", json!({ "type": "boolean" })),
        ("i32", json!({ "type": "integer", "format": "int32" })),
        ("i64", json!({ "type": "string", "format": "int64" })),
        ("u32", json!({ "type": "integer", "format": "uint32", "minimum": 0 })),
        ("u64", json!({ "type": "string", "format": "uint64" })),
        ("ratio", json!({ "type": "number", "format": "float" })),
        ("exactRatio", json!({ "type": "number", "format": "double" })),
        ("data", json!({ "type": "string", "format": "byte" })),
        ("fillColor", reference("test.Color")),
        ("center", reference("test.Point")),
        ("points", json!({ "type": "array", "items": reference("test.Point") })),
        ("colors", json!({ "type": "array", "items": reference("test.Color") })),
        (
            "counts",
            json!({ "type": "object", "additionalProperties": { "type": "string", "format": "int64" } }),
        ),
        ("corners", json!({ "type": "object", "additionalProperties": reference("test.Point") })),
        ("at", json!({ "type": "string", "format": "date-time" })),
        ("maybeCount", json!({ "type": "string", "format": "int64", "nullable": true })),
        ("structure", json!({ "type": "object", "additionalProperties": true })),
        ("value", json!({ "nullable": true })),
        ("list", json!({ "type": "array", "items": {} })),
        ("nothing", json!({ "type": "object" })),
    ] {
        assert_eq!(properties[field], expected, "{field}");
    }
    let color = &document["components"]["schemas"]["test.Color"];
    assert_eq!(*color, json!({ "type": "string", "enum": ["COLOR_UNSPECIFIED", "RED", "BLUE"] }));
    let shape = &document["components"]["schemas"]["test.Shape"]["description"];
    assert_eq!(*shape, "At most one of `dot`, `textForm` (kind).");
    // A message that holds itself.
    assert_eq!(
        document["components"]["schemas"]["test.Point"]["properties"]["next"],
        reference("test.Point")
    );
}

#[test]
fn bodies_and_queries_share_the_fields() {
    let document = document(&Proxy::shapes());
    let operation = |path: &str, verb: &str| &document["paths"][path][verb];
    let names = |operation: &Value, place: &str| -> Vec<String> {
        let parameters = operation["parameters"].as_array().unwrap().iter();
        let here = parameters.filter(|parameter| parameter["in"] == place);
        here.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
    };
    let whole = operation("/whole/{id}", "post");
    assert_eq!(names(whole, "path"), ["id"]);
    assert!(names(whole, "query").is_empty());
    let shape = json!({ "schema": { "$ref": "#/components/schemas/test.Shape" } });
    assert_eq!(whole["requestBody"]["content"]["application/json"], shape);

    let query = operation("/query/{id}", "get");
    assert!(query["requestBody"].is_null());
    let in_query = names(query, "query");
    for expected in ["i64", "fillColor", "center.x", "center.label", "tags", "at", "maybeCount", "dot.y"] {
        assert!(in_query.iter().any(|name| name == expected), "{expected} is not in {in_query:?}");
    }
    for unexpected in ["id", "center", "points", "counts", "any", "structure", "center.next.x"] {
        assert!(!in_query.iter().any(|name| name == unexpected), "{unexpected} is in {in_query:?}");
    }

    let center = operation("/center/{id}", "put");
    let point = json!({ "schema": { "$ref": "#/components/schemas/test.Point" } });
    assert_eq!(center["requestBody"]["content"]["application/json"], point);
    assert!(!names(center, "query").iter().any(|name| name.starts_with("center")));

    let nested = operation("/at/{center.x}/{center.label}/{id}", "get");
    assert_eq!(names(nested, "path"), ["center.x", "center.label", "id"]);
    let in_query = names(nested, "query");
    assert!(!in_query.contains(&"center.x".to_owned()) && in_query.contains(&"center.y".to_owned()));
    assert!(in_query.contains(&"dot.x".to_owned()), "only the path's own x is in the path");
}

#[test]
fn replies_have_the_form_that_the_rule_gives_them() {
    let document = document(&Proxy::shapes());
    let content = |path: &str, verb: &str| &document["paths"][path][verb]["responses"]["200"]["content"];
    let point = json!({ "$ref": "#/components/schemas/test.Point" });
    assert_eq!(content("/only-center/{id}", "get")["application/json"]["schema"], point);
    assert_eq!(
        content("/points/{id}", "get")["application/json"]["schema"],
        json!({ "type": "array", "items": point })
    );
    assert_eq!(
        *content("/download/{id}", "get"),
        json!({ "*/*": { "schema": { "type": "string", "format": "binary" } } })
    );
    let failure = &document["paths"]["/whole/{id}"]["post"]["responses"]["default"]["content"];
    assert_eq!(*failure, json!({ "text/plain": { "schema": { "type": "string" } } }));
}

#[test]
fn paths_that_differ_in_the_names_of_variables_are_one() {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        import "google/api/annotations.proto";
        import "google/protobuf/empty.proto";
        // Things can be taken and thrown away.
        service Things {
          // Takes one.
          rpc Take(Thing) returns (google.protobuf.Empty) {
            option (google.api.http).get = "/things/{id}/parts/{part}";
          }
          rpc Throw(Other) returns (google.protobuf.Empty) {
            option (google.api.http).delete = "/things/{key}/parts/{piece}";
          }
        }
        // A thing.
        message Thing {
          // Which one.
          string id = 1 [(.cloudstate.entity_key) = true];
          int32 part = 2;
        }
        message Other { string key = 1 [(.cloudstate.entity_key) = true]; string piece = 2; }
    "#;
    let descriptors = contracts::compile_with_comments("things.proto", contract);
    let document = document(&Proxy::new(contracts::catalog(descriptors, &["test.Things"])));
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/things/{id}/parts/{part}"]);
    let throw = &paths["/things/{id}/parts/{part}"]["delete"];
    assert_eq!(throw["parameters"][1]["name"], "part");
    assert_eq!(throw["parameters"][1]["schema"], json!({ "type": "string" }));

    let take = &paths["/things/{id}/parts/{part}"]["get"];
    assert_eq!(take["description"], "Takes one.");
    assert_eq!(take["parameters"][0]["description"], "Which one.");
    let tag = json!({ "name": "test.Things", "description": "Things can be taken and thrown away." });
    assert_eq!(document["tags"], json!([tag]));
}

/// What is written down once may be repeated for each route.
#[test]
fn a_document_of_any_contract_is_of_a_bearable_size() {
    let comment = "x".repeat(10_000);
    let fields: String =
        (2..102).map(|number| format!("/* {comment} */ string f{number} = {number};\n")).collect();
    let routes: String =
        (0..60).map(|number| format!("additional_bindings {{ get: \"/{{id}}/{number}\" }}\n")).collect();
    let contract = format!(
        r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        import "google/api/annotations.proto";
        import "google/protobuf/empty.proto";
        service Things {{
          rpc Do(Thing) returns (google.protobuf.Empty) {{
            option (google.api.http) = {{ get: "/{{id}}" {routes} }};
          }}
        }}
        message Thing {{
          string id = 1 [(.cloudstate.entity_key) = true];
          {fields}
        }}
        "#
    );
    let descriptors = contracts::compile_with_comments("things.proto", &contract);
    let proxy = Proxy::new(contracts::catalog(descriptors, &["test.Things"]));
    let bytes = proxy.http.openapi(&proxy.catalog, "things", "1");
    assert!(bytes.len() < 20 << 20, "{} bytes", bytes.len());
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    let described = document["paths"].as_object().unwrap().len();
    let said = document["info"]["description"].as_str().unwrap();
    assert_eq!(said, format!("{} more routes are left out: there are too many.", 61 - described));
    assert!(described > 30, "{described}");
    let comment = document["paths"]["/{id}"]["get"]["parameters"][1]["description"].as_str().unwrap();
    assert!((4_000..=4_096).contains(&comment.len()), "{}", comment.len());
}
