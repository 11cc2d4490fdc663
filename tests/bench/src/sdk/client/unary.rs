use cloudstate_proto::action::ActionCommand;
use http::uri::PathAndQuery;
use tonic::{Request, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

use super::Connect;
use crate::{
    Error,
    load::Caller,
    sdk::kinds::{
        action::{SeenOfAction, UNARY_PATH, unary_command},
        payload,
    },
};

/// One call of an action after the other.
pub(crate) struct Unary {
    command: ActionCommand,
    grpc: Grpc<Channel>,
}

impl Connect for Unary {
    async fn open(channel: Channel, id: String) -> Result<Self, Error> {
        Ok(Self { command: unary_command(payload(&id)), grpc: Grpc::new(channel) })
    }
}

impl Caller for Unary {
    async fn call(&mut self) -> Result<(), Error> {
        self.grpc.ready().await?;
        let request = Request::new(self.command.clone());
        let path = PathAndQuery::from_static(UNARY_PATH);
        let answer: SeenOfAction = self.grpc.unary(request, path, ProstCodec::default()).await?.into_inner();
        if answer.is_reply() { Ok(()) } else { Err(format!("a call got {answer:?}").into()) }
    }
}
