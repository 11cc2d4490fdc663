//! The CRDT entities of a scripted user function, and words for what they say.

pub(crate) use cloudstate_proto::crdt::{crdt_stream_in::Message as In, crdt_stream_out::Message as Out};
use cloudstate_proto::{
    Any, ClientAction, Command, Entity, EntitySpec, SideEffect, StreamCancelled,
    client_action::Action,
    crdt::{
        CrdtDelete, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse,
        CrdtStreamIn, CrdtStreamOut, CrdtStreamedMessage, PnCounterDelta, VoteDelta, crdt_delta::Delta,
        crdt_server::Crdt, crdt_state_action,
    },
    entity_type,
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    contract::{self, spec_of},
    entity_stream::{Entities, EntityStream, Part, Protocol, Responses},
};

pub(crate) const SETS: &str = "test.Sets";

const CONTRACT: &str = r#"
    syntax = "proto3";
    package test;
    import "cloudstate/entity_key.proto";
    import "google/api/annotations.proto";
    message Request { string id = 1 [(.cloudstate.entity_key) = true]; string text = 2; }
    message Reply { string text = 1; }
    service Sets {
        rpc Do(Request) returns (Reply) { option (google.api.http).post = "/sets/{id}"; }
        rpc Watch(Request) returns (stream Reply);
    }
    service Others { rpc Do(Request) returns (Reply); }
"#;

/// Two services of CRDT entities.
pub(crate) fn spec() -> EntitySpec {
    let mut spec = spec_of(CONTRACT, &[SETS, contract::OTHERS]);
    spec.entities = spec.entities.into_iter().map(crdt).collect();
    spec
}

fn crdt(entity: Entity) -> Entity {
    Entity { entity_type: entity_type::CRDT.to_owned(), ..entity }
}

pub(crate) struct CrdtProtocol;

/// One CRDT entity's stream.
pub(crate) type CrdtStream = EntityStream<CrdtProtocol>;

impl Protocol for CrdtProtocol {
    type In = CrdtStreamIn;
    type Received = In;
    type Init = CrdtInit;
    type Out = CrdtStreamOut;
    type Said = Out;

    fn open(message: CrdtStreamIn) -> Option<In> {
        message.message
    }

    fn part(received: In) -> Part<CrdtInit, In> {
        match received {
            In::Init(init) => Part::Init(init),
            In::Command(command) => Part::Command(command),
            other => Part::Other(other),
        }
    }

    fn wrap(said: Out) -> CrdtStreamOut {
        CrdtStreamOut { message: Some(said) }
    }
}

#[tonic::async_trait]
impl Crdt for Entities<CrdtProtocol> {
    type handleStream = Responses<CrdtStreamOut>;

    async fn handle(
        &self,
        request: Request<Streaming<CrdtStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        Ok(self.opened(request))
    }
}

impl CrdtStream {
    pub(crate) async fn stream_cancelled(&mut self) -> StreamCancelled {
        match self.next().await {
            Some(In::StreamCancelled(cancelled)) => cancelled,
            other => panic!("stream_cancelled expected, got {other:?}"),
        }
    }

    pub(crate) fn reply(&self, reply: CrdtReply) {
        self.send(Out::Reply(reply));
    }

    /// Answers the next command with this text and change.
    pub(crate) async fn answer(&mut self, text: &str, action: Option<CrdtStateAction>) -> Command {
        let command = self.command().await;
        self.reply(CrdtReply { state_action: action, ..reply(command.id, text) });
        command
    }

    /// Opens the client's stream of the next command with this text.
    pub(crate) async fn open(&mut self, text: &str) -> i64 {
        let command = self.command().await;
        assert!(command.streamed);
        self.reply(CrdtReply { streamed: true, ..reply(command.id, text) });
        command.id
    }

    pub(crate) fn element(&self, command_id: i64, text: &str) {
        let client_action = Some(says(text));
        self.streamed(CrdtStreamedMessage { command_id, client_action, ..CrdtStreamedMessage::default() });
    }

    pub(crate) fn streamed(&self, message: CrdtStreamedMessage) {
        self.send(Out::StreamedMessage(message));
    }

    pub(crate) fn cancelled(
        &self,
        command_id: i64,
        state_action: Option<CrdtStateAction>,
        side_effects: Vec<SideEffect>,
    ) {
        self.send(Out::StreamCancelledResponse(CrdtStreamCancelledResponse {
            command_id,
            side_effects,
            state_action,
        }));
    }
}

/// A reply of the type `test.Reply`.
pub(crate) fn reply(command_id: i64, text: &str) -> CrdtReply {
    CrdtReply { command_id, client_action: Some(says(text)), ..CrdtReply::default() }
}

pub(crate) fn says(text: &str) -> ClientAction {
    acting(contract::replying(text))
}

pub(crate) fn acting(action: Action) -> ClientAction {
    ClientAction { action: Some(action) }
}

pub(crate) fn updated(delta: Delta) -> Option<CrdtStateAction> {
    let update = crdt_state_action::Action::Update(CrdtDelta { delta: Some(delta) });
    Some(CrdtStateAction { action: Some(update), write_consistency: 0 })
}

pub(crate) fn deleted() -> Option<CrdtStateAction> {
    let delete = crdt_state_action::Action::Delete(CrdtDelete {});
    Some(CrdtStateAction { action: Some(delete), write_consistency: 0 })
}

pub(crate) fn counted(change: i64) -> Delta {
    Delta::Pncounter(PnCounterDelta { change })
}

pub(crate) fn voted(self_vote: bool) -> Option<CrdtStateAction> {
    updated(Delta::Vote(VoteDelta { self_vote, ..VoteDelta::default() }))
}

pub(crate) fn element(text: &str) -> Any {
    contract::stored(text)
}
