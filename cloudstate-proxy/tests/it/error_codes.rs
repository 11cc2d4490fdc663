//! `cloudstate-error` and the sentence beside it: what the proxy itself found has a code for programs, and says people
//! what it is about and what to do.

use std::time::Duration;

use cloudstate_proto::client_action::Action;
use cloudstate_proxy::{Proxy, Settings, error_code::ErrorCode};
use http::{HeaderMap, Method};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Code;

use crate::{
    client::{Answer, Client, Page, explained, frame, frame_bytes},
    contract::{OTHERS, any, request},
    event_sourced_function::{Out, acting, refusal, reply},
    hosted::{host, host_with, ready, serving, settings},
    stopped_clock::StoppedClock,
    user_function::{UserFunction, soon},
};

const RELAY_TIMEOUT: Duration = Duration::from_millis(300);

/// A proxy that waits no longer than that.
async fn impatient(function: &UserFunction) -> (Proxy, Client) {
    host_with(Settings { relay_timeout: RELAY_TIMEOUT, ..settings(function.address) }).await
}

/// What comes of a call whose command an entity of `function` gets and leaves unanswered.
async fn unanswered<T: Send + 'static>(
    function: &mut UserFunction,
    call: impl Future<Output = T> + Send + 'static,
) -> T {
    let clock = StoppedClock::new();
    let call = tokio::spawn(call);
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    clock.pass(RELAY_TIMEOUT).await;
    call.await.unwrap()
}

fn error(headers: &HeaderMap) -> Option<&str> {
    headers.get("cloudstate-error").map(|code| code.to_str().unwrap())
}

/// A failure of this kind, with `text`, which concerns `subject`, over gRPC.
#[track_caller]
fn assert_grpc(answer: &Answer, failed: ErrorCode, subject: &str, text: &str) {
    assert_eq!(error(&answer.headers), Some(failed.as_str()), "{}", answer.text);
    assert_eq!(answer.text, explained(subject, failed, text));
    let status = format!("{:?}", failed.status());
    assert_eq!(format!("{:?}", answer.code), status, "{}", answer.text);
}

/// The same over HTTP.
#[track_caller]
fn assert_http(page: &Page, failed: ErrorCode, subject: &str, text: &str) {
    assert_eq!(error(&page.headers), Some(failed.as_str()), "{}", page.text());
    assert_eq!(page.text(), explained(subject, failed, text));
    assert_eq!(page.status.as_u16(), failed.status().http_status(), "{}", page.text());
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

#[tokio::test]
async fn grpc_clients_find_it_beside_the_status() {
    let mut function = UserFunction::new();
    let (_proxy, client) = impatient(&function).await;
    let answer = client.act("", "").await;
    assert_eq!((answer.code, error(&answer.headers)), (Code::InvalidArgument, Some("CS-1002")));
    let answer = client.call("test.Things/Undo", "e1", "").await;
    assert_eq!((answer.code, error(&answer.headers)), (Code::Unimplemented, Some("CS-1003")));
    let answer = unanswered(&mut function, async move { client.act("e1", "nobody answers").await }).await;
    assert_eq!((answer.code, error(&answer.headers)), (Code::DeadlineExceeded, Some("CS-2004")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_grpc_is_refused_with_a_code_and_the_name_of_the_rpc() {
    const CHECK: &str = "grpc.health.v1.Health/Check";
    const REFLECT: &str = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const REFLECT_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    let mut function = UserFunction::new();
    function.serve(|_, command| reply(command.id, "fine"));
    let (_proxy, client) = host(&function).await;
    let fine = frame(&request("e1", ""));
    let half = &fine[..fine.len() - 2];
    let large = frame_bytes(0, &[0; 64 * 1024 + 1]);
    let huge = frame_bytes(0, &[0; 4 * 1024 * 1024 + 1]);
    let snappy = ("grpc-encoding", "snappy");
    for (rpc, body, header, failed) in [
        ("test.Things/Do", &fine[..], Some(snappy), ErrorCode::UnknownCompression),
        ("test.Things/Do", half, None, ErrorCode::MalformedRequest),
        ("test.Things/Do", &huge, None, ErrorCode::RequestTooLarge),
        (CHECK, &fine, Some(snappy), ErrorCode::UnknownCompression),
        (CHECK, half, None, ErrorCode::MalformedRequest),
        (CHECK, &large, None, ErrorCode::RequestTooLarge),
        (REFLECT, &fine, Some(snappy), ErrorCode::UnknownCompression),
        (REFLECT, half, None, ErrorCode::MalformedRequest),
        (REFLECT_ALPHA, &large, None, ErrorCode::RequestTooLarge),
    ] {
        let answer = client.grpc_with(rpc, body, &Vec::from_iter(header)).await;
        assert_eq!(error(&answer.headers), Some(failed.as_str()), "{rpc}: {}", answer.text);
        assert!(answer.text.starts_with(&format!("{rpc}: ")), "{}", answer.text);
        assert!(answer.text.ends_with(failed.remedy()), "{}", answer.text);
        assert_eq!(format!("{:?}", answer.code), format!("{:?}", failed.status()), "{}", answer.text);
    }
    let json = [("content-type", "application/grpc+json"), ("te", "trailers")];
    let answer = Answer::from(client.http(Method::POST, "/test.Things/Do", &json, &fine).await);
    assert_eq!((answer.code, error(&answer.headers)), (Code::InvalidArgument, Some("CS-1005")));
    assert!(
        answer.text.starts_with("/test.Things/Do is not served with `content-type: application/grpc+json`")
    );
    assert_eq!(client.act("e1", "").await.reply(), "fine", "on the same connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_request_that_is_never_finished_is_told_so() {
    let function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(50);
    let (proxy, _client) = host_with(settings).await;
    for path in ["test.Things/Do", "grpc.health.v1.Health/Check"] {
        let mut socket = TcpStream::connect(serving(&proxy).await.listen).await.unwrap();
        let head = format!(
            "POST /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-type: application/grpc-web\r\ncontent-length: 100\r\n\r\n\0"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        soon("an answer", socket.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("grpc-status: 4\r\n"), "{answer}");
        assert!(answer.contains("cloudstate-error: CS-1006\r\n"), "{answer}");
        let text = format!("grpc-message: {path}:%20the%20request%20was%20not%20sent%20in%20time.%20");
        assert!(answer.contains(&text), "{answer}");
    }
}

#[tokio::test]
async fn failures_of_entities_name_service_method_and_entity() {
    let mut function = UserFunction::new();
    let (proxy, client) = impatient(&function).await;
    let act = |id: &'static str| {
        let client = client.clone();
        async move { client.act(id, "").await }
    };

    let text = "the command was not answered in time";
    let answer = unanswered(&mut function, act("e1")).await;
    assert_grpc(&answer, ErrorCode::NoAnswer, r#"test.Things/Do, entity "e1""#, text);
    let page = {
        let client = client.clone();
        unanswered(&mut function, async move { client.get("/things/e2").await }).await
    };
    assert_http(&page, ErrorCode::NoAnswer, r#"test.Things/Get, entity "e2""#, text);

    // The client is told which rpc of the chain failed.
    let clock = StoppedClock::new();
    let call = tokio::spawn(act("first"));
    let (mut stream, _) = function.activation().await;
    let command = stream.command().await;
    let forward = cloudstate_proto::Forward {
        service_name: OTHERS.to_owned(),
        command_name: "Do".to_owned(),
        payload: Some(any("Request", &request("second", ""))),
        metadata: None,
    };
    stream.send(Out::Reply(acting(command.id, Action::Forward(forward))));
    let (mut second, _) = function.activation().await;
    second.command().await;
    clock.pass(RELAY_TIMEOUT).await;
    let answer = call.await.unwrap();
    assert_grpc(&answer, ErrorCode::NoAnswer, r#"test.Others/Do, entity "second""#, text);

    drop(clock);
    function.kill();
    ready(&proxy, "the loss to be noticed", |status, _| status == 503).await;
    let answer = client.act("e1", "").await;
    assert_eq!(error(&answer.headers), Some("CS-2001"), "{}", answer.text);
    assert!(answer.text.starts_with(r#"test.Things/Do, entity "e1": "#), "{}", answer.text);
    assert!(answer.text.ends_with(ErrorCode::UserFunctionAway.remedy()), "{}", answer.text);
}

/// They come from outside.
#[tokio::test]
async fn entity_ids_are_quoted_and_escaped_and_cut() {
    let mut function = UserFunction::new();
    let (_proxy, client) = impatient(&function).await;
    let long = "ü".repeat(1000);
    for (id, shown) in [
        ("a \"b\"\r\n\u{1b}[31m\0", r#""a \"b\"\r\n\u{1b}[31m\0""#.to_owned()),
        (&long, format!("\"{}\"…", "ü".repeat(50))),
    ] {
        let subject = format!("test.Things/Do, entity {shown}");
        let (client, id) = (client.clone(), id.to_owned());
        let answer = unanswered(&mut function, async move { client.act(&id, "").await }).await;
        assert_grpc(&answer, ErrorCode::NoAnswer, &subject, "the command was not answered in time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentences_of_the_reference_proxy_stay_as_they_are() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.act("e1", "").await }
    });
    let (mut stream, _) = function.activation().await;
    let command = stream.command().await;
    stream.send(Out::Reply(reply(command.id + 1, "to nobody")));
    let answer = call.await.unwrap();
    assert_eq!((answer.code, error(&answer.headers)), (Code::Internal, Some("CS-2005")));
    assert_eq!(answer.text, "Unexpected entity reply");
}
