//! Counts how a client's call ends.

use std::sync::Arc;

use crate::{code::Code, entities::Environment, service_catalog::Method};

/// One call; if this is dropped before its end, nobody waits for it any longer.
pub(super) struct Count {
    environment: Arc<Environment>,
    method: Arc<Method>,
    /// None: OK.
    code: Option<Code>,
}

impl Count {
    pub(super) fn begin(environment: Arc<Environment>, method: Arc<Method>) -> Self {
        Self { environment, method, code: Some(Code::Cancelled) }
    }

    pub(super) fn end(mut self, code: Option<Code>) {
        self.code = code;
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.environment.metrics.answered(&self.method, self.code);
    }
}
