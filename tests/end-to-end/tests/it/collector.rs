//! An OpenTelemetry collector that only remembers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span as WireSpan, span::SpanKind, status::StatusCode},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) url: String,
    /// With the moments in which they began: they come in the order in which they end, and not all at once.
    spans: Arc<Mutex<Vec<(u64, Span)>>>,
}

/// A span as a person sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty at the root.
    pub(crate) parent_id: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// What is said of a failure; none: there is no error.
    pub(crate) error: Option<String>,
    /// The program that made it.
    pub(crate) program: String,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", tcp.local_addr().unwrap());
        let collector = Self { url, spans: Arc::default() };
        let service = TraceServiceServer::new(collector.clone());
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(tcp)));
        collector
    }

    /// All spans of a trace, in the order in which they began.
    pub(crate) fn trace(&self, trace_id: &str) -> Vec<Span> {
        self.all().into_iter().filter(|span| span.trace_id == trace_id).collect()
    }

    pub(crate) fn all(&self) -> Vec<Span> {
        let mut spans = self.spans.lock().unwrap().clone();
        spans.sort_by_key(|(began, _)| *began);
        spans.into_iter().map(|(_, span)| span).collect()
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let of_program = attributes(&resource.resource.unwrap().attributes);
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let began = span.start_time_unix_nano;
                self.spans.lock().unwrap().push((began, read(span, &of_program["service.name"])));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn read(span: WireSpan, program: &str) -> Span {
    let status = span.status.clone().unwrap_or_default();
    Span {
        kind: span.kind(),
        trace_id: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        attributes: attributes(&span.attributes),
        error: (status.code() == StatusCode::Error).then_some(status.message),
        program: program.to_owned(),
        name: span.name,
    }
}

fn attributes(entries: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |entry: &KeyValue| match entry.value.clone().and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    entries.iter().map(|entry| (entry.key.clone(), text(entry))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
