//! `cloudstate-error`: what the proxy itself found has a code for programs.

use std::time::Duration;

use http::Method;
use tonic::Code;

use crate::{
    hosted::{host, host_with, settings},
    user_function::{UserFunction, refusal},
};

fn error(headers: &http::HeaderMap) -> Option<&str> {
    headers.get("cloudstate-error").map(|code| code.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn http_clients_find_it_in_a_header() {
    let mut function = UserFunction::new();
    function.serve(|_, command| refusal(command.id, "no"));
    let (_proxy, client) = host(&function).await;
    for (method, path, body, status, code) in [
        (Method::GET, "/nowhere", "", 404, Some("CS-1003")),
        (Method::DELETE, "/things/e1", "", 405, Some("CS-1003")),
        (Method::POST, "/test.Things/Do", "{", 400, Some("CS-1001")),
        (Method::POST, "/test.Things/Do", "{}", 400, Some("CS-1002")),
        // What the user function decides is no error of the proxy.
        (Method::GET, "/things/e1", "", 500, None),
    ] {
        let page = client.http(method, path, &[], body.as_bytes()).await;
        assert_eq!((page.status.as_u16(), error(&page.headers)), (status, code), "{path}: {}", page.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_clients_find_it_beside_the_status() {
    let function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(200);
    let (_proxy, client) = host_with(settings).await;
    let answer = client.act("", "").await;
    assert_eq!((answer.code, error(&answer.headers)), (Code::InvalidArgument, Some("CS-1002")));
    let answer = client.call("test.Things/Undo", "e1", "").await;
    assert_eq!((answer.code, error(&answer.headers)), (Code::Unimplemented, Some("CS-1003")));
    let answer = client.act("e1", "nobody answers").await;
    assert_eq!((answer.code, error(&answer.headers)), (Code::DeadlineExceeded, Some("CS-2004")));
}
