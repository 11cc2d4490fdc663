//! Clients as a person would use them: HTTP with JSON, and gRPC.

use http::{Method, Request, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use shopping_cart::com::example::shoppingcart as api;
use tonic::{Status, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Http {
    pub(crate) fn new(port: u16) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, base: format!("http://127.0.0.1:{port}") }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.try_get(path).await.expect("an answer")
    }

    pub(crate) async fn try_get(&self, path: &str) -> Option<Response> {
        self.send(Method::GET, path, None, "").await
    }

    pub(crate) async fn post(&self, path: &str, json: &str) -> Response {
        self.try_post(path, json).await.expect("an answer")
    }

    pub(crate) async fn try_post(&self, path: &str, json: &str) -> Option<Response> {
        self.send(Method::POST, path, Some("application/json"), json.to_owned()).await
    }

    /// None when the connection failed or broke.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Option<Response> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        self.answer(request.body(Full::new(body.into())).unwrap()).await
    }

    /// POSTs JSON as a part of a trace.
    pub(crate) async fn post_traced(&self, path: &str, json: &str, traceparent: &str) -> Response {
        let request = Request::post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("traceparent", traceparent);
        self.answer(request.body(json.to_owned().into()).unwrap()).await.expect("an answer")
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Option<Response> {
        let response = self.client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.ok()?.to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Some(Response { status, content_type: content_type.unwrap_or_default(), body })
    }

    pub(crate) async fn add(&self, user: &str, product: &str, quantity: i32) -> Response {
        self.try_add(user, product, quantity).await.expect("an answer")
    }

    pub(crate) async fn try_add(&self, user: &str, product: &str, quantity: i32) -> Option<Response> {
        let item = format!(r#"{{"productId":"{product}","name":"{product}","quantity":{quantity}}}"#);
        self.try_post(&format!("/cart/{user}/items/add"), &item).await
    }

    /// (product, quantity), sorted.
    pub(crate) async fn cart(&self, user: &str) -> Vec<(String, i64)> {
        let response = self.get(&format!("/carts/{user}")).await;
        assert_eq!(response.status, 200, "{}", response.body);
        let cart: Value = serde_json::from_str(&response.body).unwrap();
        let items = cart["items"].as_array().unwrap().iter();
        let items =
            items.map(|item| (item["productId"].as_str().unwrap(), item["quantity"].as_i64().unwrap()));
        let mut items: Vec<_> = items.map(|(product, quantity)| (product.to_owned(), quantity)).collect();
        items.sort();
        items
    }
}

/// The shopping cart over gRPC.
#[derive(Clone)]
pub(crate) struct Cart {
    grpc: Grpc<Channel>,
}

impl Cart {
    pub(crate) async fn connect(port: u16) -> Self {
        let channel =
            Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap().connect().await.unwrap();
        Self { grpc: Grpc::new(channel) }
    }

    pub(crate) async fn add(&mut self, user_id: &str, product_id: &str, quantity: i32) -> Result<(), Status> {
        let (user_id, product_id) = (user_id.to_owned(), product_id.to_owned());
        let name = product_id.clone();
        self.call("AddItem", api::AddLineItem { user_id, product_id, name, quantity }).await
    }

    pub(crate) async fn remove(&mut self, user_id: &str, product_id: &str) -> Result<(), Status> {
        let (user_id, product_id) = (user_id.to_owned(), product_id.to_owned());
        self.call("RemoveItem", api::RemoveLineItem { user_id, product_id }).await
    }

    pub(crate) async fn get(&mut self, user_id: &str) -> Result<api::Cart, Status> {
        self.call("GetCart", api::GetShoppingCart { user_id: user_id.to_owned() }).await
    }

    pub(crate) async fn call<I, O>(&mut self, rpc: &str, request: I) -> Result<O, Status>
    where
        I: cloudstate_sdk::prost::Message + Send + Sync + 'static,
        O: cloudstate_sdk::prost::Message + Default + Send + Sync + 'static,
    {
        self.grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::try_from(format!("/com.example.shoppingcart.ShoppingCart/{rpc}")).unwrap();
        let response = self.grpc.unary(tonic::Request::new(request), path, ProstCodec::default()).await?;
        Ok(response.into_inner())
    }
}
