//! Actions: calls of one request and one reply, and calls that are streams of both.

use std::sync::LazyLock;

use bytes::Bytes;
use cloudstate_proto::action::{
    ActionCommand, ActionResponse, action_protocol_server::ActionProtocol, action_response,
};
use cloudstate_sdk::action::*;
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::{Conversation, canned_reply};
use crate::sdk::bare::{Bare, CannedAnswers};
use crate::sdk::contract::{By, Total, sums};

#[action(service = sums)]
#[derive(Default)]
pub(crate) struct Sums;

impl ActionService for Sums {
    type Error = Failure;
}

impl sums::Action for Sums {
    async fn echo(&self, by: By, _: &Context) -> Reply<Self, Total> {
        Ok(Total { value: by.amount }.into())
    }

    async fn running(&self, numbers: Requests<By>, _: &Context) -> StreamReply<Self, Total> {
        let mut value = 0;
        Ok(Replies::from_stream(numbers.map_ok(move |by| {
            value += by.amount;
            Total { value }
        })))
    }
}

/// Of a call with one request and one reply.
pub(crate) const UNARY_PATH: &str = "/cloudstate.action.ActionProtocol/handleUnary";

/// The one command of such a call.
pub(crate) fn unary_command(payload: Any) -> ActionCommand {
    ActionCommand { payload: Some(payload), ..of_rpc("Echo") }
}

fn of_rpc(name: &str) -> ActionCommand {
    let service_name = "bench.Sums".to_owned();
    ActionCommand { service_name, name: name.to_owned(), ..ActionCommand::default() }
}

/// `ActionResponse`, with all that the client does not look at left encoded.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SeenOfAction {
    #[prost(bytes = "bytes", tag = "2")]
    reply: Bytes,
}

impl SeenOfAction {
    pub(crate) fn is_reply(&self) -> bool {
        !self.reply.is_empty()
    }
}

static CANNED: LazyLock<ActionResponse> = LazyLock::new(|| ActionResponse {
    response: Some(action_response::Response::Reply(canned_reply())),
    ..ActionResponse::default()
});

/// A streamed call.
impl Conversation for Sums {
    const PATH: &'static str = "/cloudstate.action.ActionProtocol/handleStreamed";
    type In = ActionCommand;
    type Out = ActionResponse;
    type Seen = SeenOfAction;

    fn opening(_: &str) -> ActionCommand {
        of_rpc("Running")
    }

    fn command(_: &str, _: i64, payload: Any) -> ActionCommand {
        ActionCommand { payload: Some(payload), ..ActionCommand::default() }
    }

    fn canned_answer(message: &ActionCommand) -> Option<ActionResponse> {
        message.payload.is_some().then(|| CANNED.clone())
    }

    fn is_answer(seen: &SeenOfAction, _: i64) -> bool {
        seen.is_reply()
    }
}

#[tonic::async_trait]
impl ActionProtocol for Bare {
    type handleStreamedOutStream = CannedAnswers<Sums>;
    type handleStreamedStream = CannedAnswers<Sums>;

    async fn handle_unary(&self, _: Request<ActionCommand>) -> Result<Response<ActionResponse>, Status> {
        Ok(Response::new(CANNED.clone()))
    }

    async fn handle_streamed_in(
        &self,
        _: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<ActionResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn handle_streamed_out(
        &self,
        _: Request<ActionCommand>,
    ) -> Result<Response<Self::handleStreamedOutStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn handle_streamed(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<Self::handleStreamedStream>, Status> {
        Ok(CannedAnswers::to(request))
    }
}
