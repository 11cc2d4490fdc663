use std::fmt;

use super::ServiceCall;
use crate::payload::ProtobufMessage;

/// A call of one rpc of this user function that answers with a stream of `R`: the input of a test kit. It can be no
/// target of a forward or a side effect.
///
/// `cloudstate-build` generates a function per rpc that makes one: `presence::watch(request)`.
pub struct StreamCall<R> {
    pub(crate) call: ServiceCall<R>,
}

impl<R> StreamCall<R> {
    /// A call by name. Nothing checks that the rpc exists and answers with a stream of `R`: prefer the generated
    /// functions.
    pub fn new<M: ProtobufMessage>(service: &'static str, command: &'static str, payload: &M) -> Self {
        Self { call: ServiceCall::new(service, command, payload) }
    }
}

impl<R> fmt::Debug for StreamCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamCall").field(&self.call).finish()
    }
}
