//! A frontend in front of calls whose answer is known.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cloudstate_proxy::{
    error_code::ErrorCode,
    frontend::http_json::{HttpJson, ResponseBody},
    routing::{BoxFuture, Call, Calls, Failure, Replies, Reply, Requests},
    schema::{Message, MessageType},
    service_catalog::ServiceCatalog,
};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};

use crate::contracts;

pub(crate) const MAX_REQUEST_SIZE: usize = 64 * 1024;

pub(crate) struct Proxy {
    pub(crate) catalog: Arc<ServiceCatalog>,
    pub(crate) http: HttpJson,
    pub(crate) calls: CannedCalls,
}

/// Answers every call alike and remembers it.
pub(crate) struct CannedCalls {
    pub(crate) answer: Mutex<Result<Reply, Failure>>,
    /// What the next streamed call is answered; none: `answer` alone.
    pub(crate) replies: Mutex<Option<Replies>>,
    pub(crate) seen: Mutex<Vec<Call>>,
}

/// A response, read to its end; of what the proxy refuses, the sentence alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Calls for CannedCalls {
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>> {
        self.seen.lock().unwrap().push(call);
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async { answer })
    }

    fn call_streamed(&self, call: Call) -> Replies {
        let answer = Box::pin(self.call(call).into_stream());
        self.replies.lock().unwrap().take().unwrap_or(answer)
    }
}

impl CannedCalls {
    /// Takes the last call.
    #[track_caller]
    pub(crate) fn last(&self) -> Call {
        self.seen.lock().unwrap().pop().expect("the request was refused")
    }
}

impl Proxy {
    pub(crate) fn new(catalog: Arc<ServiceCatalog>) -> Self {
        let http = HttpJson::new(&catalog).unwrap();
        let answer = Mutex::new(Ok(Reply::default()));
        let calls = CannedCalls { answer, replies: Mutex::default(), seen: Mutex::default() };
        Self { catalog, http, calls }
    }

    pub(crate) fn shapes() -> Self {
        Self::new(contracts::catalog(contracts::SHAPES_SET.clone(), &["test.Shapes"]))
    }

    pub(crate) fn shopping_cart() -> Self {
        let descriptors = contracts::compile("shoppingcart/shoppingcart.proto", contracts::SHOPPING_CART);
        Self::new(contracts::catalog(descriptors, &["com.example.shoppingcart.ShoppingCart"]))
    }

    pub(crate) fn message_type(&self, name: &str) -> MessageType {
        self.catalog.schema().message_type(name).unwrap()
    }

    /// JSON in the form in which messages of this type are printed.
    pub(crate) fn normalized(&self, message_type: &str, json: &str) -> String {
        json_of(&self.message_type(message_type).from_json(json.as_bytes()).unwrap())
    }

    /// From now on, calls are answered with this message.
    pub(crate) fn reply_with(&self, payload: impl Into<Bytes>) {
        *self.calls.answer.lock().unwrap() = Ok(Reply { payload: Some(payload.into()), metadata: None });
    }

    pub(crate) async fn serve(&self, request: Request<Full<Bytes>>) -> Response<ResponseBody> {
        self.http.serve(request, &self.calls, MAX_REQUEST_SIZE).await
    }

    /// Sends `POST /path` with a body and, if it has one, a JSON content type.
    pub(crate) async fn send(&self, request_line: &str, body: &str) -> Answer {
        let (method, uri) = request_line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        Answer::read(self.serve(request).await).await
    }

    /// The rpc and the request message that a request arrives as, in JSON.
    #[track_caller]
    pub(crate) fn only_call(&self) -> (String, String) {
        let call = self.calls.last();
        assert!(self.calls.seen.lock().unwrap().is_empty(), "one request, several calls");
        let (method, request) = (call.method.clone(), only_request(call));
        let message = self.message_type(&method.input_type).decode(request).unwrap();
        (method.name.to_string(), json_of(&message))
    }
}

impl Answer {
    pub(crate) async fn read(response: Response<ResponseBody>) -> Self {
        let (head, body) = response.into_parts();
        let content_type = head.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let body = match head.headers.get("cloudstate-error") {
            Some(code) => sentence(code.to_str().unwrap(), &body),
            None => body,
        };
        Self { status: head.status.as_u16(), content_type: content_type.to_owned(), body }
    }

    pub(crate) fn json(body: &str) -> Self {
        Self { status: 200, content_type: "application/json".to_owned(), body: body.to_owned() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=UTF-8".to_owned(), body: body.to_owned() }
    }
}

/// The request message of a call that has one.
#[track_caller]
pub(crate) fn only_request(call: Call) -> Bytes {
    match call.requests {
        Requests::One(request) => request,
        Requests::Many(_) => panic!("a stream of requests"),
    }
}

fn json_of(message: &Message) -> String {
    String::from_utf8(message.to_json().unwrap()).unwrap()
}

/// What went wrong, out of a refusal that names the rpc, if there is one, before it and says behind it what to do.
fn sentence(code: &str, refusal: &str) -> String {
    let error = ErrorCode::ALL.iter().find(|error| error.as_str() == code).unwrap();
    let text = refusal.strip_suffix(error.remedy()).expect(refusal).trim_end();
    if *error == ErrorCode::NotServed {
        return text.to_owned();
    }
    let (subject, sentence) = text.split_once(": ").expect(refusal);
    let (rpc, _) = subject.split_once(", entity ").unwrap_or((subject, ""));
    assert_eq!(rpc.matches('/').count(), 1, "{refusal}");
    sentence.to_owned()
}
