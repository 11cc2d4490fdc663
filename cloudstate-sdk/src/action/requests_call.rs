use std::fmt;
use std::marker::PhantomData;

use super::Requests;
use super::call::Inbound;
use crate::payload::ProtobufMessage;

/// A call of one rpc of this user function with a stream of requests and a reply `R`: the input of a test kit.
///
/// `cloudstate-build` generates a function per rpc that makes one: `sums::sum(requests)`.
pub struct RequestsCall<R> {
    pub(crate) service: &'static str,
    pub(crate) command: &'static str,
    pub(crate) requests: Inbound,
    reply: PhantomData<fn() -> R>,
}

impl<R> RequestsCall<R> {
    /// A call by name. Nothing checks that the rpc exists: prefer the generated functions.
    pub fn new<M: ProtobufMessage>(
        service: &'static str,
        command: &'static str,
        requests: Requests<M>,
    ) -> Self {
        Self { service, command, requests: requests.into_inbound(), reply: PhantomData }
    }
}

impl<R> fmt::Debug for RequestsCall<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestsCall")
            .field("service", &self.service)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// A call of one rpc of this user function with streams of requests and of replies, each an `R`: the input of a test
/// kit.
///
/// `cloudstate-build` generates a function per rpc that makes one: `sums::running(requests)`.
#[derive(Debug)]
pub struct DuplexCall<R>(pub(crate) RequestsCall<R>);

impl<R> DuplexCall<R> {
    /// A call by name. Nothing checks that the rpc exists: prefer the generated functions.
    pub fn new<M: ProtobufMessage>(
        service: &'static str,
        command: &'static str,
        requests: Requests<M>,
    ) -> Self {
        Self(RequestsCall::new(service, command, requests))
    }
}
