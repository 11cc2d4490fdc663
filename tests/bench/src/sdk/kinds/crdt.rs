//! CRDT entities: one change of a counter per command.

use std::sync::LazyLock;

use cloudstate_proto::crdt::{
    CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamIn, CrdtStreamOut, PnCounterDelta, crdt_delta,
    crdt_server as server, crdt_state_action as state_action, crdt_stream_in as inbound,
    crdt_stream_out as outbound,
};
use cloudstate_sdk::crdt::*;
use tonic::{Request, Response, Status, Streaming};

use super::{Conversation, SeenOfEntity, canned_action, entity_command};
use crate::sdk::bare::{Bare, CannedAnswers};
use crate::sdk::contract::{By, Total, crdt_counter};

#[crdt_entity(service = crdt_counter)]
#[derive(Default)]
pub(crate) struct Counter {
    value: PNCounter,
}

impl CrdtEntity for Counter {
    type Error = Failure;
}

impl crdt_counter::Crdt for Counter {
    fn increase(&mut self, by: By, _: &Context) -> Reply<Self, Total> {
        self.value.increment(by.amount);
        Ok(Effect::reply(Total { value: self.value.value() }))
    }
}

static CANNED: LazyLock<CrdtReply> = LazyLock::new(|| {
    let delta = crdt_delta::Delta::Pncounter(PnCounterDelta { change: 1 });
    let update = state_action::Action::Update(CrdtDelta { delta: Some(delta) });
    CrdtReply {
        client_action: canned_action(),
        state_action: Some(CrdtStateAction { action: Some(update), ..CrdtStateAction::default() }),
        ..CrdtReply::default()
    }
});

impl Conversation for Counter {
    const PATH: &'static str = "/cloudstate.crdt.Crdt/handle";
    type In = CrdtStreamIn;
    type Out = CrdtStreamOut;
    type Seen = SeenOfEntity;

    fn opening(id: &str) -> CrdtStreamIn {
        let init =
            CrdtInit { service_name: "bench.CrdtCounter".to_owned(), entity_id: id.to_owned(), delta: None };
        CrdtStreamIn { message: Some(inbound::Message::Init(init)) }
    }

    fn command(id: &str, number: i64, payload: Any) -> CrdtStreamIn {
        let command = entity_command(id, number, payload);
        CrdtStreamIn { message: Some(inbound::Message::Command(command)) }
    }

    fn canned_answer(message: &CrdtStreamIn) -> Option<CrdtStreamOut> {
        let Some(inbound::Message::Command(command)) = &message.message else { return None };
        let reply = CrdtReply { command_id: command.id, ..CANNED.clone() };
        Some(CrdtStreamOut { message: Some(outbound::Message::Reply(reply)) })
    }

    fn is_answer(seen: &SeenOfEntity, number: i64) -> bool {
        seen.is_answer(number)
    }
}

#[tonic::async_trait]
impl server::Crdt for Bare {
    type handleStream = CannedAnswers<Counter>;

    async fn handle(
        &self,
        request: Request<Streaming<CrdtStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        Ok(CannedAnswers::to(request))
    }
}
