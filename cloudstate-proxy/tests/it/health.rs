//! `grpc.health.v1`, and what the port for clients says about itself.

use std::collections::HashMap;

use http::{Method, StatusCode};
use tonic::{Code, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};
use tonic_prost::ProstCodec;

use crate::{
    client::explained,
    contract::{self, OTHERS, THINGS},
    hosted::{channel, host},
    user_function::{Setup, UserFunction, reply, soon},
};
use cloudstate_proxy::error_code::ErrorCode;

async fn health_of(proxy: &cloudstate_proxy::Proxy) -> HealthClient<Channel> {
    HealthClient::new(channel(proxy).await)
}

fn service(name: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: name.to_owned() }
}

#[tokio::test]
async fn the_proxy_and_every_service_are_serving_and_others_are_unknown() {
    let function = UserFunction::new();
    let (proxy, _client) = host(&function).await;
    let mut health = health_of(&proxy).await;
    for name in ["", THINGS, OTHERS, "grpc.health.v1.Health"] {
        let answer = health.check(service(name)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{name}");
    }
    let unknown = health.check(service("test.Nothing")).await.unwrap_err();
    let text = "there is no service test.Nothing";
    let text = explained("grpc.health.v1.Health/Check", ErrorCode::UnknownService, text);
    assert_eq!((unknown.code(), unknown.message()), (Code::NotFound, &*text));
    assert_eq!(unknown.metadata().get("cloudstate-error").unwrap(), "CS-1013");
}

#[tokio::test]
async fn lists_all_services() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct ListResponse {
        #[prost(map = "string, message", tag = "1")]
        statuses: HashMap<String, HealthCheckResponse>,
    }
    let function = UserFunction::new();
    let (proxy, _client) = host(&function).await;
    let mut grpc = Grpc::new(channel(&proxy).await);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/List");
    let codec = ProstCodec::<(), ListResponse>::default();
    let list: ListResponse = grpc.unary(tonic::Request::new(()), path, codec).await.unwrap().into_inner();
    for name in ["", THINGS, OTHERS] {
        assert_eq!(list.statuses[name].status(), ServingStatus::Serving, "{name}");
    }
}

#[tokio::test]
async fn a_watcher_hears_that_the_user_function_goes_and_comes_back() {
    let function = UserFunction::new();
    let (proxy, _client) = host(&function).await;
    let mut health = health_of(&proxy).await;
    let mut changes = health.watch(service(THINGS)).await.unwrap().into_inner();
    let mut next = async || soon("a change", changes.message()).await.unwrap().unwrap().status();
    assert_eq!(next().await, ServingStatus::Serving);
    let address = function.kill();
    assert_eq!(next().await, ServingStatus::NotServing);
    let answer = health.check(service("")).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::NotServing);
    let _function = UserFunction::start(Setup { address: Some(address), ..Setup::default() });
    assert_eq!(next().await, ServingStatus::Serving);
}

#[tokio::test]
async fn a_watcher_of_an_unknown_service_waits_for_it() {
    let function = UserFunction::new();
    let (proxy, _client) = host(&function).await;
    let mut changes = health_of(&proxy).await.watch(service("test.Nothing")).await.unwrap().into_inner();
    let first = soon("the first status", changes.message()).await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
}

#[tokio::test]
async fn a_watcher_hears_that_the_proxy_stops() {
    let function = UserFunction::new();
    let (proxy, _client) = host(&function).await;
    let mut changes = health_of(&proxy).await.watch(service("")).await.unwrap().into_inner();
    soon("the first status", changes.message()).await.unwrap().unwrap();
    let stopped = tokio::spawn(proxy.shutdown());
    let last = soon("the last status", changes.message()).await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    let end = soon("the end", changes.message()).await.unwrap_err();
    let text = explained("grpc.health.v1.Health/Watch", ErrorCode::Stopping, "the proxy is stopping");
    assert_eq!((end.code(), end.message()), (Code::Unavailable, &*text));
    soon("the proxy's end", stopped).await.unwrap();
}

fn no_route(path: &str) -> String {
    format!("There is no route for {path}. {}", ErrorCode::NotServed.remedy())
}

#[tokio::test]
async fn the_port_for_clients_answers_probes() {
    let function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    for (method, path, probe, expected) in [
        (Method::GET, "/ready", None, (StatusCode::OK, "OK\n")),
        (Method::GET, "/alive", None, (StatusCode::OK, "OK\n")),
        (Method::GET, "/live", None, (StatusCode::OK, "OK\n")),
        (Method::HEAD, "/ready", None, (StatusCode::OK, "")),
        (Method::GET, "/any", Some("queue"), (StatusCode::OK, "queue")),
        (
            Method::GET,
            "/any",
            Some("other"),
            (StatusCode::BAD_REQUEST, "unexpected probe header value: other"),
        ),
        (Method::POST, "/ready", None, (StatusCode::NOT_FOUND, &no_route("/ready"))),
        (Method::GET, "/any", None, (StatusCode::NOT_FOUND, &no_route("/any"))),
    ] {
        let headers: Vec<_> = probe.into_iter().map(|value| ("k-network-probe", value)).collect();
        let page = client.http(method.clone(), path, &headers, b"").await;
        assert_eq!((page.status, page.text()), expected, "{method} {path} {probe:?}");
    }
}

#[tokio::test]
async fn a_route_goes_before_the_probes() {
    const READY: &str = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        import "google/api/annotations.proto";
        message Request { string id = 1 [(.cloudstate.entity_key) = true]; }
        message Reply { string text = 1; }
        service Things { rpc Do(Request) returns (Reply) { option (google.api.http).get = "/{id}"; } }
    "#;
    let mut function = UserFunction::with_spec(contract::spec_of(READY, &[THINGS]));
    function.serve(|entity, command| reply(command.id, &entity.id));
    let (_proxy, client) = host(&function).await;
    let page = client.http(Method::GET, "/ready", &[("k-network-probe", "queue")], b"").await;
    assert_eq!((page.status, page.text()), (StatusCode::OK, r#"{"text":"ready"}"#));
}
