//! Stands between the kit and the models, and spoils what CRDTs say.

use std::net::SocketAddr;

use cloudstate_proto::{
    EntitySpec, ProxyInfo, UserFunctionError,
    crdt::{
        CrdtStateAction, CrdtStreamIn, CrdtStreamOut, LwwRegisterDelta, VoteDelta,
        crdt_client::CrdtClient,
        crdt_delta::Delta,
        crdt_server::{Crdt, CrdtServer},
        crdt_state_action::Action,
        crdt_stream_out::Message,
    },
    entity_discovery_client::EntityDiscoveryClient,
    entity_discovery_server::{EntityDiscovery, EntityDiscoveryServer},
};
use futures_util::{StreamExt as _, stream::BoxStream};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Channel, Endpoint, Server},
};

/// Changes a message, or says that it is to be lost.
type Spoil = fn(&mut Message) -> bool;

/// What is wrong, how, and which scenarios speak about it.
pub(crate) const FAULTS: &[(&str, Spoil, &str)] = &[
    // Not a fault: this order is free.
    ("the order inside of deltas", |message| change_delta(message, reverse), ""),
    (
        "a register does not tell its creation",
        |message| lose_delta(message, is_creation),
        "CRDT-35 CRDT-72 CRDT-X19",
    ),
    (
        "a vote that is withdrawn is not told",
        |message| lose_delta(message, is_withdrawn_vote),
        "CRDT-61 CRDT-62 CRDT-64 CRDT-65 CRDT-X05",
    ),
    (
        "a clear is not told",
        |message| change_delta(message, forget_clear),
        "CRDT-28 CRDT-31 CRDT-53 CRDT-56 CRDT-X21",
    ),
    (
        "new entries of maps have no delta",
        |message| change_delta(message, forget_entries),
        "CRDT-53 CRDT-56 CRDT-58 CRDT-74 CRDT-X24 CRDT-X25 CRDT-X28",
    ),
    ("clocks are forgotten", |message| change_delta(message, forget_clock), "CRDT-40"),
    ("write consistency is forgotten", |message| change_action(message, forget_write_consistency), "CRDT-82"),
    (
        "deletions are forgotten",
        |message| change_action(message, forget_deletion),
        "CRDT-09 CRDT-17 CRDT-25 CRDT-33 CRDT-42 CRDT-50 CRDT-58 CRDT-66 CRDT-X29",
    ),
    (
        "streamed replies are not marked",
        not_streamed,
        "CRDT-77 CRDT-78 CRDT-79 CRDT-80 CRDT-81 CRDT-X02 CRDT-X03 CRDT-X04 CRDT-X05 CRDT-X06 \
         CRDT-X07 CRDT-X08",
    ),
    (
        "streamed messages are lost",
        |message| !matches!(message, Message::StreamedMessage(_)),
        "CRDT-77 CRDT-78 CRDT-79 CRDT-81 CRDT-X02 CRDT-X03 CRDT-X04 CRDT-X05 CRDT-X06 CRDT-X07 \
         CRDT-X08",
    ),
    ("streamed messages do not end", without_end, "CRDT-78 CRDT-X03"),
    ("streamed messages have no side effects", without_side_effects, "CRDT-81 CRDT-X06"),
    ("cancellations change nothing", cancelled_in_vain, "CRDT-79 CRDT-80 CRDT-X05"),
    (
        "cancellations are not answered",
        |message| !matches!(message, Message::StreamCancelledResponse(_)),
        "CRDT-79 CRDT-80 CRDT-X04 CRDT-X05",
    ),
];

fn action_of(message: &mut Message) -> Option<&mut Option<CrdtStateAction>> {
    match message {
        Message::Reply(reply) => Some(&mut reply.state_action),
        Message::StreamCancelledResponse(response) => Some(&mut response.state_action),
        Message::StreamedMessage(_) | Message::Failure(_) => None,
    }
}

fn change_action(message: &mut Message, change: fn(&mut Option<CrdtStateAction>)) -> bool {
    if let Some(action) = action_of(message) {
        change(action);
    }
    true
}

fn change_delta(message: &mut Message, change: fn(&mut Delta)) -> bool {
    if let Some(Some(CrdtStateAction { action: Some(Action::Update(delta)), .. })) = action_of(message) {
        delta.delta.iter_mut().for_each(change);
    }
    true
}

fn lose_delta(message: &mut Message, is_lost: fn(&Delta) -> bool) -> bool {
    if let Some(action) = action_of(message)
        && let Some(CrdtStateAction { action: Some(Action::Update(delta)), .. }) = action
        && delta.delta.as_ref().is_some_and(is_lost)
    {
        *action = None;
    }
    true
}

fn reverse(delta: &mut Delta) {
    match delta {
        Delta::Gset(delta) => delta.added.reverse(),
        Delta::Orset(delta) => {
            delta.removed.reverse();
            delta.added.reverse();
        }
        Delta::Ormap(delta) => {
            delta.removed.reverse();
            for entries in [&mut delta.updated, &mut delta.added] {
                entries.reverse();
                let deltas = entries.iter_mut().filter_map(|entry| entry.delta.as_mut()?.delta.as_mut());
                deltas.for_each(reverse);
            }
        }
        _ => {}
    }
}

fn is_creation(delta: &Delta) -> bool {
    let Delta::Lwwregister(LwwRegisterDelta { value: Some(value), .. }) = delta else { return false };
    value.value.is_empty()
}

fn is_withdrawn_vote(delta: &Delta) -> bool {
    matches!(delta, Delta::Vote(VoteDelta { self_vote: false, .. }))
}

fn forget_clear(delta: &mut Delta) {
    match delta {
        Delta::Orset(delta) => delta.cleared = false,
        Delta::Ormap(delta) => delta.cleared = false,
        _ => {}
    }
}

fn forget_entries(delta: &mut Delta) {
    if let Delta::Ormap(delta) = delta {
        delta.added.iter_mut().for_each(|entry| entry.delta = None);
    }
}

fn forget_clock(delta: &mut Delta) {
    if let Delta::Lwwregister(delta) = delta {
        delta.clock = 0;
    }
}

fn forget_write_consistency(action: &mut Option<CrdtStateAction>) {
    action.iter_mut().for_each(|action| action.write_consistency = 0);
}

fn forget_deletion(action: &mut Option<CrdtStateAction>) {
    if matches!(action, Some(CrdtStateAction { action: Some(Action::Delete(_)), .. })) {
        *action = None;
    }
}

fn not_streamed(message: &mut Message) -> bool {
    if let Message::Reply(reply) = message {
        reply.streamed = false;
    }
    true
}

fn without_end(message: &mut Message) -> bool {
    if let Message::StreamedMessage(message) = message {
        message.end_stream = false;
    }
    true
}

fn without_side_effects(message: &mut Message) -> bool {
    if let Message::StreamedMessage(message) = message {
        message.side_effects.clear();
    }
    true
}

fn cancelled_in_vain(message: &mut Message) -> bool {
    if let Message::StreamCancelledResponse(response) = message {
        response.state_action = None;
    }
    true
}

/// Serves discovery and CRDTs on any free port, until the test ends.
pub(crate) async fn start(models: SocketAddr, spoil: Spoil) -> SocketAddr {
    let models = Endpoint::from_shared(format!("http://{models}")).unwrap().connect().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .add_service(EntityDiscoveryServer::new(Relay { models: models.clone(), spoil }))
        .add_service(CrdtServer::new(Relay { models, spoil }))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    address
}

struct Relay {
    models: Channel,
    spoil: Spoil,
}

#[tonic::async_trait]
impl EntityDiscovery for Relay {
    async fn discover(&self, request: Request<ProxyInfo>) -> Result<Response<EntitySpec>, Status> {
        EntityDiscoveryClient::new(self.models.clone()).discover(request.into_inner()).await
    }

    async fn report_error(&self, request: Request<UserFunctionError>) -> Result<Response<()>, Status> {
        EntityDiscoveryClient::new(self.models.clone()).report_error(request.into_inner()).await
    }
}

#[tonic::async_trait]
impl Crdt for Relay {
    type handleStream = BoxStream<'static, Result<CrdtStreamOut, Status>>;

    async fn handle(
        &self,
        request: Request<Streaming<CrdtStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        let messages = request.into_inner().filter_map(|message| std::future::ready(message.ok()));
        let answers = CrdtClient::new(self.models.clone()).handle(messages).await?.into_inner();
        let spoil = self.spoil;
        let answers = answers.filter_map(move |answer| std::future::ready(spoilt(answer, spoil)));
        Ok(Response::new(answers.boxed()))
    }
}

fn spoilt(answer: Result<CrdtStreamOut, Status>, spoil: Spoil) -> Option<Result<CrdtStreamOut, Status>> {
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(status) => return Some(Err(status)),
    };
    let is_kept = answer.message.as_mut().is_none_or(spoil);
    is_kept.then_some(Ok(answer))
}
