//! What replies and failures look like to an HTTP client, to the character.

use bytes::Bytes;
use cloudstate_proto::{Metadata, MetadataEntry, google::api::HttpBody, metadata_entry::Value};
use cloudstate_proxy::{
    code::Code,
    routing::{Failure, Reply},
};
use http::Request;
use http_body_util::{BodyExt, Full};
use prost::Message as _;

use crate::{
    contracts::{catalog, compile_model},
    proxy::{Answer, Proxy, only_request},
};

#[tokio::test]
async fn a_reply_is_compact_json_with_defaults() {
    let proxy = Proxy::shapes();
    proxy.reply_with(Bytes::new());
    let defaults = concat!(
        r#"{"id":"","flag":false,"i32":0,"i64":"0","u32":0,"u64":"0","ratio":0.0,"exactRatio":0.0,"data":"","#,
        r#""fillColor":"COLOR_UNSPECIFIED","points":[],"tags":[],"marks":[],"counts":{},"colors":[],"#,
        r#""legacyName":"","corners":{}}"#
    );
    assert_eq!(proxy.send("POST /whole/a", "{}").await, Answer::json(defaults));
}

/// Fields of a reply, as JSON that is to be printed exactly as it is given here.
#[tokio::test]
async fn every_kind_of_field_has_its_form() {
    let cases = [
        r#""i64":"-9223372036854775808""#,
        r#""u64":"18446744073709551615""#,
        r#""ratio":1.5"#,
        r#""ratio":0.1"#,
        r#""exactRatio":1e+300"#,
        r#""exactRatio":"NaN""#,
        r#""exactRatio":"Infinity""#,
        r#""ratio":"-Infinity""#,
        r#""data":"/+8=""#,
        r#""fillColor":"BLUE""#,
        r#""fillColor":77"#,
        r#""center":{"x":-1,"y":0,"label":""}"#,
        r#""points":[{"x":0,"y":0,"label":"a","next":{"x":0,"y":0,"label":"b"}}]"#,
        r#""tags":["x","ü\"\\\n"]"#,
        r#""counts":{"a":"1","b":"-2","c":"0"}"#,
        r#""corners":{"false":{"x":1,"y":0,"label":""},"true":{"x":2,"y":0,"label":""}}"#,
        r#""dot":{"x":0,"y":0,"label":""}"#,
        r#""textForm":"""#,
        r#""note":"""#,
        r#""at":"2030-12-31T23:59:59Z""#,
        r#""at":"2030-12-31T23:59:59.120Z""#,
        r#""lasts":"1.500s""#,
        r#""lasts":"-3s""#,
        r#""mask":"fillColor,center.x""#,
        r#""maybeText":"""#,
        r#""maybeCount":"0""#,
        r#""maybeFlag":false"#,
        r#""maybeRatio":"NaN""#,
        r#""structure":{"a":[1.0,null,{"b":true}]}"#,
        r#""value":null"#,
        r#""value":"x""#,
        r#""list":["x",false]"#,
        r#""any":{"@type":"type.googleapis.com/test.Point","x":1,"y":0,"label":""}"#,
        r#""any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}"#,
        r#""any":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"x"}"#,
        r#""any":{}"#,
        r#""nothing":{}"#,
        r#""colors":["RED","COLOR_UNSPECIFIED"]"#,
    ];
    let proxy = Proxy::shapes();
    let shape = proxy.message_type("test.Shape");
    for field in cases {
        if field != r#""any":{}"# {
            proxy.reply_with(shape.from_json(format!("{{{field}}}").as_bytes()).unwrap().encode());
        } else {
            proxy.reply_with(&b"\xf2\x01\x00"[..]);
        }
        let answer = proxy.send("POST /whole/a", "{}").await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        assert!(answer.body.contains(field), "{field} is not in {}", answer.body);
    }
}

#[tokio::test]
async fn one_field_can_be_the_response() {
    let cases = [
        ("/points/a", "{}", "[]"),
        ("/points/a", r#"{"points":[{"x":1}]}"#, r#"[{"x":1,"y":0,"label":""}]"#),
        ("/only-center/a", r#"{"center":{}}"#, r#"{"x":0,"y":0,"label":""}"#),
        ("/only-center/a", "{}", "null"),
        ("/only-u64/a", r#"{"u64":7}"#, r#""7""#),
    ];
    let proxy = Proxy::shapes();
    for (path, reply, expected) in cases {
        proxy.reply_with(proxy.message_type("test.Shape").from_json(reply.as_bytes()).unwrap().encode());
        assert_eq!(proxy.send(&format!("GET {path}"), "").await, Answer::json(expected), "{path} {reply}");
    }
}

/// The exact texts that the conformance suite compares.
#[tokio::test]
async fn model_services_answer_as_the_conformance_suite_wants() {
    let descriptors = compile_model("cloudstate/tck/model/crdt.proto");
    let schema = cloudstate_proxy::schema::Schema::new(&descriptors).unwrap();
    let response = schema.message_type("cloudstate.tck.model.crdt.Response").unwrap();
    for json in
        [r#"{"state":{"pncounter":{"value":"0"}}}"#, r#"{"state":{"pncounter":{"value":"-81"}}}"#, "{}"]
    {
        let message = response.from_json(json.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(message.to_json().unwrap()).unwrap(), json);
    }
    let from_number = response.from_json(br#"{"state":{"pncounter":{"value":-81}}}"#).unwrap();
    assert_eq!(from_number.to_json().unwrap(), br#"{"state":{"pncounter":{"value":"-81"}}}"#);

    let descriptors = compile_model("cloudstate/tck/model/eventsourced.proto");
    let services = ["cloudstate.tck.model.EventSourcedTckModel", "cloudstate.tck.model.EventSourcedTwo"];
    let proxy = Proxy::new(catalog(descriptors, &services));
    proxy.reply_with(Bytes::new());
    assert_eq!(proxy.send("POST /tck/model/eventsourced/e1", "{}").await, Answer::json(r#"{"message":""}"#));
    let request = r#"{"id":"e2","actions":[{"emit":{"value":"x"}}]}"#;
    let answer = proxy.send("POST /cloudstate.tck.model.EventSourcedTwo/Call", request).await;
    assert_eq!(answer, Answer::json(r#"{"message":""}"#));
    let request = only_request(proxy.calls.last());
    assert_eq!(request, b"\x0a\x02e2\x12\x05\x0a\x03\x0a\x01x".as_ref());
}

#[tokio::test]
async fn a_reply_without_payload_is_an_empty_object() {
    let proxy = Proxy::shapes();
    assert_eq!(proxy.send("POST /whole/a", "{}").await, Answer::json("{}"));
}

#[tokio::test]
async fn a_raw_body_is_sent_as_it_is() {
    let proxy = Proxy::shapes();
    let reply = |content_type: &str, data: &'static [u8]| {
        let body = HttpBody { content_type: content_type.to_owned(), data: data.into(), extensions: vec![] };
        proxy.reply_with(body.encode_to_vec());
    };
    reply("image/svg+xml", b"<svg/>");
    let expected =
        Answer { status: 200, content_type: "image/svg+xml".to_owned(), body: "<svg/>".to_owned() };
    assert_eq!(proxy.send("GET /download/a", "").await, expected);

    reply("", b"x");
    let expected = Answer { status: 200, content_type: String::new(), body: "x".to_owned() };
    assert_eq!(proxy.send("GET /download/a", "").await, expected);

    reply("a\nb", b"x");
    let sentence = r#"The user function's reply has a content type that no header can carry: "a\nb"."#;
    assert_eq!(proxy.send("GET /download/a", "").await, Answer::text(500, sentence));
}

#[tokio::test]
async fn replies_that_cannot_be_shown_say_why() {
    let proxy = Proxy::shapes();
    let any_of = |type_url: &str, value: &[u8]| {
        let any = cloudstate_proto::Any { type_url: type_url.to_owned(), value: value.to_vec().into() };
        [&b"\xf2\x01"[..], &any.encode_length_delimited_to_vec()].concat()
    };
    let cases = [
        (b"\x0a\x05a".to_vec(), "The user function's reply does not decode as test.Shape: "),
        (
            any_of("p.cloudstate.io/string", b""),
            "The user function's reply of type test.Shape has no JSON form: a google.protobuf.Any holds \
             `p.cloudstate.io/string`, which is not in the descriptor set.",
        ),
        (
            any_of("type.googleapis.com/test.Point", b"\xff"),
            "The user function's reply of type test.Shape has no JSON form: a google.protobuf.Any does not decode",
        ),
    ];
    for (payload, expected) in cases {
        proxy.reply_with(payload);
        let answer = proxy.send("POST /whole/a", "{}").await;
        assert_eq!((answer.status, answer.content_type.as_str()), (500, "text/plain; charset=UTF-8"));
        assert!(answer.body.starts_with(expected), "{}", answer.body);
    }
}

/// Each Any is decoded anew, so that the decoder's own limit does not see how deep they are in each other.
#[tokio::test]
async fn a_tower_of_any_does_not_exhaust_the_stack() {
    let proxy = Proxy::shapes();
    let mut value = Vec::new();
    for _ in 0..5_000 {
        let any = cloudstate_proto::Any {
            type_url: "type.googleapis.com/google.protobuf.Any".to_owned(),
            value: value.into(),
        };
        value = any.encode_to_vec();
    }
    let mut shape = b"\xf2\x01".to_vec();
    prost::encoding::encode_varint(value.len() as u64, &mut shape);
    shape.extend(value);
    proxy.reply_with(shape);
    let answer = proxy.send("POST /whole/a", "{}").await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.ends_with("has no JSON form: its messages are nested more than 100 deep."),
        "{answer:?}"
    );
}

#[tokio::test]
async fn failures_are_their_description_and_nothing_else() {
    let cases = [
        (None, 500),
        (Some(Code::InvalidArgument), 400),
        (Some(Code::NotFound), 404),
        (Some(Code::ResourceExhausted), 429),
        (Some(Code::Cancelled), 499),
        (Some(Code::Unavailable), 503),
        (Some(Code::DeadlineExceeded), 504),
    ];
    let proxy = Proxy::shapes();
    for (code, status) in cases {
        let description = "expected failure: ünö\n";
        *proxy.calls.answer.lock().unwrap() = Err(Failure::passed_on(code, description));
        assert_eq!(proxy.send("POST /whole/a", "{}").await, Answer::text(status, description), "{code:?}");
    }
}

#[tokio::test]
async fn textual_metadata_becomes_headers() {
    let text = |key: &str, value: &str| MetadataEntry {
        key: key.to_owned(),
        value: Some(Value::StringValue(value.to_owned())),
    };
    let entries = vec![
        text("ETag", "\"1\""),
        text("x-many", "a"),
        text("x-many", "b"),
        text("bad name", "x"),
        text("", "x"),
        text("x-bad-value", "a\nb"),
        text("content-type", "text/html"),
        text("Content-Length", "1000"),
        text("transfer-encoding", "chunked"),
        text("connection", "close"),
        text("keep-alive", "1"),
        MetadataEntry { key: "x-bytes".to_owned(), value: Some(Value::BytesValue(b"x"[..].into())) },
        MetadataEntry { key: "x-none".to_owned(), value: None },
    ];
    let proxy = Proxy::shapes();
    let reply = Reply { payload: None, metadata: Some(Metadata { entries }) };
    *proxy.calls.answer.lock().unwrap() = Ok(reply);
    let request = Request::get("/query/a").body(Full::default()).unwrap();
    let (head, body) = proxy.serve(request).await.into_parts();
    let mut headers: Vec<(&str, &str)> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.sort();
    assert_eq!(
        headers,
        [("content-type", "application/json"), ("etag", "\"1\""), ("x-many", "a"), ("x-many", "b")]
    );
    assert_eq!(body.collect().await.unwrap().to_bytes(), "{}");
}
