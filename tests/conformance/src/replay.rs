//! Plays the service, from the scenarios themselves: it says what they expect, or fails to in one place. So every
//! scenario of every area is seen to pass, and every single expectation is seen to fail.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cloudstate_proto::{
    Any, ClientAction,
    action::{
        ActionCommand, ActionResponse,
        action_protocol_server::{ActionProtocol, ActionProtocolServer},
        action_response,
    },
    client_action,
    crdt::{CrdtStreamIn, CrdtStreamOut, crdt_server, crdt_stream_out},
    eventsourced::{
        EventSourcedStreamIn, EventSourcedStreamOut, event_sourced_server, event_sourced_stream_out,
    },
    valueentity::{ValueEntityStreamIn, ValueEntityStreamOut, value_entity_server, value_entity_stream_out},
};
use futures_util::{StreamExt as _, stream};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server, server::Router},
};

use crate::{
    conversation,
    protocol::{Action, ActionCall, Crdt, EventSourced, Protocol, ValueEntity},
    scenario::{self, Line, Scenario, Script, Step},
};

/// What to do next in a call.
enum Move<M> {
    Hear,
    Say(M),
    HearEnd,
}

/// What to do in one call.
struct Part<M> {
    rpc: Rpc,
    moves: VecDeque<Move<M>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Rpc {
    Unary,
    StreamedIn,
    StreamedOut,
    Streamed,
}

impl Rpc {
    /// Whether gRPC itself sees to it that there is one answer.
    fn has_one_answer(self) -> bool {
        matches!(self, Self::Unary | Self::StreamedIn)
    }
}

#[derive(Clone, Copy, Debug)]
enum Sabotage {
    Silent,
    Twice,
    Spoilt,
}

trait Replayed: Protocol {
    fn rpc(call: &Self::Call) -> Rpc;

    /// Changes one thing that no scenario forgives.
    fn spoil(message: &mut Self::Out);

    fn router(parts: VecDeque<Part<Self::Out>>) -> Router;
}

/// The parts of a script, where each choice between alternatives is the same.
fn parts<P: Replayed>(script: &[Line<P>], choice: usize) -> VecDeque<Part<P::Out>> {
    let mut parts = VecDeque::new();
    add_moves(script, choice, &mut parts);
    parts
}

fn add_moves<P: Replayed>(script: &[Line<P>], choice: usize, parts: &mut VecDeque<Part<P::Out>>) {
    for line in script {
        if let Step::Open(call) = &line.step {
            parts.push_back(Part { rpc: P::rpc(call), moves: VecDeque::new() });
            continue;
        }
        if let Step::Either(alternatives) = &line.step {
            add_moves(&alternatives[choice % alternatives.len()], choice, parts);
            continue;
        }
        let moves = &mut parts.back_mut().unwrap().moves;
        match &line.step {
            Step::Send(_) => moves.push_back(Move::Hear),
            Step::HalfClose => moves.push_back(Move::HearEnd),
            Step::Expect(expected) => moves.push_back(Move::Say(expected.message.clone())),
            Step::InAnyOrder(expected) => {
                moves.extend(expected.iter().rev().map(|expected| Move::Say(expected.message.clone())));
            }
            _ => {}
        }
    }
}

/// Does it to the message that is said as the `target`th. None when there are fewer, or when it cannot be done to it.
fn sabotage<P: Replayed>(parts: &mut VecDeque<Part<P::Out>>, target: usize, how: Sabotage) -> Option<()> {
    let mut said = 0;
    for part in parts {
        for index in 0..part.moves.len() {
            let Move::Say(message) = &mut part.moves[index] else { continue };
            said += 1;
            if said <= target {
                continue;
            }
            match how {
                Sabotage::Spoilt => P::spoil(message),
                Sabotage::Silent => drop(part.moves.remove(index)),
                // It cannot be said, so it is spoilt instead.
                Sabotage::Twice if part.rpc.has_one_answer() => P::spoil(message),
                Sabotage::Twice => {
                    let again = message.clone();
                    part.moves.insert(index, Move::Say(again));
                }
            }
            return Some(());
        }
    }
    None
}

async fn replay<I, M>(
    moves: VecDeque<Move<M>>,
    mut messages: impl stream::Stream<Item = Result<I, Status>> + Unpin,
    answers: mpsc::Sender<Result<M, Status>>,
) {
    for step in moves {
        match step {
            Move::Hear => drop(messages.next().await),
            Move::HearEnd => while messages.next().await.is_some() {},
            // Who no longer listens does not matter here.
            Move::Say(message) => drop(answers.send(Ok(message)).await),
        }
    }
}

struct Replay<P: Protocol>(Mutex<VecDeque<Part<P::Out>>>);

impl<P: Protocol> Replay<P> {
    fn answers<I: Send + 'static>(
        &self,
        rpc: Rpc,
        messages: impl stream::Stream<Item = Result<I, Status>> + Send + Unpin + 'static,
    ) -> ReceiverStream<Result<P::Out, Status>> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = parts.iter().position(|part| part.rpc == rpc).unwrap();
        let part = parts.remove(next).unwrap();
        let (sender, answers) = mpsc::channel(8);
        tokio::spawn(replay(part.moves, messages, sender));
        ReceiverStream::new(answers)
    }

    async fn answer<I: Send + 'static>(
        &self,
        rpc: Rpc,
        messages: impl stream::Stream<Item = Result<I, Status>> + Send + Unpin + 'static,
    ) -> Result<Response<P::Out>, Status> {
        let answer = self.answers(rpc, messages).next().await;
        answer.unwrap_or_else(|| Err(Status::internal("nothing to say"))).map(Response::new)
    }
}

macro_rules! replay_entity {
    ($protocol:ty, $module:ident, $service:ident, $server:ident, $in:ty, $out:ty, $spoil:path) => {
        #[tonic::async_trait]
        impl $module::$service for Replay<$protocol> {
            type handleStream = ReceiverStream<Result<$out, Status>>;

            async fn handle(
                &self,
                request: Request<Streaming<$in>>,
            ) -> Result<Response<Self::handleStream>, Status> {
                Ok(Response::new(self.answers(Rpc::Streamed, request.into_inner())))
            }
        }

        impl Replayed for $protocol {
            fn rpc((): &()) -> Rpc {
                Rpc::Streamed
            }

            fn spoil(message: &mut $out) {
                $spoil(message);
            }

            fn router(parts: VecDeque<Part<$out>>) -> Router {
                Server::builder().add_service($module::$server::new(Replay::<$protocol>(Mutex::new(parts))))
            }
        }
    };
}

replay_entity!(
    EventSourced,
    event_sourced_server,
    EventSourced,
    EventSourcedServer,
    EventSourcedStreamIn,
    EventSourcedStreamOut,
    spoil_event_sourced
);
replay_entity!(
    ValueEntity,
    value_entity_server,
    ValueEntity,
    ValueEntityServer,
    ValueEntityStreamIn,
    ValueEntityStreamOut,
    spoil_value_entity
);
replay_entity!(Crdt, crdt_server, Crdt, CrdtServer, CrdtStreamIn, CrdtStreamOut, spoil_crdt);

#[tonic::async_trait]
impl ActionProtocol for Replay<Action> {
    type handleStreamedOutStream = ReceiverStream<Result<ActionResponse, Status>>;
    type handleStreamedStream = ReceiverStream<Result<ActionResponse, Status>>;

    async fn handle_unary(&self, _: Request<ActionCommand>) -> Result<Response<ActionResponse>, Status> {
        self.answer(Rpc::Unary, stream::empty::<Result<(), Status>>()).await
    }

    async fn handle_streamed_in(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<ActionResponse>, Status> {
        let mut messages = request.into_inner();
        let _head = messages.message().await?;
        self.answer(Rpc::StreamedIn, messages).await
    }

    async fn handle_streamed_out(
        &self,
        _: Request<ActionCommand>,
    ) -> Result<Response<Self::handleStreamedOutStream>, Status> {
        Ok(Response::new(self.answers(Rpc::StreamedOut, stream::empty::<Result<(), Status>>())))
    }

    async fn handle_streamed(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<Self::handleStreamedStream>, Status> {
        let mut messages = request.into_inner();
        let _head = messages.message().await?;
        Ok(Response::new(self.answers(Rpc::Streamed, messages)))
    }
}

impl Replayed for Action {
    fn rpc(call: &ActionCall) -> Rpc {
        match call {
            ActionCall::Unary(_) => Rpc::Unary,
            ActionCall::StreamedIn(_) => Rpc::StreamedIn,
            ActionCall::StreamedOut(_) => Rpc::StreamedOut,
            ActionCall::Streamed(_) => Rpc::Streamed,
        }
    }

    fn spoil(message: &mut ActionResponse) {
        match &mut message.response {
            Some(action_response::Response::Reply(reply)) => spoil_payload(&mut reply.payload),
            Some(action_response::Response::Forward(forward)) => spoil_payload(&mut forward.payload),
            Some(action_response::Response::Failure(failure)) => failure.description.clear(),
            None => message.side_effects.push(Default::default()),
        }
    }

    fn router(parts: VecDeque<Part<ActionResponse>>) -> Router {
        Server::builder().add_service(ActionProtocolServer::new(Replay::<Action>(Mutex::new(parts))))
    }
}

fn spoil_client_action(action: &mut Option<ClientAction>, command_id: &mut i64) {
    match action.as_mut().and_then(|action| action.action.as_mut()) {
        Some(client_action::Action::Reply(reply)) => spoil_payload(&mut reply.payload),
        Some(client_action::Action::Forward(forward)) => spoil_payload(&mut forward.payload),
        Some(client_action::Action::Failure(failure)) => failure.description.push('!'),
        None => *command_id += 1,
    }
}

fn spoil_payload(payload: &mut Option<Any>) {
    payload.as_mut().unwrap().type_url.push('!');
}

fn spoil_event_sourced(message: &mut EventSourcedStreamOut) {
    use event_sourced_stream_out::Message;
    match message.message.as_mut().unwrap() {
        Message::Failure(failure) => failure.description.clear(),
        Message::Reply(reply) => spoil_client_action(&mut reply.client_action, &mut reply.command_id),
    }
}

fn spoil_value_entity(message: &mut ValueEntityStreamOut) {
    use value_entity_stream_out::Message;
    match message.message.as_mut().unwrap() {
        Message::Failure(failure) => failure.description.clear(),
        Message::Reply(reply) => spoil_client_action(&mut reply.client_action, &mut reply.command_id),
    }
}

fn spoil_crdt(message: &mut CrdtStreamOut) {
    use crdt_stream_out::Message;
    match message.message.as_mut().unwrap() {
        Message::Failure(failure) => failure.description.clear(),
        Message::Reply(reply) => spoil_client_action(&mut reply.client_action, &mut reply.command_id),
        Message::StreamedMessage(message) => {
            spoil_client_action(&mut message.client_action, &mut message.command_id);
        }
        Message::StreamCancelledResponse(response) => response.command_id += 1,
    }
}

/// Serves the parts on any free port, until it is dropped.
struct Serving {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Serving {
    async fn start<P: Replayed>(parts: VecDeque<Part<P::Out>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = P::router(parts).serve_with_incoming(TcpListenerStream::new(listener));
        Self { address, server: tokio::spawn(async { serve.await.unwrap() }) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Holds the conversation, sabotaged or not. None when there is nothing to sabotage.
async fn play<P: Replayed>(
    script: &[Line<P>],
    choice: usize,
    sabotaged: Option<(usize, Sabotage)>,
) -> Option<Result<(), String>> {
    let mut parts = parts(script, choice);
    if let Some((target, how)) = sabotaged {
        sabotage::<P>(&mut parts, target, how)?;
    }
    let serving = Serving::start::<P>(parts).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", serving.address)).unwrap();
    let channel = endpoint.connect().await.unwrap();
    // What is missing never comes, so that waiting long for it proves nothing.
    let waits_in_vain = matches!(sabotaged, Some((_, Sabotage::Silent)));
    let deadline = Duration::from_millis(if waits_in_vain { 100 } else { 30_000 });
    Some(conversation::hold(script, channel, deadline).await.map_err(|mismatch| mismatch.to_string()))
}

/// None when there is nothing to sabotage, or no conversation at all.
async fn play_any(
    script: &Script,
    choice: usize,
    sabotaged: Option<(usize, Sabotage)>,
) -> Option<Result<(), String>> {
    match script {
        Script::Discovery(_) => None,
        Script::EventSourced(script) => play(script, choice, sabotaged).await,
        Script::ValueEntity(script) => play(script, choice, sabotaged).await,
        Script::Crdt(script) => play(script, choice, sabotaged).await,
        Script::Action(script) => play(script, choice, sabotaged).await,
    }
}

/// Each scenario, and each way through it.
fn ways(scenarios: &[Scenario]) -> impl Iterator<Item = (&Scenario, usize)> {
    fn choices<P: Protocol>(script: &[Line<P>]) -> usize {
        let alternatives = script.iter().map(|line| match &line.step {
            Step::Either(alternatives) => alternatives.len(),
            _ => 1,
        });
        alternatives.max().unwrap_or_default()
    }
    scenarios.iter().flat_map(|scenario| {
        let choices = match &scenario.script {
            Script::Discovery(_) => 0,
            Script::EventSourced(script) => choices(script),
            Script::ValueEntity(script) => choices(script),
            Script::Crdt(script) => choices(script),
            Script::Action(script) => choices(script),
        };
        (0..choices).map(move |choice| (scenario, choice))
    })
}

#[tokio::test]
async fn every_scenario_can_pass() {
    let scenarios = scenario::all().unwrap();
    let outcomes = stream::iter(ways(&scenarios)).map(|(Scenario { id, script, .. }, choice)| async move {
        (id, choice, play_any(script, choice, None).await)
    });
    let outcomes: Vec<_> = outcomes.buffer_unordered(16).collect().await;
    for (id, choice, outcome) in &outcomes {
        assert_eq!(*outcome, Some(Ok(())), "{id}, way {choice}");
    }
    assert!(outcomes.len() > 230);
}

/// Does it to every single message of every way through every scenario, and returns where nobody noticed.
async fn unnoticed(how: Sabotage) -> Vec<String> {
    let scenarios = scenario::all().unwrap();
    let found = stream::iter(ways(&scenarios)).map(|(Scenario { id, script, .. }, choice)| async move {
        let mut unnoticed = Vec::new();
        let mut target = 0;
        while let Some(outcome) = play_any(script, choice, Some((target, how))).await {
            if outcome.is_ok() {
                unnoticed.push(format!("{id}, way {choice}, message {target}"));
            }
            target += 1;
        }
        unnoticed
    });
    let found: Vec<_> = found.buffered(32).collect().await;
    found.concat()
}

#[tokio::test]
async fn no_message_may_be_missing() {
    assert_eq!(unnoticed(Sabotage::Silent).await, [""; 0]);
}

#[tokio::test]
async fn no_message_may_come_twice() {
    // Calls that are abandoned after this message, so nobody listens any more.
    let abandoned = ["ACT-X15, way 0, message 0", "ACT-X16, way 0, message 0"];
    let mut unnoticed = unnoticed(Sabotage::Twice).await;
    unnoticed.retain(|place| !abandoned.contains(&place.as_str()));
    assert_eq!(unnoticed, [""; 0]);
}

#[tokio::test]
async fn no_message_may_be_another() {
    assert_eq!(unnoticed(Sabotage::Spoilt).await, [""; 0]);
}
