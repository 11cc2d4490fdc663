//! What the proxy tells about itself.

mod consumers;
pub(crate) mod metrics;

pub(crate) use consumers::ConsumerMetrics;
