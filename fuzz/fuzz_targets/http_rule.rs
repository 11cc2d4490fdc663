//! A rule of `google.api.http`: lines with path template, body and response body. Refused, or served so that the sample
//! path finds its route.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_fuzz::spec;
use cloudstate_proto::{
    descriptor::{
        DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileDescriptorSet, Label,
        MethodDescriptorProto, MethodOptions, ServiceDescriptorProto, Type,
    },
    google::api::{HttpRule, http_rule::Pattern},
};
use cloudstate_proxy::{
    frontend::http_json::HttpJson,
    routing::{BoxFuture, Call, Calls, Failure, Replies, Reply},
    service_catalog::ServiceCatalog,
};
use futures_util::{FutureExt as _, StreamExt as _};
use http::{Request, StatusCode};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n').map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let rule = HttpRule {
        pattern: Some(Pattern::Post(next())),
        body: next(),
        response_body: next(),
        ..HttpRule::default()
    };
    let spec = spec(contract(rule).encode_to_vec().into(), ["Things".to_owned()]);
    let catalog = ServiceCatalog::new(spec, true).expect("but for the rule the contract is right");
    let Ok(http) = HttpJson::new(&Arc::new(catalog)) else { return };
    for route in http.routes() {
        let body = Full::<Bytes>::from(route.sample_body.clone().unwrap_or_default());
        let request = Request::post(&route.sample_path).body(body).expect("the sample path is one");
        let response = http.serve(request, &Nobody, 1 << 16).now_or_never().expect("nothing to wait for");
        assert_eq!(response.status(), StatusCode::OK, "{route:?}: {response:?}");
    }
});

/// One rpc with the rule.
fn contract(rule: HttpRule) -> FileDescriptorSet {
    let field = |name: &str, number, kind| FieldDescriptorProto {
        name: name.to_owned(),
        number,
        label: Label::Optional.into(),
        r#type: kind as i32,
        ..FieldDescriptorProto::default()
    };
    let options = Some(FieldOptions { entity_key: true, legacy_entity_key: false });
    let thing = DescriptorProto {
        name: "Thing".to_owned(),
        field: vec![
            FieldDescriptorProto { options, ..field("id", 1, Type::String) },
            field("number", 2, Type::Int32),
            FieldDescriptorProto { type_name: ".Thing".to_owned(), ..field("inner", 3, Type::Message) },
            FieldDescriptorProto { label: Label::Repeated.into(), ..field("texts", 4, Type::String) },
        ],
        ..DescriptorProto::default()
    };
    let rpc = MethodDescriptorProto {
        name: "Do".to_owned(),
        input_type: ".Thing".to_owned(),
        output_type: ".Thing".to_owned(),
        options: Some(MethodOptions { eventing: None, http: Some(rule) }),
        ..MethodDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: "things.proto".to_owned(),
        message_type: vec![thing],
        service: vec![ServiceDescriptorProto { name: "Things".to_owned(), method: vec![rpc] }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }
}

/// Answers with an empty message.
struct Nobody;

impl Calls for Nobody {
    fn call(&self, _: Call) -> BoxFuture<Result<Reply, Failure>> {
        Box::pin(std::future::ready(Ok(Reply { payload: Some(Bytes::new()), metadata: None })))
    }

    fn call_streamed(&self, call: Call) -> Replies {
        self.call(call).into_stream().boxed()
    }
}
