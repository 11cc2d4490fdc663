//! One span for each call, for whoever collects traces; without a collector nothing is made.

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    global::{self, BoxedSpan, BoxedTracer},
    trace::{Span, SpanKind, Status, Tracer},
};

use super::trace_context::TraceContext;
use crate::{code::Code, routing::Failure, service_catalog::Method};

/// What led to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A client made it.
    Client,
    /// Another call was forwarded to it.
    Forward,
    /// Another call had it as a side effect, and waits for it.
    SideEffect,
    /// Another call had it as a side effect, and does not wait.
    AsyncSideEffect,
    /// A consumer received an event or a message.
    Event,
    /// A reply is published.
    Publication,
}

impl Cause {
    fn kind(self) -> SpanKind {
        match self {
            Cause::Client => SpanKind::Server,
            Cause::Forward | Cause::SideEffect => SpanKind::Client,
            Cause::AsyncSideEffect | Cause::Publication => SpanKind::Producer,
            Cause::Event => SpanKind::Consumer,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Cause::Client => "client",
            Cause::Forward => "forward",
            Cause::SideEffect | Cause::AsyncSideEffect => "side-effect",
            Cause::Event => "event",
            Cause::Publication => "publication",
        }
    }
}

/// Makes spans, if anybody wants them.
#[derive(Clone)]
pub(crate) struct Spans(Option<Arc<BoxedTracer>>);

impl Spans {
    /// Spans for the global tracer provider as it is now, or none at all.
    pub(crate) fn new(wanted: bool) -> Self {
        Self(wanted.then(|| Arc::new(global::tracer(env!("CARGO_PKG_NAME")))))
    }

    /// Begins the span of a call of `method`.
    pub(crate) fn start(&self, cause: Cause, method: &Method, parent: &TraceContext) -> CallSpan {
        let Some(tracer) = &self.0 else { return CallSpan::default() };
        let service = &method.service;
        let attributes = [
            // The rpc is one of gRPC, however the client reached it.
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", Arc::clone(&service.name)),
            KeyValue::new("rpc.method", Arc::clone(&method.name)),
            KeyValue::new("cloudstate.cause", cause.name()),
        ];
        CallSpan::begin(tracer, format!("{}/{}", service.name, method.name), cause, attributes, parent)
    }

    /// Begins the span of a message's publication, which that of its consumption has as its parent.
    pub(crate) fn publish(&self, topic: &str, parent: &TraceContext) -> CallSpan {
        let Some(tracer) = &self.0 else { return CallSpan::default() };
        let attributes = [
            KeyValue::new("messaging.system", "cloudstate"),
            KeyValue::new("messaging.destination.name", topic.to_owned()),
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.operation.type", "send"),
        ];
        CallSpan::begin(tracer, format!("publish {topic}"), Cause::Publication, attributes, parent)
    }
}

/// The span of one call. Dropped before its call has ended, it tells of a cancelled one.
#[derive(Default)]
pub(crate) struct CallSpan(Option<Open>);

struct Open {
    span: BoxedSpan,
    cause: Cause,
}

impl CallSpan {
    fn begin(
        tracer: &BoxedTracer,
        name: String,
        cause: Cause,
        attributes: [KeyValue; 4],
        parent: &TraceContext,
    ) -> Self {
        let builder = tracer.span_builder(name).with_kind(cause.kind()).with_attributes(attributes);
        Self(Some(Open { span: tracer.build_with_context(builder, &parent.as_parent()), cause }))
    }

    /// Whether there is somebody to tell.
    pub(crate) fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// What calls that follow have as their parent.
    pub(crate) fn context(&self) -> Option<TraceContext> {
        let context = TraceContext::of_span(self.0.as_ref()?.span.span_context());
        (!context.is_none()).then_some(context)
    }

    /// Tells which entity is called.
    pub(crate) fn set_entity(&mut self, entity_id: &str) {
        if let Some(Open { span, .. }) = &mut self.0 {
            span.set_attribute(KeyValue::new("cloudstate.entity.id", entity_id.to_owned()));
        }
    }

    /// The call has ended.
    pub(crate) fn end(mut self, failure: Option<&Failure>) {
        self.finish(failure.map(|failure| (failure.code.unwrap_or(Code::Unknown), &*failure.description)));
    }

    fn finish(&mut self, failure: Option<(Code, &str)>) {
        let Some(Open { mut span, cause }) = self.0.take() else { return };
        if cause != Cause::Publication {
            let code = failure.map_or(0, |(code, _)| code as i64);
            span.set_attribute(KeyValue::new("rpc.grpc.status_code", code));
        }
        if let Some((code, description)) = failure
            && (cause != Cause::Client || is_ours(code))
        {
            span.set_status(Status::error(description.to_owned()));
        }
        span.end();
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        self.finish(Some((Code::Cancelled, "the caller gave up")));
    }
}

/// Whether a call with this code failed on our side: the client's mistakes are no errors of a server.
fn is_ours(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unimplemented, Unknown};
    matches!(code, Unknown | DeadlineExceeded | Unimplemented | Internal | Unavailable | DataLoss)
}
