//! HTTP/JSON on the same port, over HTTP/1.1 and HTTP/2.

use http::Method;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    hosted::{host, serving},
    user_function::{UserFunction, reply, soon},
};

const JSON: (&str, &str) = ("content-type", "application/json");

fn echoing() -> UserFunction {
    let mut function = UserFunction::new();
    function.serve(|entity, command| reply(command.id, &format!("{} {}", command.name, entity.id)));
    function
}

/// Method, path, headers, body; status and the beginning of the answer.
type Case = (Method, &'static str, &'static [(&'static str, &'static str)], &'static str, u16, &'static str);

const CASES: [Case; 12] = [
    (Method::GET, "/things/a", &[], "", 200, r#"{"text":"Get a"}"#),
    (Method::GET, "/things/a?text=x", &[], "", 200, r#"{"text":"Get a"}"#),
    (Method::POST, "/test.Things/Do", &[JSON], r#"{"id":"a"}"#, 200, r#"{"text":"Do a"}"#),
    (Method::POST, "/test.Things/Do", &[], r#"{"id":"a"}"#, 200, r#"{"text":"Do a"}"#),
    (Method::POST, "/test.Others/Do", &[JSON], r#"{"id":"a","text":"b"}"#, 200, r#"{"text":"Do a"}"#),
    (Method::POST, "/test.Things/Do", &[JSON], "", 400, "test.Things/Do: the entity key `id` is empty"),
    (
        Method::POST,
        "/test.Things/Do",
        &[JSON],
        r#"{"id":5}"#,
        400,
        "test.Things/Do: The request body is not the JSON",
    ),
    (
        Method::POST,
        "/test.Things/Do",
        &[JSON],
        r#"{"id":"#,
        400,
        "test.Things/Do: The request body is not the JSON",
    ),
    (
        Method::POST,
        "/test.Things/Do",
        &[("content-type", "application/x-www-form-urlencoded")],
        "id=a",
        415,
        "test.Things/Do: The header `content-type: application/x-www-form-urlencoded` is not accepted",
    ),
    (Method::GET, "/things", &[], "", 404, "There is no route for /things."),
    // A rule takes the place of the default route.
    (Method::POST, "/test.Things/Get", &[JSON], r#"{"id":"a"}"#, 404, "There is no route"),
    (Method::DELETE, "/things/a", &[], "", 405, "DELETE is not possible here"),
];

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_over_http_2() {
    let function = echoing();
    let (_proxy, client) = host(&function).await;
    for (method, path, headers, body, status, text) in CASES {
        let page = client.http(method.clone(), path, headers, body.as_bytes()).await;
        assert_eq!(page.status.as_u16(), status, "{method} {path} {body}: {}", page.text());
        assert!(page.text().starts_with(text), "{method} {path} {body}: {}", page.text());
    }
}

/// All on one connection, which stays usable whatever was wrong with the request before.
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_over_http_1() {
    let function = echoing();
    let (proxy, _client) = host(&function).await;
    let tcp = TcpStream::connect(serving(&proxy).await.listen).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    for (method, path, headers, body, status, text) in CASES {
        let mut request = http::Request::builder().method(method.clone()).uri(path).header("host", "proxy");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(bytes::Bytes::from(body))).unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path} {body}");
        let found = response.into_body().collect().await.unwrap().to_bytes();
        assert!(found.starts_with(text.as_bytes()), "{method} {path} {body}: {found:?}");
    }
}

/// RFC 9113 has done away with it; whoever knows that the proxy speaks HTTP/2 begins with it.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_an_upgrade_to_http_2_is_answered_over_http_1() {
    let function = echoing();
    let (proxy, _client) = host(&function).await;
    let mut socket = TcpStream::connect(serving(&proxy).await.listen).await.unwrap();
    let request = "GET /things/a HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\n\
                   upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", socket.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with(r#"{"text":"Get a"}"#), "{answer}");
}
