//! What a collector of traces is told of messages. The rest is seen in the end-to-end tests, with a real collector.

use std::sync::{Arc, Mutex};

use cloudstate_proto::{action::ActionCommand, metadata_entry::Value};
use opentelemetry::{
    global,
    trace::{SpanKind, Status as SpanStatus},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};

use crate::{
    action_calls::replying,
    client::frame,
    contract::request,
    eventing::spec,
    hosted::{host_with, settings},
    user_function::{UserFunction, soon},
};

/// Keeps what has ended.
#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Collector {
    /// The span of this kind in a trace.
    async fn span(&self, trace_id: &str, kind: SpanKind) -> SpanData {
        soon(&format!("a span of the kind {kind:?}"), async {
            loop {
                let spans = self.0.lock().unwrap().clone();
                let in_trace = |span: &SpanData| span.span_context.trace_id().to_string() == trace_id;
                let found = spans.into_iter().find(|span| in_trace(span) && span.span_kind == kind);
                if let Some(span) = found {
                    return span;
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        })
        .await
    }
}

fn attribute(span: &SpanData, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
}

fn traceparents(command: &ActionCommand) -> Vec<String> {
    let entries = command.metadata.iter().flat_map(|metadata| &metadata.entries);
    let values = entries.filter(|entry| entry.key == "traceparent").map(|entry| match &entry.value {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    });
    values.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_published_and_consumed_in_the_trace_of_the_call() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const CLIENT: &str = "b7ad6b7169203331";
    let collector = Collector::default();
    global::set_tracer_provider(SdkTracerProvider::builder().with_simple_exporter(collector.clone()).build());
    let mut function = UserFunction::with_spec(spec());
    let mut settings = settings(function.address);
    settings.spans = true;
    let (_proxy, client) = host_with(settings).await;

    let answer = tokio::spawn(async move {
        let parent = format!("00-{TRACE}-{CLIENT}-01");
        let body = frame(&request("", ""));
        client.grpc_with("test.Publisher/Publish", &body, &[("traceparent", &parent)]).await
    });
    function.action_call().await.respond(replying("extra"));
    assert_eq!(answer.await.unwrap().reply(), "extra");
    let mut reading = function.action_call().await;
    let message = reading.command().await;
    reading.reply("seen");

    let server = collector.span(TRACE, SpanKind::Server).await;
    let producer = collector.span(TRACE, SpanKind::Producer).await;
    let consumer = collector.span(TRACE, SpanKind::Consumer).await;
    assert_eq!(server.parent_span_id.to_string(), CLIENT);
    assert_eq!(producer.parent_span_id, server.span_context.span_id());
    assert_eq!(consumer.parent_span_id, producer.span_context.span_id());
    assert_eq!((&*server.name, &*producer.name), ("test.Publisher/Publish", "publish news"));
    assert_eq!(consumer.name, "test.Reader/Read");
    assert_eq!(attribute(&producer, "messaging.destination.name"), "news");
    assert_eq!(attribute(&producer, "messaging.operation.type"), "send");
    assert_eq!(attribute(&consumer, "cloudstate.cause"), "event");
    assert!([&server, &producer, &consumer].iter().all(|span| span.status == SpanStatus::Unset));
    // The action stands below the consumer.
    let expected = format!("00-{TRACE}-{}-01", consumer.span_context.span_id());
    assert_eq!(traceparents(&message), [expected]);
}
