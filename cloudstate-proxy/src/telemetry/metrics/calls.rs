//! What is counted of calls, whatever answers them: by method and status code.

use std::sync::Arc;

use prometheus_client::{encoding::EncodeLabelSet, registry::Registry};

use super::families::{Counters, counters};
use crate::{code::Code, service_catalog::Method};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabel {
    service: Arc<str>,
    method: Arc<str>,
    /// As gRPC names it, `OK` or `NOT_FOUND`.
    code: &'static str,
}

pub(super) struct CallFamilies {
    requests: Counters<CallLabel>,
}

impl CallFamilies {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self { requests: counters(registry, "requests", "Calls that ended, by gRPC status code") }
    }

    /// No code is OK.
    pub(super) fn answered(&self, method: &Method, code: Option<Code>) {
        let label = CallLabel {
            service: Arc::clone(&method.service.name),
            method: Arc::clone(&method.name),
            code: code.map_or("OK", Code::name),
        };
        self.requests.get_or_create(&label).inc();
    }
}
