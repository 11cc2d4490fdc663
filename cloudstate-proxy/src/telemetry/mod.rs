//! What the proxy tells about itself.

mod failed_calls;
pub(crate) mod metrics;
pub(crate) mod spans;
pub(crate) mod trace_context;
pub(crate) mod watched;

pub(crate) use failed_calls::FailedCalls;
