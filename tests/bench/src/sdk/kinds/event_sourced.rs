//! Event sourced entities: one event per command.

use std::sync::LazyLock;

use cloudstate_proto::eventsourced::{
    EventSourcedInit, EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
    event_sourced_server::EventSourced, event_sourced_stream_in as inbound,
    event_sourced_stream_out as outbound,
};
use cloudstate_sdk::event_sourced::*;
use tonic::{Request, Response, Status, Streaming};

use super::{Conversation, SeenOfEntity, any, canned_action, entity_command};
use crate::sdk::bare::{Bare, CannedAnswers};
use crate::sdk::contract::{By, Increased, Total, event_sourced_counter};

#[event_sourced_entity(service = event_sourced_counter, persistence_id = "event-sourced-counter")]
#[derive(Default)]
pub(crate) struct Counter {
    value: i64,
}

impl EventSourcedEntity for Counter {
    type Event = Increased;
    type Error = Failure;

    fn apply(&mut self, event: Increased) {
        self.value += event.amount;
    }
}

impl event_sourced_counter::EventSourced for Counter {
    fn increase(&self, by: By, _: &Context) -> Reply<Self, Total> {
        Ok(Effect::persist(Increased { amount: by.amount }).then_reply(Self::total))
    }
}

impl Counter {
    fn total(&self) -> Total {
        Total { value: self.value }
    }
}

static CANNED: LazyLock<EventSourcedReply> = LazyLock::new(|| EventSourcedReply {
    client_action: canned_action(),
    events: vec![any(&Increased { amount: 1 })],
    ..EventSourcedReply::default()
});

impl Conversation for Counter {
    const PATH: &'static str = "/cloudstate.eventsourced.EventSourced/handle";
    type In = EventSourcedStreamIn;
    type Out = EventSourcedStreamOut;
    type Seen = SeenOfEntity;

    fn opening(id: &str) -> EventSourcedStreamIn {
        let init = EventSourcedInit {
            service_name: "bench.EventSourcedCounter".to_owned(),
            entity_id: id.to_owned(),
            snapshot: None,
        };
        EventSourcedStreamIn { message: Some(inbound::Message::Init(init)) }
    }

    fn command(id: &str, number: i64, payload: Any) -> EventSourcedStreamIn {
        let command = entity_command(id, number, payload);
        EventSourcedStreamIn { message: Some(inbound::Message::Command(command)) }
    }

    fn canned_answer(message: &EventSourcedStreamIn) -> Option<EventSourcedStreamOut> {
        let Some(inbound::Message::Command(command)) = &message.message else { return None };
        let reply = EventSourcedReply { command_id: command.id, ..CANNED.clone() };
        Some(EventSourcedStreamOut { message: Some(outbound::Message::Reply(reply)) })
    }

    fn is_answer(seen: &SeenOfEntity, number: i64) -> bool {
        seen.is_answer(number)
    }
}

#[tonic::async_trait]
impl EventSourced for Bare {
    type handleStream = CannedAnswers<Counter>;

    async fn handle(
        &self,
        request: Request<Streaming<EventSourcedStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        Ok(CannedAnswers::to(request))
    }
}
