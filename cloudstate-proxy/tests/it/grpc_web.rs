//! gRPC-Web, byte for byte, as browsers speak it; and who may call from a browser.

use std::net::SocketAddr;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes};
use cloudstate_proxy::{Proxy, Settings};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::TcpStream;

use crate::{
    client::{Client, Page, frame, frame_bytes},
    contract::{Reply, request},
    hosted::{host, host_with, serving, settings},
    user_function::{UserFunction, refusal, reply, soon},
};

const WEB: &str = "application/grpc-web";
const TEXT: &str = "application/grpc-web-text";

/// Answers `fail` with a failure and everything else with its id.
fn function() -> UserFunction {
    let mut function = UserFunction::new();
    function.serve(|entity, command| match entity.id.as_str() {
        "fail" => refusal(command.id, "no, 100 % no"),
        id => reply(command.id, id),
    });
    function
}

/// A POST over HTTP/1.1, as a browser without HTTP/2 sends it; status, headers, body.
async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> (StatusCode, HeaderMap, Bytes) {
    let tcp = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::post(path).header("host", "proxy");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let response = soon("a response", sender.send_request(request)).await.unwrap();
    let (head, body) = response.into_parts();
    (head.status, head.headers, soon("the body", body.collect()).await.unwrap().to_bytes())
}

fn message(text: &str) -> Bytes {
    frame_bytes(0, &Reply { text: text.to_owned() }.encode_to_vec())
}

fn trailers(lines: &str) -> Vec<u8> {
    let mut frame = vec![0x80];
    frame.put_u32(lines.len() as u32);
    frame.put_slice(lines.as_bytes());
    frame
}

#[tokio::test]
async fn a_call_in_each_encoding_over_each_version_of_http() {
    let function = function();
    let (proxy, client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    let request = frame(&request("e1", ""));
    // The library of the browsers encodes each piece by itself.
    let text_request = BASE64_STANDARD.encode(&request[..5]) + &BASE64_STANDARD.encode(&request[5..]);
    let end = trailers("grpc-status: 0\r\n");
    let binary = [&message("e1")[..], &end].concat();
    for (content_type, accept, body, expected_type) in [
        (WEB, "*/*", &request[..], WEB),
        ("application/grpc-web+proto", WEB, &request, "application/grpc-web+proto"),
        (TEXT, TEXT, text_request.as_bytes(), TEXT),
        (
            "application/grpc-web-text+proto",
            "*/*",
            text_request.as_bytes(),
            "application/grpc-web-text+proto",
        ),
        (WEB, TEXT, &request, "application/grpc-web-text+proto"),
        (TEXT, "application/grpc-web+proto", text_request.as_bytes(), "application/grpc-web+proto"),
    ] {
        let headers = [("content-type", content_type), ("accept", accept), ("x-grpc-web", "1")];
        let first = post(address, "/test.Things/Do", &headers, body.to_vec()).await;
        let page: Page = client.http(Method::POST, "/test.Things/Do", &headers, body).await;
        for (status, headers, body) in [first, (page.status, page.headers, page.body)] {
            assert_eq!(status, StatusCode::OK, "{headers:?}");
            assert_eq!(headers[CONTENT_TYPE], expected_type);
            assert!(!headers.contains_key("grpc-status"));
            let decoded = if expected_type.starts_with(TEXT) { decode_pieces(&body) } else { body.to_vec() };
            assert_eq!(decoded, binary, "{content_type} {accept}");
        }
    }
}

/// Base64 with padding in the middle.
fn decode_pieces(text: &[u8]) -> Vec<u8> {
    text.chunks(4).flat_map(|group| BASE64_STANDARD.decode(group).unwrap()).collect()
}

const NOT_BASE64: &str = "grpc-status: 13\r\ngrpc-message: test.Things/Do:%20the%20request%20body%20is%20not%20the%20base64%20that%20application/grpc-web-text%20needs.%20Mend%20the%20client:%20its%20library%20does%20not%20write%20gRPC%20as%20others%20do,%20or%20something%20on%20the%20way%20damages%20it.\r\ncloudstate-error: CS-1011\r\n";

#[tokio::test]
async fn failures_are_trailers_in_the_body_whatever_fails() {
    let function = function();
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    for (path, content_type, body, expected) in [
        (
            "/test.Things/Do",
            WEB,
            frame(&request("fail", "")),
            "grpc-status: 2\r\ngrpc-message: no,%20100%20%25%20no\r\n",
        ),
        (
            "/test.Things/Nothing",
            WEB,
            frame(&request("e1", "")),
            "grpc-status: 12\r\ngrpc-message: /test.Things/Nothing%20is%20not%20served%20here.%20Compare%20with%20the%20routes%20in%20the%20log,%20or%20by%20server%20reflection;%20is%20the%20user%20function%20the%20version%20you%20expect%3F\r\ncloudstate-error: CS-1003\r\n",
        ),
        ("/test.Things/Do", TEXT, Bytes::from_static(b"AAA!"), NOT_BASE64),
        ("/test.Things/Do", TEXT, Bytes::from_static(b"AAAAAA"), NOT_BASE64),
    ] {
        let headers = [("content-type", content_type)];
        let (status, headers, body) = post(address, path, &headers, body).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], content_type);
        let body = if content_type == TEXT { decode_pieces(&body) } else { body.to_vec() };
        assert_eq!(String::from_utf8_lossy(&body), String::from_utf8_lossy(&trailers(expected)), "{path}");
    }
}

#[tokio::test]
async fn only_post_is_grpc_web() {
    let function = function();
    let (_proxy, client) = host(&function).await;
    let page = client.http(Method::GET, "/test.Things/Do", &[("content-type", WEB)], b"").await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
}

async fn allowing(function: &UserFunction, origins: &[&str]) -> (Proxy, Client) {
    let cors_origins = origins.iter().map(|origin| HeaderValue::from_str(origin).unwrap()).collect();
    host_with(Settings { cors_origins, ..settings(function.address) }).await
}

const PREFLIGHT: [(&str, &str); 3] = [
    ("origin", "https://app.example.com"),
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "content-type,x-grpc-web"),
];

#[tokio::test]
async fn pages_of_other_origins_are_kept_out_unless_they_are_named() {
    let function = function();
    for (allowed, expected) in [
        (&[][..], None),
        (&["https://other.example.com"], None),
        (&["https://other.example.com", "https://app.example.com"], Some("https://app.example.com")),
        (&["*"], Some("*")),
    ] {
        let (_proxy, client) = allowing(&function, allowed).await;
        let header = |page: &Page, name: &str| {
            page.headers.get(name).map(|value| value.to_str().unwrap().to_ascii_lowercase())
        };
        let page = client.http(Method::OPTIONS, "/test.Things/Do", &PREFLIGHT, b"").await;
        assert!(page.status.is_success());
        assert_eq!(header(&page, "access-control-allow-origin").as_deref(), expected, "{allowed:?}");
        if expected.is_some() {
            assert_eq!(header(&page, "access-control-allow-headers").unwrap(), "content-type,x-grpc-web");
            assert_eq!(header(&page, "access-control-allow-methods").unwrap(), "post");
        }

        let headers = [("content-type", WEB), ("origin", "https://app.example.com")];
        let page = client.http(Method::POST, "/test.Things/Do", &headers, &frame(&request("e1", ""))).await;
        assert_eq!(header(&page, "access-control-allow-origin").as_deref(), expected, "{allowed:?}");
        if expected.is_some() {
            let exposed = header(&page, "access-control-expose-headers").unwrap();
            for name in ["grpc-status", "grpc-message"] {
                assert!(exposed.contains(name), "{exposed}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_without_an_origin_is_not_the_business_of_browsers() {
    let function = function();
    let (_proxy, client) = allowing(&function, &["*"]).await;
    let page = client.http(Method::OPTIONS, "/things/e1", &[], b"").await;
    assert_eq!(page.status, StatusCode::NO_CONTENT);
    assert_eq!(page.headers["allow"], "GET, HEAD, OPTIONS");
}
