//! W3C trace context in the metadata of the protocol: which trace a call belongs to, and where it stands in it.

use std::sync::Arc;

use cloudstate_proto::{Metadata, MetadataEntry, metadata_entry::Value};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The `traceparent` of a call and the `tracestate` beside it, exactly as they came; or nothing, which costs nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TraceContext(Option<Arc<[MetadataEntry]>>);

impl TraceContext {
    /// What metadata says; it says nothing without a `traceparent`.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let entries = &metadata.entries;
        if !entries.iter().any(|entry| entry.key.eq_ignore_ascii_case(TRACEPARENT)) {
            return Self::default();
        }
        Self(Some(entries.iter().filter(|entry| is_of_trace_context(&entry.key)).cloned().collect()))
    }

    /// The context of a span.
    pub(super) fn of_span(span: &SpanContext) -> Self {
        let mut metadata = Metadata::default();
        let context = Context::new().with_remote_span_context(span.clone());
        TraceContextPropagator::new().inject_context(&context, &mut Carrier(&mut metadata));
        Self::of(&metadata)
    }

    /// For spans that have this as their parent; nothing, and what is no trace context, begins a new trace.
    pub(super) fn as_parent(&self) -> Context {
        TraceContextPropagator::new().extract_with_context(&Context::new(), self)
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Says in `metadata` what this says, instead of what it said before.
    pub(crate) fn write_to(&self, metadata: &mut Metadata) {
        metadata.entries.retain(|entry| !is_of_trace_context(&entry.key));
        metadata.entries.extend(self.entries().iter().cloned());
    }

    /// The metadata of a command that has no other.
    pub(crate) fn to_metadata(&self) -> Option<Metadata> {
        self.0.as_ref().map(|entries| Metadata { entries: entries.to_vec() })
    }

    /// The trace, for logs: 32 hexadecimal digits if the client kept to the rules, otherwise empty.
    pub(crate) fn trace_id(&self) -> &str {
        let trace_id = self.get(TRACEPARENT).and_then(|text| text.split('-').nth(1)).unwrap_or_default();
        let is_valid = trace_id.len() == 32 && trace_id.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_valid { trace_id } else { "" }
    }

    fn entries(&self) -> &[MetadataEntry] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// Whether `name`, of a header or of metadata, is one of those that tell the trace.
pub(crate) fn is_of_trace_context(name: &str) -> bool {
    [TRACEPARENT, TRACESTATE].iter().any(|key| name.eq_ignore_ascii_case(key))
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        let entry = self.entries().iter().find(|entry| entry.key.eq_ignore_ascii_case(key))?;
        match entry.value.as_ref()? {
            Value::StringValue(text) => Some(text),
            Value::BytesValue(_) => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.entries().iter().map(|entry| entry.key.as_str()).collect()
    }
}

/// Metadata that a trace context is written to.
struct Carrier<'a>(&'a mut Metadata);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty tracestate says nothing.
        if !value.is_empty() {
            let value = Some(Value::StringValue(value));
            self.0.entries.push(MetadataEntry { key: key.to_owned(), value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn metadata(entries: &[(&str, &str)]) -> Metadata {
        let entry = |(key, value): &(&str, &str)| MetadataEntry {
            key: (*key).to_owned(),
            value: Some(Value::StringValue((*value).to_owned())),
        };
        Metadata { entries: entries.iter().map(entry).collect() }
    }

    #[test]
    fn a_context_is_what_stands_in_metadata() {
        let all = [("a", "1"), ("Traceparent", PARENT), ("tracestate", "x=1"), ("tracestate", "y=2")];
        let context = TraceContext::of(&metadata(&all));
        assert_eq!(context.to_metadata(), Some(metadata(&all[1..])));
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn there_is_none_without_a_parent() {
        for entries in [&[][..], &[("a", "1")], &[("tracestate", "x=1")]] {
            assert!(TraceContext::of(&metadata(entries)).is_none(), "{entries:?}");
        }
    }

    #[test]
    fn it_replaces_another_one_and_leaves_the_rest() {
        let mut carrier = metadata(&[("tracestate", "x=1"), ("a", "1"), ("TRACEPARENT", "old")]);
        TraceContext::of(&metadata(&[("traceparent", PARENT)])).write_to(&mut carrier);
        assert_eq!(carrier, metadata(&[("a", "1"), ("traceparent", PARENT)]));
    }

    #[test]
    fn what_a_client_makes_up_is_no_trace() {
        let long = format!("00-{}-1-01", "a".repeat(33));
        for text in ["", "00", "00-\n-1-01", "00-xyz-1-01", &long] {
            let context = TraceContext::of(&metadata(&[("traceparent", text)]));
            assert_eq!(context.trace_id(), "", "{text:?}");
            assert!(!context.as_parent().has_active_span(), "{text:?}");
        }
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        let context = TraceContext::of(&metadata(&[("traceparent", PARENT), ("tracestate", "x=1,y=2")]));
        let parent = context.as_parent();
        assert_eq!(TraceContext::of_span(parent.span().span_context()), context);
    }
}
