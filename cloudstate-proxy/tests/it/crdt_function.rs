//! The CRDT entities of a scripted user function, and words for what they say.

use std::pin::Pin;

pub(crate) use cloudstate_proto::crdt::{crdt_stream_in::Message as In, crdt_stream_out::Message as Out};
use cloudstate_proto::{
    Any, ClientAction, Command, Entity, EntitySpec, Reply as WireReply, SideEffect, StreamCancelled,
    client_action::Action,
    crdt::{
        CrdtDelete, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse,
        CrdtStreamIn, CrdtStreamOut, CrdtStreamedMessage, PnCounterDelta, VoteDelta, crdt_delta::Delta,
        crdt_server::Crdt, crdt_state_action,
    },
    entity_type,
};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    contract::{self, Reply, any, spec_of},
    user_function::soon,
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

/// One CRDT entity's stream, as the user function holds it. Dropped, it is ended with OK.
pub(crate) struct CrdtStream {
    inbound: Streaming<CrdtStreamIn>,
    outbound: mpsc::UnboundedSender<Result<CrdtStreamOut, Status>>,
}

impl CrdtStream {
    /// The next message; none when the proxy half-closed.
    pub(crate) async fn next(&mut self) -> Option<In> {
        let message = soon("a message", self.inbound.next()).await?;
        Some(message.expect("the stream is intact").message.expect("a known message"))
    }

    pub(crate) async fn init(&mut self) -> CrdtInit {
        match self.next().await {
            Some(In::Init(init)) => init,
            other => panic!("init expected, got {other:?}"),
        }
    }

    pub(crate) async fn command(&mut self) -> Command {
        match self.next().await {
            Some(In::Command(command)) => command,
            other => panic!("command expected, got {other:?}"),
        }
    }

    pub(crate) async fn stream_cancelled(&mut self) -> StreamCancelled {
        match self.next().await {
            Some(In::StreamCancelled(cancelled)) => cancelled,
            other => panic!("stream_cancelled expected, got {other:?}"),
        }
    }

    /// The proxy half-closes, having sent nothing more.
    pub(crate) async fn half_closed(&mut self) {
        assert_eq!(self.next().await, None);
        assert!(!self.outbound.is_closed(), "the proxy gave the stream up instead");
    }

    /// The proxy gives the stream up: it reads no more of it.
    pub(crate) async fn given_up(&self) {
        soon("the stream to be given up", self.outbound.closed()).await;
    }

    /// Nothing has arrived that was not taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.inbound.next().now_or_never().is_none()
    }

    pub(crate) fn send(&self, message: Out) {
        // The proxy may have given up the stream.
        let _ = self.outbound.send(Ok(CrdtStreamOut { message: Some(message) }));
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

    /// Ends it with an error.
    pub(crate) fn fail(self, status: Status) {
        let _ = self.outbound.send(Err(status));
    }
}

/// A reply of the type `test.Reply`.
pub(crate) fn reply(command_id: i64, text: &str) -> CrdtReply {
    CrdtReply { command_id, client_action: Some(says(text)), ..CrdtReply::default() }
}

pub(crate) fn says(text: &str) -> ClientAction {
    let payload = any("Reply", &Reply { text: text.to_owned() });
    acting(Action::Reply(WireReply { payload: Some(payload), metadata: None }))
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

/// Hands the streams to the test.
pub(crate) struct CrdtEntities(pub(crate) mpsc::UnboundedSender<CrdtStream>);

#[tonic::async_trait]
impl Crdt for CrdtEntities {
    type handleStream = Pin<Box<dyn futures_util::Stream<Item = Result<CrdtStreamOut, Status>> + Send>>;

    async fn handle(
        &self,
        request: Request<Streaming<CrdtStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        let (outbound, messages) = mpsc::unbounded_channel();
        let _ = self.0.send(CrdtStream { inbound: request.into_inner(), outbound });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(messages))))
    }
}
