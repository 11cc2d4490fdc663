//! Traces, for an OpenTelemetry collector. The proxy makes spans; without an exporter they cost next to nothing, and the
//! trace context of clients is passed on all the same.

use opentelemetry::global;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};

use crate::Error;

/// An exporter that works in the background.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// From now on spans are sent to the collector at `endpoint`. One that cannot be reached costs spans, never calls.
    pub(crate) fn export_to(endpoint: &str) -> Result<Self, Error> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|error| Error::Traces(endpoint.to_owned(), error))?;
        let mut resource = Resource::builder();
        if crate::environment("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("cloudstate-proxy");
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        global::set_tracer_provider(provider.clone());
        Ok(Self(provider))
    }

    /// Sends what is left.
    pub(crate) async fn flush(self) {
        // Blocks, for some seconds if the collector is away.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!("the last traces were not sent: {error}");
        }
    }
}
