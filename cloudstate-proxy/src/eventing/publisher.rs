//! Publishing the replies of methods with `eventing.out`.

use std::sync::Arc;

use cloudstate_proto::Reply;

use super::{
    cloud_event,
    topics::{Message, Topics},
};
use crate::{
    error_code::ErrorCode,
    routing::Failure,
    service_catalog::Method,
    telemetry::{spans::Spans, trace_context::TraceContext},
};

/// Publishes replies before their callers get them.
#[derive(Clone)]
pub(crate) struct Publisher {
    topics: Arc<dyn Topics>,
    spans: Spans,
}

impl Publisher {
    pub(crate) fn new(topics: Arc<dyn Topics>, spans: Spans) -> Self {
        Self { topics, spans }
    }

    /// Publishes `reply` to the topic of `method`, if there is one, with the payload that the user function gave it; a
    /// reply without payload is no message. The message continues the trace that its metadata names, or else the one that
    /// the call stands in, at `context`.
    pub(crate) async fn publish(
        &self,
        method: &Method,
        reply: &Reply,
        context: &TraceContext,
    ) -> Result<(), Failure> {
        let (Some(topic), Some(payload)) = (method.publishes(), &reply.payload) else { return Ok(()) };
        let mut metadata = cloud_event::of_reply(&method.service.name, payload, reply.metadata.clone());
        let said = TraceContext::of(&metadata);
        let parent = if said.is_none() { context } else { &said };
        let span = self.spans.publish(topic, parent);
        span.context().as_ref().unwrap_or(parent).write_to(&mut metadata);
        let subject = cloud_event::subject(&metadata).unwrap_or_default().into();
        let message = Message { topic: topic.into(), subject, payload: payload.clone(), metadata };
        let published = self.topics.publish(message).await;
        let published = published.map_err(|error| Failure::new(ErrorCode::NotPublished, error.to_string()));
        span.end(published.as_ref().err());
        published
    }
}
