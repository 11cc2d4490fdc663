//! What the proxy tells about itself.

pub(crate) mod metrics;
