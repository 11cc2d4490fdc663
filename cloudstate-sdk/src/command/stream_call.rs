use std::fmt;

use super::ServiceCall;
use crate::payload::ProtobufMessage;

/// A call of one rpc of this user function that answers with a stream of `R`: the input of a test kit, or, as a
/// [`ServiceCall`], the target of a forward: `Effect::forward(sums::count_to(request).into())`. Then all its replies take
/// the place of the one that forwards, if the caller takes a stream; one that does not gets the first.
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

impl<R> From<StreamCall<R>> for ServiceCall<R> {
    fn from(call: StreamCall<R>) -> Self {
        call.call
    }
}

impl<R> fmt::Debug for StreamCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamCall").field(&self.call).finish()
    }
}
