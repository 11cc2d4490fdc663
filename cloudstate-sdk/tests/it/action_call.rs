//! The part of a proxy that calls actions.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cloudstate_proto::action::action_protocol_client::ActionProtocolClient;
use cloudstate_proto::action::{ActionCommand, ActionResponse, action_response};
use cloudstate_proto::{self as proto, Any};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Status};

use crate::proxy::{UserFunction, within};

/// A call of an action: what is sent, and the responses as they come.
pub(crate) struct ActionCall {
    requests: Option<mpsc::UnboundedSender<ActionCommand>>,
    responses: Pin<Box<dyn Stream<Item = Result<ActionResponse, Status>>>>,
}

impl UserFunction {
    /// A call whose first command is the whole input.
    pub(crate) async fn call_action(&self, rpc: &str, service: &str, name: &str, payload: Any) -> ActionCall {
        let command = ActionCommand { payload: Some(payload), ..action_command(service, name) };
        self.call_action_with(rpc, Request::new(command)).await
    }

    pub(crate) async fn call_action_with(&self, rpc: &str, command: Request<ActionCommand>) -> ActionCall {
        let mut client = ActionProtocolClient::new(self.channel().await).max_decoding_message_size(64 << 20);
        let responses: Pin<Box<dyn Stream<Item = _>>> = match rpc {
            "handleUnary" => Box::pin(tokio_stream::once(
                within(client.handle_unary(command)).await.map(tonic::Response::into_inner),
            )),
            "handleStreamedOut" => {
                Box::pin(within(client.handle_streamed_out(command)).await.unwrap().into_inner())
            }
            other => panic!("no such rpc: {other}"),
        };
        ActionCall { requests: None, responses }
    }

    /// A call whose input follows the first command.
    pub(crate) async fn open_action(&self, rpc: &str, service: &str, name: &str) -> ActionCall {
        let mut call = self.open_action_without_command(rpc).await;
        call.send_command(action_command(service, name));
        call
    }

    pub(crate) async fn open_action_without_command(&self, rpc: &str) -> ActionCall {
        let mut client = ActionProtocolClient::new(self.channel().await).max_decoding_message_size(64 << 20);
        let (requests, receiver) = mpsc::unbounded_channel();
        let request = Request::new(UnboundedReceiverStream::new(receiver));
        let responses: Pin<Box<dyn Stream<Item = _>>> = match rpc {
            "handleStreamedIn" => {
                let (answer, answered) = oneshot::channel();
                tokio::spawn(async move {
                    let response = client.handle_streamed_in(request).await;
                    let _ = answer.send(response.map(tonic::Response::into_inner));
                });
                Box::pin(ReceiverOfOne(Some(answered)))
            }
            // Returns as soon as the response headers are here, before anything was sent.
            "handleStreamed" => Box::pin(within(client.handle_streamed(request)).await.unwrap().into_inner()),
            other => panic!("no such rpc: {other}"),
        };
        ActionCall { requests: Some(requests), responses }
    }
}

pub(crate) fn action_command(service: &str, name: &str) -> ActionCommand {
    ActionCommand { service_name: service.into(), name: name.into(), ..Default::default() }
}

impl ActionCall {
    pub(crate) fn send(&mut self, payload: Any) {
        self.send_command(ActionCommand { payload: Some(payload), ..Default::default() });
    }

    pub(crate) fn send_command(&mut self, command: ActionCommand) {
        // A call that the user function has ended takes nothing more.
        let _ = self.requests.as_ref().unwrap().send(command);
    }

    pub(crate) fn half_close(&mut self) {
        self.requests = None;
    }

    pub(crate) async fn next(&mut self) -> Option<Result<ActionResponse, Status>> {
        within(self.responses.next()).await
    }

    pub(crate) async fn response(&mut self) -> ActionResponse {
        self.next().await.expect("the call ended").unwrap()
    }

    /// The text of the failure that is the next response.
    pub(crate) async fn failure(&mut self) -> proto::Failure {
        match self.response().await.response {
            Some(action_response::Response::Failure(failure)) => failure,
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    /// The message that is the next response.
    pub(crate) async fn reply<M: Message + Default>(&mut self) -> M {
        match self.response().await.response {
            Some(action_response::Response::Reply(reply)) => M::decode(reply.payload.unwrap().value).unwrap(),
            other => panic!("expected a reply, got {other:?}"),
        }
    }

    /// The gRPC status that ends the call.
    pub(crate) async fn status(&mut self) -> Status {
        self.next().await.expect("the call ended well").unwrap_err()
    }

    pub(crate) async fn expect_end(&mut self) {
        assert!(self.next().await.is_none());
    }
}

/// The response of a call that has one.
struct ReceiverOfOne(Option<oneshot::Receiver<Result<ActionResponse, Status>>>);

impl Stream for ReceiverOfOne {
    type Item = Result<ActionResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(receiver) = &mut self.0 else { return Poll::Ready(None) };
        let response = ready!(Pin::new(receiver).poll(context));
        self.0 = None;
        Poll::Ready(response.ok())
    }
}
