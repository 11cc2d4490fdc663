//! Clients: HTTP with JSON, and gRPC.

use std::time::Duration;

use crash_recovery::{Mark, Marks, Which};
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use tonic::{Request, Streaming, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

use crate::{book::Address, site::PATIENCE};

/// Reaches one proxy, over and over when it goes away.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        let base = format!("http://127.0.0.1:{port}");
        let connector = Channel::from_shared(base.clone()).unwrap().connect_timeout(Duration::from_secs(5));
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Self { channel: connector.connect_lazy(), http, base }
    }

    /// An error is the text of the answer that was no reply.
    pub(crate) async fn put(&self, to: &Address, id: u64) -> Result<(), String> {
        // Every other command comes as JSON.
        if id.is_multiple_of(2) {
            let body = format!(r#"{{"entity":"{}","id":"{id}"}}"#, to.entity);
            return self.post(&format!("/{}/Put", to.service), body).await;
        }
        let mark = Mark { entity: to.entity.clone(), id };
        self.call(to, "Put", mark).await
    }

    pub(crate) async fn read(&self, from: &Address) -> Result<Marks, String> {
        self.call(from, "Read", Which { entity: from.entity.clone() }).await
    }

    /// All marks of an entity, and again whenever there is another.
    pub(crate) async fn watch(&self, of: &Address) -> Streaming<Marks> {
        let path = PathAndQuery::try_from(format!("/{}/Watch", of.service)).unwrap();
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let which = Request::new(Which { entity: of.entity.clone() });
        grpc.server_streaming(which, path, ProstCodec::default()).await.unwrap().into_inner()
    }

    async fn call<I, O>(&self, to: &Address, rpc: &str, request: I) -> Result<O, String>
    where
        I: cloudstate_sdk::prost::Message + Send + Sync + 'static,
        O: cloudstate_sdk::prost::Message + Default + Send + Sync + 'static,
    {
        let path = PathAndQuery::try_from(format!("/{}/{rpc}", to.service)).unwrap();
        let mut grpc = Grpc::new(self.channel.clone());
        let answer = async {
            grpc.ready().await.map_err(|error| error.to_string())?;
            let answer = grpc.unary(Request::new(request), path, ProstCodec::default()).await;
            answer.map(tonic::Response::into_inner).map_err(|status| format!("gRPC {status}"))
        };
        in_time(answer).await
    }

    async fn post(&self, path: &str, json: String) -> Result<(), String> {
        let request =
            http::Request::post(format!("{}{path}", self.base)).header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(json))).unwrap();
        let answer = async {
            let answer = self.http.request(request).await.map_err(|error| format!("{error:?}"))?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
            if status.is_success() {
                return Ok(());
            }
            Err(format!("HTTP {status} {}", String::from_utf8_lossy(&body)))
        };
        in_time(answer).await
    }
}

/// Whoever asks gets an answer, if only that there is nobody.
async fn in_time<T>(answer: impl Future<Output = T>) -> T {
    timeout(PATIENCE, answer).await.expect("a command is answered, or its connection breaks")
}
