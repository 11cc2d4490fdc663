//! W3C trace context: a command that comes with one belongs to a trace, and so does what it leads to.

use cloudstate_proto as proto;
use cloudstate_proto::client_action::Action;

use super::{Metadata, SideEffect};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The `traceparent` and `tracestate` of a command; empty if it belongs to no trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Metadata);

impl Trace {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        if metadata.get(TRACEPARENT).is_none() {
            return Self::default();
        }
        let is_trace =
            |key: &str| [TRACEPARENT, TRACESTATE].iter().any(|name| key.eq_ignore_ascii_case(name));
        Self(
            metadata
                .iter()
                .filter(|(key, _)| is_trace(key))
                .map(|(key, value)| (key, value.clone()))
                .collect(),
        )
    }

    /// The span that log lines belong to; none for a command of no trace, since it would cost and tell nothing.
    pub(crate) fn span(&self, entity_id: &str, command: &str) -> tracing::Span {
        let Some(parent) = self.0.get(TRACEPARENT) else { return tracing::Span::none() };
        let trace_id = parent.split('-').nth(1).unwrap_or_default();
        let entity = (!entity_id.is_empty()).then_some(entity_id);
        tracing::info_span!("command", trace_id, command, entity)
    }

    /// Has a forward go on with the trace.
    pub(crate) fn lead_to(&self, action: &mut Action) {
        if let Action::Forward(forward) = action {
            self.lead_to_forward(forward);
        }
    }

    pub(crate) fn lead_to_forward(&self, forward: &mut proto::Forward) {
        if !self.0.is_empty() {
            let mut metadata = Metadata::from_proto(forward.metadata.take());
            self.add_to(&mut metadata);
            forward.metadata = metadata.into_proto();
        }
    }

    /// Has side effects go on with the trace.
    pub(crate) fn lead_to_all(&self, side_effects: &mut [SideEffect]) {
        for effect in side_effects {
            self.add_to(effect.call.metadata_mut());
        }
    }

    /// Metadata that names a trace is left as it is.
    fn add_to(&self, metadata: &mut Metadata) {
        if !metadata.contains(TRACEPARENT) {
            metadata.extend(self.0.iter().map(|(key, value)| (key, value.clone())));
        }
    }
}
