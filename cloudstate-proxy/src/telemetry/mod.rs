//! What the proxy tells about itself.

mod consumers;
mod failed_calls;
pub(crate) mod metrics;
pub(crate) mod spans;
pub(crate) mod trace_context;
pub(crate) mod watched;

pub(crate) use consumers::{ConsumerMetrics, KeptDeadLetters};
pub(crate) use failed_calls::FailedCalls;
