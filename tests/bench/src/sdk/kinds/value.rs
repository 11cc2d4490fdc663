//! Value entities: one update per command.

use std::sync::LazyLock;

use cloudstate_proto::valueentity::{
    ValueEntityAction, ValueEntityInit, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut,
    ValueEntityUpdate, value_entity_action as state_action, value_entity_server as server,
    value_entity_stream_in as inbound, value_entity_stream_out as outbound,
};
use cloudstate_sdk::value::*;
use tonic::{Request, Response, Status, Streaming};

use super::{Conversation, SeenOfEntity, any, canned_action, entity_command};
use crate::sdk::bare::{Bare, CannedAnswers};
use crate::sdk::contract::{By, Total, value_counter};

#[value_entity(service = value_counter, persistence_id = "value-counter")]
#[derive(Default)]
pub(crate) struct Counter(Total);

impl ValueEntity for Counter {
    type Error = Failure;
}

impl value_counter::Value for Counter {
    fn increase(&self, by: By, _: &Context) -> Reply<Self, Total> {
        let total = Total { value: self.0.value + by.amount };
        Ok(Effect::update(total).reply(total))
    }
}

static CANNED: LazyLock<ValueEntityReply> = LazyLock::new(|| {
    let update = ValueEntityUpdate { value: Some(any(&Total { value: 1 })) };
    ValueEntityReply {
        client_action: canned_action(),
        state_action: Some(ValueEntityAction { action: Some(state_action::Action::Update(update)) }),
        ..ValueEntityReply::default()
    }
});

impl Conversation for Counter {
    const PATH: &'static str = "/cloudstate.valueentity.ValueEntity/handle";
    type In = ValueEntityStreamIn;
    type Out = ValueEntityStreamOut;
    type Seen = SeenOfEntity;

    fn opening(id: &str) -> ValueEntityStreamIn {
        let init = ValueEntityInit {
            service_name: "bench.ValueCounter".to_owned(),
            entity_id: id.to_owned(),
            state: None,
        };
        ValueEntityStreamIn { message: Some(inbound::Message::Init(init)) }
    }

    fn command(id: &str, number: i64, payload: Any) -> ValueEntityStreamIn {
        let command = entity_command(id, number, payload);
        ValueEntityStreamIn { message: Some(inbound::Message::Command(command)) }
    }

    fn canned_answer(message: &ValueEntityStreamIn) -> Option<ValueEntityStreamOut> {
        let Some(inbound::Message::Command(command)) = &message.message else { return None };
        let reply = ValueEntityReply { command_id: command.id, ..CANNED.clone() };
        Some(ValueEntityStreamOut { message: Some(outbound::Message::Reply(reply)) })
    }

    fn is_answer(seen: &SeenOfEntity, number: i64) -> bool {
        seen.is_answer(number)
    }
}

#[tonic::async_trait]
impl server::ValueEntity for Bare {
    type handleStream = CannedAnswers<Counter>;

    async fn handle(
        &self,
        request: Request<Streaming<ValueEntityStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        Ok(CannedAnswers::to(request))
    }
}
