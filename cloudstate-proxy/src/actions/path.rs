//! Which rpc of the protocol carries a call.

use http::uri::PathAndQuery;

use crate::service_catalog::Method;

/// By how many requests and replies the called rpc has.
pub(super) fn path(method: &Method) -> PathAndQuery {
    PathAndQuery::from_static(
        match (method.service.is_stateless_function, method.client_streaming, method.server_streaming) {
            (false, false, false) => "/cloudstate.action.ActionProtocol/handleUnary",
            (false, true, false) => "/cloudstate.action.ActionProtocol/handleStreamedIn",
            (false, false, true) => "/cloudstate.action.ActionProtocol/handleStreamedOut",
            (false, true, true) => "/cloudstate.action.ActionProtocol/handleStreamed",
            (true, false, false) => "/cloudstate.function.StatelessFunction/handleUnary",
            (true, true, false) => "/cloudstate.function.StatelessFunction/handleStreamedIn",
            (true, false, true) => "/cloudstate.function.StatelessFunction/handleStreamedOut",
            (true, true, true) => "/cloudstate.function.StatelessFunction/handleStreamed",
        },
    )
}
