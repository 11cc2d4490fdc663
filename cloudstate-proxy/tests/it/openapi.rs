//! What the port for clients shows of the contract.

use http::{Method, StatusCode, header::CONTENT_TYPE};
use openapiv3::OpenAPI;

use crate::{
    contract::{self, THINGS},
    hosted::host,
    user_function::{UserFunction, reply},
};

#[tokio::test]
async fn the_openapi_document_and_the_descriptors_are_there() {
    let function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let page = client.get("/openapi.json").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.headers[CONTENT_TYPE], "application/json");
    let document: OpenAPI = serde_json::from_slice(&page.body).unwrap();
    let paths: Vec<_> = document.paths.paths.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/test.Others/Do", "/test.Things/Do", "/things/{id}"]);

    let page = client.get("/descriptors").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.headers[CONTENT_TYPE], "application/x-protobuf");
    assert_eq!(page.body, contract::spec().proto);

    let page = client.http(Method::HEAD, "/openapi.json", &[], b"").await;
    assert_eq!((page.status, page.text()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn a_route_goes_before_the_document() {
    const CLAIMS: &str = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        import "google/api/annotations.proto";
        message Request { string id = 1 [(.cloudstate.entity_key) = true]; }
        message Reply { string text = 1; }
        service Things {
            rpc Do(Request) returns (Reply) { option (google.api.http).get = "/{id=openapi.json}"; }
        }
    "#;
    let mut function = UserFunction::with_spec(contract::spec_of(CLAIMS, &[THINGS]));
    function.serve(|entity, command| reply(command.id, &entity.id));
    let (_proxy, client) = host(&function).await;
    assert_eq!(client.get("/openapi.json").await.text(), r#"{"text":"openapi.json"}"#);
    assert_eq!(client.get("/descriptors").await.status, StatusCode::OK);
}
