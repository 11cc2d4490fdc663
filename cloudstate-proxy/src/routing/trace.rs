//! How one call led to another.

use std::{fmt, sync::Arc};

use crate::service_catalog::Method;

/// How many forwards and side effects may follow one client call, each caused by the one before.
pub(super) const MAX_HOPS: usize = 32;

/// The forwards and side effects that led to a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace(Arc<[String]>);

impl Trace {
    /// Whether the call is a client's own.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One hop more, from `method`; none when there were too many.
    pub(super) fn extended(&self, how: &str, method: &Method) -> Option<Self> {
        if self.0.len() >= MAX_HOPS {
            return None;
        }
        let hop = format!("{how} {}.{}", method.service.name, method.name);
        Some(Self(self.0.iter().cloned().chain([hop]).collect()))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|hop| write!(f, "\n  {hop}"))
    }
}
