use cloudstate_proto as proto;

use super::ServiceCall;
use crate::Any;

/// Another call that the proxy makes because of a command. Its outcome is ignored.
///
/// Side effects run after the command's events are stored and before the caller is answered, in order, and at
/// most once: a proxy that crashes in between forgets them. Those of a forward are made whatever becomes of it: the rpc
/// that answers may still refuse. What must happen only if it does not is a side effect of that rpc.
#[derive(Clone, Debug, PartialEq)]
pub struct SideEffect {
    /// What is called. Its reply type does not matter here.
    pub call: ServiceCall<Any>,
    /// Whether what comes next waits until the call is done.
    pub synchronous: bool,
}

impl SideEffect {
    /// Started and not waited for.
    pub fn asynchronous<R>(call: ServiceCall<R>) -> Self {
        Self { call: call.untyped(), synchronous: false }
    }

    /// Waited for.
    pub fn synchronous<R>(call: ServiceCall<R>) -> Self {
        Self { call: call.untyped(), synchronous: true }
    }

    pub(crate) fn into_proto(self) -> proto::SideEffect {
        self.call.into_side_effect(self.synchronous)
    }

    pub(crate) fn from_proto(effect: proto::SideEffect) -> Self {
        let call = ServiceCall::from_parts(
            effect.service_name,
            effect.command_name,
            effect.payload,
            effect.metadata,
        );
        Self { call, synchronous: effect.synchronous }
    }
}
