//! A client: HTTP with JSON, and gRPC.

use http::{Method, Request, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tonic::{Status, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

use crate::site::in_time;

/// `shop.AddLineItem`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AddLineItem {
    #[prost(string, tag = "1")]
    pub(crate) user_id: String,
    #[prost(string, tag = "2")]
    pub(crate) product_id: String,
    #[prost(int32, tag = "3")]
    pub(crate) quantity: i32,
}

#[derive(Clone)]
pub(crate) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Self { http, base: format!("http://127.0.0.1:{port}") }
    }

    /// The status and the body; none when the connection failed or broke.
    pub(crate) async fn send(&self, method: Method, path: &str, json: &str) -> Option<(u16, String)> {
        in_time(path, async {
            let response = self.response(method, path, json).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some((status, String::from_utf8(body.to_vec()).unwrap()))
        })
        .await
    }

    async fn response(&self, method: Method, path: &str, json: &str) -> Option<http::Response<Incoming>> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").body(json.to_owned().into());
        self.http.request(request.unwrap()).await.ok()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, "").await.expect("an answer");
        assert_eq!(status, 200, "GET {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, json: &str) -> Value {
        let (status, body) = self.send(Method::POST, path, json).await.expect("an answer");
        assert_eq!(status, 200, "POST {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) async fn add(&self, user: &str, quantity: i32) -> Option<(u16, String)> {
        let item = format!(r#"{{"productId":"tea","quantity":{quantity}}}"#);
        self.send(Method::POST, &format!("/carts/{user}/items"), &item).await
    }

    /// How much tea is in a cart.
    pub(crate) async fn tea(&self, user: &str) -> i64 {
        let cart = self.get(&format!("/carts/{user}")).await;
        cart["items"][0]["quantity"].as_i64().unwrap_or_default()
    }

    /// A response of lines of JSON.
    pub(crate) async fn watch(&self, path: &str) -> Lines {
        let response = in_time(path, self.response(Method::GET, path, "")).await.expect("an answer");
        assert_eq!(response.status(), 200, "GET {path}");
        Lines { body: response.into_body(), read: Vec::new() }
    }

    /// Adds to a cart over gRPC.
    pub(crate) async fn add_by_grpc(&self, user_id: &str, quantity: i32) -> Result<(), Status> {
        let channel = Channel::from_shared(self.base.clone()).unwrap().connect().await.unwrap();
        let mut grpc = Grpc::new(channel);
        grpc.ready().await.unwrap();
        let command = AddLineItem { user_id: user_id.to_owned(), product_id: "tea".to_owned(), quantity };
        let path = PathAndQuery::from_static("/shop.Cart/AddItem");
        let reply = grpc.unary(tonic::Request::new(command), path, ProstCodec::<_, ()>::default());
        in_time("AddItem", reply).await.map(tonic::Response::into_inner)
    }
}

/// Dropped, the call is cancelled.
pub(crate) struct Lines {
    body: Incoming,
    read: Vec<u8>,
}

impl Lines {
    /// The next line; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = in_time("a line", self.body.frame()).await?.unwrap();
            self.read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
    }
}
