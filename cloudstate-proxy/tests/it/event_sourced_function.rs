//! The event sourced entities of a scripted user function, and words for what they say.

use std::sync::Arc;

pub(crate) use cloudstate_proto::eventsourced::event_sourced_stream_out::Message as Out;
use cloudstate_proto::{
    Any, ClientAction, Command, SideEffect,
    client_action::Action,
    eventsourced::{
        EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_server::EventSourced, event_sourced_stream_in::Message as In,
    },
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    contract,
    entity_stream::{Entities, EntityStream, Part, Protocol, Responses},
    user_function::failure,
};

pub(crate) struct EventSourcedProtocol;

/// One event sourced entity's stream.
pub(crate) type Stream = EntityStream<EventSourcedProtocol>;

impl Protocol for EventSourcedProtocol {
    type In = EventSourcedStreamIn;
    type Received = In;
    type Init = EventSourcedInit;
    type Out = EventSourcedStreamOut;
    type Said = Out;

    fn open(message: EventSourcedStreamIn) -> Option<In> {
        message.message
    }

    fn part(received: In) -> Part<EventSourcedInit, In> {
        match received {
            In::Init(init) => Part::Init(init),
            In::Command(command) => Part::Command(command),
            In::Event(_) => Part::Other(received),
        }
    }

    fn wrap(said: Out) -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: Some(said) }
    }
}

#[tonic::async_trait]
impl EventSourced for Entities<EventSourcedProtocol> {
    type handleStream = Responses<EventSourcedStreamOut>;

    async fn handle(
        &self,
        request: Request<Streaming<EventSourcedStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        Ok(self.opened(request))
    }
}

impl Stream {
    pub(crate) async fn event(&mut self) -> EventSourcedEvent {
        match self.next().await {
            Some(In::Event(event)) => event,
            other => panic!("event expected, got {other:?}"),
        }
    }

    pub(crate) fn reply(&self, command_id: i64, text: &str) {
        self.send(Out::Reply(reply(command_id, text)));
    }

    /// Answers the next command with its own id.
    pub(crate) async fn answer(&mut self, text: &str) -> Command {
        let command = self.command().await;
        self.reply(command.id, text);
        command
    }
}

/// One entity as the user function sees it.
#[derive(Debug, Default)]
pub(crate) struct Entity {
    pub(crate) id: String,
    /// The snapshot and the events that were replayed, and those that it emitted since.
    pub(crate) history: Vec<String>,
}

/// Answers every command of a stream by `answer`, and ends the stream when the proxy half-closes it.
pub(crate) async fn serve(
    mut stream: Stream,
    answer: Arc<impl Fn(&mut Entity, Command) -> EventSourcedReply + Send + Sync + 'static>,
) {
    let mut entity = Entity::default();
    while let Some(message) = stream.next_while_it_lasts().await {
        match message {
            In::Init(init) => {
                entity.id = init.entity_id;
                entity.history.extend(init.snapshot.map(|snapshot| text(snapshot.snapshot.unwrap())));
            }
            In::Event(event) => entity.history.push(text(event.payload.unwrap())),
            In::Command(command) => {
                let reply = answer(&mut entity, command);
                entity.history.extend(reply.events.iter().cloned().map(text));
                stream.send(Out::Reply(reply));
            }
        }
    }
}

fn text(payload: Any) -> String {
    String::from_utf8(payload.value.to_vec()).unwrap()
}

/// A reply of the type `test.Reply`.
pub(crate) fn reply(command_id: i64, text: &str) -> EventSourcedReply {
    acting(command_id, contract::replying(text))
}

/// A reply that does `action`.
pub(crate) fn acting(command_id: i64, action: Action) -> EventSourcedReply {
    let client_action = Some(ClientAction { action: Some(action) });
    EventSourcedReply { command_id, client_action, ..EventSourcedReply::default() }
}

/// A reply that fails the command.
pub(crate) fn refusal(command_id: i64, description: &str) -> EventSourcedReply {
    acting(command_id, Action::Failure(failure(command_id, description)))
}

pub(crate) trait With: Sized {
    fn with_events<const N: usize>(self, events: [&str; N]) -> Self;
    fn with_snapshot(self, snapshot: &str) -> Self;
    fn with_effects(self, effects: Vec<SideEffect>) -> Self;
}

impl With for EventSourcedReply {
    fn with_events<const N: usize>(self, events: [&str; N]) -> Self {
        Self { events: events.map(contract::stored).into(), ..self }
    }

    fn with_snapshot(self, snapshot: &str) -> Self {
        Self { snapshot: Some(contract::stored(snapshot)), ..self }
    }

    fn with_effects(self, side_effects: Vec<SideEffect>) -> Self {
        Self { side_effects, ..self }
    }
}
