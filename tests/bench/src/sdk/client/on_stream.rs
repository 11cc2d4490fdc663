use http::uri::PathAndQuery;
use tokio::{sync::mpsc, time};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

use super::{Connect, PATIENCE};
use crate::{
    Error,
    load::Caller,
    sdk::kinds::{Conversation, payload},
};

/// An entity's stream, or a streamed call. Between turns no command is outstanding.
pub(crate) struct OnStream<C: Conversation> {
    id: String,
    last_command: i64,
    payload: cloudstate_proto::Any,
    requests: mpsc::Sender<C::In>,
    replies: Streaming<C::Seen>,
}

impl<C: Conversation> Connect for OnStream<C> {
    async fn open(channel: Channel, id: String) -> Result<Self, Error> {
        let (requests, outbound) = mpsc::channel(1);
        requests.send(C::opening(&id)).await?;
        let mut grpc = Grpc::new(channel);
        grpc.ready().await?;
        let request = Request::new(ReceiverStream::new(outbound));
        let path = PathAndQuery::from_static(C::PATH);
        let replies = time::timeout(PATIENCE, grpc.streaming(request, path, ProstCodec::default())).await??;
        let payload = payload(&id);
        Ok(Self { id, last_command: 0, payload, requests, replies: replies.into_inner() })
    }
}

impl<C: Conversation> Caller for OnStream<C> {
    async fn call(&mut self) -> Result<(), Error> {
        self.last_command += 1;
        self.requests.send(C::command(&self.id, self.last_command, self.payload.clone())).await?;
        match self.replies.message().await? {
            Some(answer) if C::is_answer(&answer, self.last_command) => Ok(()),
            other => Err(format!("command {} of {} got {other:?}", self.last_command, self.id).into()),
        }
    }
}
