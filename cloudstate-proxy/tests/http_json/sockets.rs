//! Over a real connection: what a client reads off the wire.

use std::{convert::Infallible, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::proxy::{MAX_REQUEST_SIZE, Proxy};

/// Sends a raw request to a server that serves one connection; the raw response.
async fn exchange(proxy: Proxy, request: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Arc::new(proxy);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&proxy);
            async move { Ok::<_, Infallible>(proxy.http.serve(request, &proxy.calls, MAX_REQUEST_SIZE).await) }
        });
        // The client may have gone when the server wants to say more.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    server.await.unwrap();
    response
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let proxy = Proxy::shopping_cart();
    proxy.reply_with(&b"\x0a\x04\x0a\x02p1"[..]);
    let response = exchange(proxy, b"HEAD /carts/u1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("content-length: 53\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n"), "{response}");
}

#[tokio::test]
async fn a_chunked_body_is_read() {
    let request = b"POST /cart/u1/items/add HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
        5\r\n{\"nam\r\n8\r\ne\":\"tea\"\r\n1\r\n}\r\n0\r\n\r\n";
    let response = exchange(Proxy::shopping_cart(), request).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\n{}"), "{response}");
}

#[tokio::test]
async fn a_declared_length_beyond_the_limit_is_refused_unread() {
    let request =
        b"POST /cart/u1/items/add HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 99999999\r\n\r\n{";
    let response = exchange(Proxy::shopping_cart(), request).await;
    assert!(response.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{response}");
    let sentence =
        "AddItem: The request body is larger than 65536 bytes, the most that is accepted. Send less";
    assert!(response.contains(sentence), "{response}");
}
