//! Streamed rpcs over HTTP: lines, events, raw bytes; and bodies that are not JSON.

use std::time::Duration;

use bytes::Bytes;
use cloudstate_proto::{Metadata, MetadataEntry, google::api::HttpBody, metadata_entry::Value};
use cloudstate_proxy::{
    code::Code,
    routing::{Failure, Reply, Requests},
};
use futures_util::{StreamExt, stream};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use prost::Message;

use crate::{
    contracts,
    proxy::{Answer, Proxy},
};

const CONTRACT: &str = r#"
    syntax = "proto3";
    package test;
    import "google/api/annotations.proto";
    import "google/api/httpbody.proto";
    message Query { string id = 1; google.api.HttpBody file = 2; int32 number = 3; }
    message Line { string text = 1; int64 number = 2; }
    service Streams {
      rpc Watch(Query) returns (stream Line) {
        option (google.api.http) = {
          get: "/watch/{id}"
          additional_bindings { get: "/texts/{id}" response_body: "text" }
        };
      }
      rpc Sum(stream Line) returns (Line);
      rpc Chat(stream Line) returns (stream Line);
      rpc Download(Query) returns (stream google.api.HttpBody) {
        option (google.api.http).get = "/download/{id}";
      }
      rpc Upload(google.api.HttpBody) returns (Line) {
        option (google.api.http) = { post: "/upload" body: "*" };
      }
      rpc Attach(Query) returns (Line) {
        option (google.api.http) = { put: "/files/{id}" body: "file" };
      }
    }
"#;

fn proxy() -> Proxy {
    let set = contracts::compile("streams.proto", CONTRACT);
    Proxy::new(contracts::actions(set, &["test.Streams"]))
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(int64, tag = "2")]
    number: i64,
}

fn line(text: &str, number: i64) -> Reply {
    reply(Line { text: text.to_owned(), number })
}

fn reply(message: impl Message) -> Reply {
    Reply { payload: Some(message.encode_to_vec().into()), metadata: None }
}

fn with_header(reply: Reply, key: &str, value: &str) -> Reply {
    let value = Some(Value::StringValue(value.to_owned()));
    let entries = vec![MetadataEntry { key: key.to_owned(), value }];
    Reply { metadata: Some(Metadata { entries }), ..reply }
}

/// Replies, then the end.
fn replying(proxy: &Proxy, replies: Vec<Result<Reply, Failure>>) {
    *proxy.calls.replies.lock().unwrap() = Some(stream::iter(replies).boxed());
}

fn get(path: &str, accept: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("accept", accept).body(Full::default()).unwrap()
}

fn content_type<B>(response: &Response<B>) -> &str {
    response.headers()[CONTENT_TYPE].to_str().unwrap()
}

#[tokio::test]
async fn replies_come_in_the_form_that_the_client_accepts() {
    let replies = || vec![Ok(line("a", 1)), Ok(Reply::default()), Ok(line("", 2))];
    let (a, b) = (r#"{"text":"a","number":"1"}"#, r#"{"text":"","number":"2"}"#);
    let lines = format!("{a}\n{b}\n");
    let events = format!("data: {a}\n\ndata: {b}\n\n");
    for (path, accept, expected_type, expected) in [
        ("/watch/w1", "*/*", "application/json", &*lines),
        ("/watch/w1", "application/x-ndjson", "application/x-ndjson", &*lines),
        ("/watch/w1", "text/event-stream", "text/event-stream", &*events),
        ("/watch/w1", "text/html, Text/Event-Stream;q=0.9", "text/event-stream", &*events),
        ("/texts/w1", "*/*", "application/json", "\"a\"\n\"\"\n"),
    ] {
        let proxy = proxy();
        replying(&proxy, replies());
        let answer = Answer::read(proxy.serve(get(path, accept)).await).await;
        let expected =
            Answer { status: 200, content_type: expected_type.to_owned(), body: expected.to_owned() };
        assert_eq!(answer, expected, "{path} {accept}");
    }
}

#[tokio::test]
async fn the_first_reply_brings_the_headers_with_or_without_a_message() {
    for first in [line("a", 1), Reply::default()] {
        let proxy = proxy();
        let later = with_header(line("b", 2), "x-later", "too late");
        replying(&proxy, vec![Ok(with_header(first, "x-first", "1")), Ok(later)]);
        let response = proxy.serve(get("/watch/w1", "*/*")).await;
        assert_eq!(response.headers()["x-first"], "1");
        assert!(!response.headers().contains_key("x-later"));
    }
}

#[tokio::test]
async fn a_failure_before_all_replies_is_told_and_one_after_a_reply_breaks_the_body_off() {
    let boom = || Failure::passed_on(Some(Code::NotFound), "boom");
    let proxy = proxy();
    replying(&proxy, vec![Err(boom())]);
    let answer = Answer::read(proxy.serve(get("/watch/w1", "*/*")).await).await;
    assert_eq!(answer, Answer::text(404, "boom"));

    replying(&proxy, vec![Ok(line("a", 1)), Err(boom())]);
    let mut body = proxy.serve(get("/watch/w1", "*/*")).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "{\"text\":\"a\",\"number\":\"1\"}\n");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the stream of replies broke off: boom");
}

#[tokio::test]
async fn a_reply_that_has_no_json_breaks_the_body_off() {
    let proxy = proxy();
    let broken = Reply { payload: Some(Bytes::from_static(b"\xff")), metadata: None };
    replying(&proxy, vec![Ok(broken)]);
    let error = proxy.serve(get("/watch/w1", "*/*")).await.into_body().collect().await.unwrap_err();
    assert!(error.to_string().contains("does not decode as test.Line"), "{error}");
}

#[tokio::test]
async fn no_replies_are_an_empty_body() {
    let proxy = proxy();
    replying(&proxy, vec![]);
    let answer = Answer::read(proxy.serve(get("/watch/w1", "text/event-stream")).await).await;
    assert_eq!((answer.status, &*answer.content_type, &*answer.body), (200, "text/event-stream", ""));
}

#[tokio::test(start_paused = true)]
async fn headers_do_not_wait_for_a_silent_function() {
    let proxy = proxy();
    *proxy.calls.replies.lock().unwrap() = Some(stream::pending().boxed());
    let response = tokio::time::timeout(Duration::from_secs(10), proxy.serve(get("/watch/w1", "*/*")));
    assert_eq!(response.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stream_of_requests_is_a_stream_of_one() {
    let proxy = proxy();
    proxy.reply_with(Line { text: "sum".to_owned(), number: 3 }.encode_to_vec());
    for rpc in ["Sum", "Chat"] {
        let answer = proxy.send(&format!("POST /test.Streams/{rpc}"), r#"{"number":3}"#).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let Requests::Many(requests) = proxy.calls.last().requests else { panic!("one request") };
        let requests: Vec<_> = requests.collect().await;
        assert_eq!(requests, [Ok(Bytes::from_static(b"\x10\x03"))]);
    }
}

#[tokio::test]
async fn a_streamed_http_body_is_its_bytes_under_the_content_type_of_the_first_reply() {
    let part = |content_type: &str, data: &'static str| {
        let data = Bytes::from_static(data.as_bytes());
        Ok(reply(HttpBody { content_type: content_type.to_owned(), data, ..HttpBody::default() }))
    };
    let named = with_header(part("text/plain", "ab").unwrap(), "Content-Type", "text/csv");
    for (first, expected) in [
        (part("", "ab"), "application/octet-stream"),
        (part("text/plain", "ab"), "text/plain"),
        (Ok(named), "text/csv"),
    ] {
        let proxy = proxy();
        replying(&proxy, vec![first, part("", ""), part("image/png", "cd")]);
        let response = proxy.serve(get("/download/d1", "text/event-stream")).await;
        assert_eq!(content_type(&response), expected);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "abcd");
    }
}

#[tokio::test]
async fn an_http_body_takes_any_request_as_it_is() {
    let proxy = proxy();
    let upload = Request::post("/upload").header(CONTENT_TYPE, "image/png");
    let response = proxy.serve(upload.body(Full::from(&b"\x89\xff"[..])).unwrap()).await;
    assert_eq!(response.status(), 200);
    let Requests::One(request) = proxy.calls.last().requests else { panic!("a stream") };
    let body = HttpBody::decode(request).unwrap();
    assert_eq!((&*body.content_type, &body.data[..]), ("image/png", &b"\x89\xff"[..]));

    let attach = Request::put("/files/f1?number=7").header(CONTENT_TYPE, "text/plain");
    let response = proxy.serve(attach.body(Full::from("text")).unwrap()).await;
    assert_eq!(response.status(), 200);
    let (rpc, request) = proxy.only_call();
    let expected =
        r#"{"id":"f1","file":{"contentType":"text/plain","data":"dGV4dA==","extensions":[]},"number":7}"#;
    assert_eq!((rpc.as_str(), request.as_str()), ("Attach", expected));
}

#[tokio::test]
async fn headers_reach_the_call_as_metadata() {
    let proxy = proxy();
    let request = Request::get("/watch/w1").header("X-Trace", "t").header("x-raw-bin", "AQI=");
    proxy.serve(request.body(Full::default()).unwrap()).await;
    let entries = proxy.calls.last().metadata.entries;
    let value =
        |key: &str| entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone());
    assert_eq!(value("x-trace"), Some(Value::StringValue("t".to_owned())));
    assert_eq!(value("x-raw-bin"), Some(Value::BytesValue(Bytes::from_static(&[1, 2]))));
}

#[tokio::test]
async fn a_dropped_body_drops_the_replies() {
    let proxy = proxy();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    sender.send(Ok(line("a", 1))).unwrap();
    let replies = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver);
    *proxy.calls.replies.lock().unwrap() = Some(replies.boxed());
    let response = proxy.serve(get("/watch/w1", "*/*")).await;
    assert!(!sender.is_closed());
    drop(response);
    assert!(sender.is_closed());
}

#[test]
fn routes_that_match_the_same_requests_are_warned_of() {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "google/api/annotations.proto";
        message Query { string id = 1; string key = 2; }
        service Twice {
          rpc First(Query) returns (Query) { option (google.api.http).get = "/twice/{id}"; }
          rpc Second(Query) returns (Query) { option (google.api.http).get = "/twice/{key}"; }
          rpc Other(Query) returns (Query) { option (google.api.http).put = "/twice/{id}"; }
        }
    "#;
    let set = contracts::compile("twice.proto", contract);
    let proxy = Proxy::new(contracts::actions(set, &["test.Twice"]));
    let expected = "The route `GET /twice/{id}` of test.Twice/First is never used: the later \
                    `GET /twice/{key}` of test.Twice/Second matches the same requests";
    assert_eq!(proxy.http.warnings(), [expected]);
}
