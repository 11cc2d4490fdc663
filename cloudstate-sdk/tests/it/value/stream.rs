//! The part of a proxy: the stream of one value entity.

use cloudstate_proto::client_action::Action;
use cloudstate_proto::valueentity::value_entity_client::ValueEntityClient;
use cloudstate_proto::valueentity::{
    ValueEntityInit, ValueEntityInitState, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut,
    value_entity_stream_in::Message as In, value_entity_stream_out::Message as Out,
};
use cloudstate_proto::{Any, Command, Failure};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Streaming;

use crate::proxy::{UserFunction, within};
use crate::value::model::MODEL;

pub(crate) struct Stream {
    requests: Option<mpsc::UnboundedSender<ValueEntityStreamIn>>,
    replies: Streaming<ValueEntityStreamOut>,
}

impl Stream {
    pub(crate) async fn open(function: &UserFunction) -> Self {
        let mut client = ValueEntityClient::new(function.channel().await).max_decoding_message_size(64 << 20);
        let (requests, receiver) = mpsc::unbounded_channel();
        let replies = within(client.handle(UnboundedReceiverStream::new(receiver))).await.unwrap();
        Self { requests: Some(requests), replies: replies.into_inner() }
    }

    /// Opens the stream of the model entity `id`, which was never set.
    pub(crate) async fn of_model(function: &UserFunction) -> Self {
        let mut stream = Self::open(function).await;
        stream.send(Some(init(None)));
        stream
    }

    pub(crate) fn send(&mut self, message: Option<In>) {
        // A stream that the user function has ended takes nothing more.
        let _ = self.requests.as_ref().unwrap().send(ValueEntityStreamIn { message });
    }

    pub(crate) fn command(&mut self, id: i64, payload: Any) {
        self.send(Some(command(id, payload)));
    }

    pub(crate) fn half_close(&mut self) {
        self.requests = None;
    }

    async fn next(&mut self) -> Option<Out> {
        within(self.replies.message()).await.unwrap().map(|out| out.message.unwrap())
    }

    pub(crate) async fn reply(&mut self) -> ValueEntityReply {
        match self.next().await {
            Some(Out::Reply(reply)) => reply,
            other => panic!("expected a reply, got {other:?}"),
        }
    }

    /// The failure that ends the stream, which must then complete well.
    pub(crate) async fn fault(&mut self) -> Failure {
        match self.next().await {
            Some(Out::Failure(failure)) => {
                self.expect_end().await;
                failure
            }
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.next().await, None);
    }
}

pub(crate) fn init(state: Option<Any>) -> In {
    In::Init(ValueEntityInit {
        service_name: MODEL.into(),
        entity_id: "id".into(),
        state: Some(ValueEntityInitState { value: state }),
    })
}

pub(crate) fn command(id: i64, payload: Any) -> In {
    In::Command(Command {
        entity_id: "id".into(),
        id,
        name: "Process".into(),
        payload: Some(payload),
        ..Default::default()
    })
}

pub(crate) fn action(reply: &ValueEntityReply) -> &Action {
    reply.client_action.as_ref().unwrap().action.as_ref().unwrap()
}

/// The failure of a refused command, which carries nothing else.
pub(crate) fn refusal(reply: &ValueEntityReply) -> &Failure {
    match action(reply) {
        Action::Failure(failure) => {
            assert_eq!(failure.command_id, reply.command_id);
            assert_eq!((&reply.side_effects[..], &reply.state_action), (&[][..], &None));
            failure
        }
        other => panic!("expected a failure, got {other:?}"),
    }
}
