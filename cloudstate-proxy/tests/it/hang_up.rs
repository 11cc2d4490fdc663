//! Clients that go away before they are answered.

use std::time::Duration;

use cloudstate_proto::SideEffect;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::explained,
    contract::{OTHERS, any, request},
    hosted::{host, host_with, metric, serving, settings},
    stopped_clock::StoppedClock,
    user_function::{Out, UserFunction, With, reply, soon},
};
use cloudstate_proxy::error_code::ErrorCode;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_the_entity_usable_and_its_command_is_carried_out() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let impatient = {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let (mut stream, _) = function.activation().await;
    assert_eq!(stream.command().await.id, 1);
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());

    // Queued behind it, from a client that stays.
    let patient = {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 2).await;
    let effect = SideEffect {
        service_name: OTHERS.to_owned(),
        command_name: "Do".to_owned(),
        payload: Some(any("Request", &request("e2", ""))),
        synchronous: true,
        metadata: None,
    };
    stream.send(Out::Reply(reply(1, "to nobody").with_events(["kept"]).with_effects(vec![effect])));
    let (mut target, init) = function.activation().await;
    assert_eq!(init.entity_id, "e2");
    target.answer("").await;
    assert_eq!(stream.answer("second").await.id, 2);
    assert_eq!(patient.await.unwrap().reply(), "second");
    metric(&proxy, r#"eventsourced_persisted_events_total{entity_name="test.things"}"#, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_is_counted_as_cancelled() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let impatient = {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    impatient.abort();
    let counted = |code| format!(r#"requests_total{{service="test.Things",method="Do",code="{code}"}}"#);
    metric(&proxy, &counted("CANCELLED"), 1).await;
    stream.reply(1, "to nobody");
    let patient = tokio::spawn(async move { client.act("e1", "").await });
    stream.answer("second").await;
    patient.await.unwrap().reply();
    metric(&proxy, &counted("OK"), 1).await;
    metric(&proxy, &counted("CANCELLED"), 1).await;
}

/// Half of a request, and the connection is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_off_reaches_no_entity() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let listen = serving(&proxy).await.listen;
    let mut socket = TcpStream::connect(listen).await.unwrap();
    let head = "POST /test.Things/Do HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100\r\n\r\n{\"id\":";
    socket.write_all(head.as_bytes()).await.unwrap();
    drop(socket);
    function.serve(|_, command| reply(command.id, "fine"));
    assert_eq!(client.act("e1", "").await.reply(), "fine");
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_never_finished_is_answered() {
    let function = UserFunction::new();
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(50);
    let (proxy, _client) = host_with(settings).await;
    let mut socket = TcpStream::connect(serving(&proxy).await.listen).await.unwrap();
    let head = "POST /test.Things/Do HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", socket.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let text = explained("test.Things/Do", ErrorCode::RequestStalled, "the request was not sent in time");
    assert!(answer.ends_with(&text), "{answer}");
}

/// As browsers and most clients over HTTP/1.1 do. More than the buffers of the sockets hold, so that it must be read.
#[tokio::test]
async fn a_client_that_reads_when_it_has_sent_everything_learns_that_it_was_too_much() {
    const SIZE: usize = 32 << 20;
    let function = UserFunction::new();
    let (proxy, _client) = host_with(settings(function.address)).await;
    let address = serving(&proxy).await.listen;
    // The client may take its time, but not for ever.
    let _clock = StoppedClock::new();
    for (content_type, said) in
        [("application/json", "HTTP/1.1 413 "), ("application/grpc-web+proto", "grpc-status: 8\r\n")]
    {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /test.Things/Do HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
             content-length: {SIZE}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut body = vec![b' '; SIZE];
        // What begins a message of gRPC.
        body[..5].copy_from_slice(b"\x00\x01\xff\xff\xfb");
        soon("the whole request sent", socket.write_all(&body)).await.unwrap();
        let mut answer = Vec::new();
        soon("an answer", socket.read_to_end(&mut answer)).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(said), "{content_type}: {answer}");
    }
}
