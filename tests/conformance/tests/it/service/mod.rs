//! A user function written by hand, on the wire alone: the event sourced, value and action models, as right as the
//! protocol wants them or wrong in one way.

mod action;
mod discovery;
mod event_sourced;
mod fault;
mod value_entity;

use std::net::SocketAddr;

use cloudstate_proto::{
    Any, ClientAction, Failure, Forward, Reply, SideEffect,
    action::action_protocol_server::ActionProtocolServer, client_action,
    entity_discovery_server::EntityDiscoveryServer, eventsourced::event_sourced_server::EventSourcedServer,
    valueentity::value_entity_server::ValueEntityServer,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Status, transport::Server};

pub(crate) use fault::Fault;

type Answers<M> = ReceiverStream<Result<M, Status>>;
type Sender<M> = mpsc::Sender<Result<M, Status>>;

/// Serves until it is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start(fault: Option<Fault>) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), fault)
    }

    pub(crate) fn serve(listener: TcpListener, fault: Option<Fault>) -> Self {
        let address = listener.local_addr().unwrap();
        let serve = Server::builder()
            .add_service(EntityDiscoveryServer::new(discovery::Discovery(fault)))
            .add_service(EventSourcedServer::new(event_sourced::Model(fault)))
            .add_service(ValueEntityServer::new(value_entity::Model(fault)))
            .add_service(ActionProtocolServer::new(action::Model(fault)))
            .serve_with_incoming(TcpListenerStream::new(listener));
        Self { address, server: tokio::spawn(async { serve.await.unwrap() }) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What a command has asked for, whatever the kind of the entity.
#[derive(Default)]
struct Asked {
    forward: Option<Forward>,
    side_effects: Vec<SideEffect>,
    failure: Option<String>,
}

impl Asked {
    fn client_action(&self, command_id: i64, response: Any, fault: Option<Fault>) -> ClientAction {
        use client_action::Action;
        let metadata = (fault == Some(Fault::EmptyMetadataOnForwards)).then(Default::default);
        let action = if let Some(text) = &self.failure {
            Action::Failure(failure(command_id, text))
        } else if let Some(forward) = &self.forward {
            Action::Forward(Forward { metadata, ..forward.clone() })
        } else {
            Action::Reply(Reply { payload: Some(response), metadata: None })
        };
        ClientAction { action: Some(action) }
    }

    fn side_effects(&self, fault: Option<Fault>) -> Vec<SideEffect> {
        let mut side_effects = self.side_effects.clone();
        if self.failure.is_some() && fault != Some(Fault::SideEffectsOfFailedCommands) {
            side_effects.clear();
        }
        if fault == Some(Fault::SideEffectsReversed) {
            side_effects.reverse();
        }
        side_effects
    }

    fn add_side_effect(&mut self, target: Forward, synchronous: bool, fault: Option<Fault>) {
        self.side_effects.push(SideEffect {
            service_name: target.service_name,
            command_name: target.command_name,
            payload: target.payload,
            synchronous: synchronous && fault != Some(Fault::SideEffectsAsynchronous),
            metadata: None,
        });
    }
}

fn call(service: &str, request: Any) -> Forward {
    Forward {
        service_name: service.to_owned(),
        command_name: "Call".to_owned(),
        payload: Some(request),
        metadata: None,
    }
}

fn failure(command_id: i64, description: &str) -> Failure {
    Failure { command_id, description: description.to_owned(), ..Failure::default() }
}
