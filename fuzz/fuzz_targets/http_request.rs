//! An HTTP request, `<method> <path and query>` and, after a line break, a body: refused, or turned into a payload that
//! can be read, and back into a response.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use cloudstate_fuzz::CATALOG;
use cloudstate_proxy::{
    frontend::http_json::HttpJson,
    routing::{BoxFuture, Call, Calls, Failure, Replies, Reply, Requests},
};
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Method, Request, Uri};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;

static HTTP: LazyLock<HttpJson> = LazyLock::new(|| HttpJson::new(&CATALOG).expect("the routes are right"));

fuzz_target!(|input: &[u8]| {
    let Some(request) = request(input) else { return };
    let response = HTTP.serve(request, &Echo, 1 << 16).now_or_never();
    let response = response.expect("there is nothing to wait for");
    assert!(!response.status().is_server_error(), "{response:?}");
});

fn request(input: &[u8]) -> Option<Request<Full<Bytes>>> {
    let (line, body) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let space = line.iter().position(|byte| *byte == b' ')?;
    let method = Method::from_bytes(&line[..space]).ok()?;
    let uri = Uri::try_from(&line[space + 1..]).ok()?;
    Request::builder().method(method).uri(uri).body(Full::from(body.to_vec())).ok()
}

/// Answers with the request, or with an empty message if the reply is of another type.
struct Echo;

impl Calls for Echo {
    fn call(&self, Call { method, requests, .. }: Call) -> BoxFuture<Result<Reply, Failure>> {
        let Requests::One(payload) = requests else { panic!("the contract has no streams") };
        let input = CATALOG.schema().message_type(&method.input_type).expect("the type is in the contract");
        input.decode(payload.clone()).expect("what the frontend writes can be read");
        let payload = if method.output_type == method.input_type { payload } else { Bytes::new() };
        Box::pin(std::future::ready(Ok(Reply { payload: Some(payload), metadata: None })))
    }

    fn call_streamed(&self, call: Call) -> Replies {
        self.call(call).into_stream().boxed()
    }
}
