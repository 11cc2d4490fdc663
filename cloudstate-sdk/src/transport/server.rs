use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use cloudstate_proto::EntitySpec;
use cloudstate_proto::action::action_protocol_server::ActionProtocolServer;
use cloudstate_proto::crdt::crdt_server::CrdtServer;
use cloudstate_proto::entity_discovery_server::EntityDiscoveryServer;
use cloudstate_proto::eventsourced::event_sourced_server::EventSourcedServer;
use cloudstate_proto::valueentity::value_entity_server::ValueEntityServer;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::action::ActionCalls;
use super::discovery::{Discovery, ErrorListener};
use super::entity_streams::EntityStreams;
use super::extensions::Agreements;
use crate::error::{Error, Kind};
use crate::registration::{Component, Host};
use crate::shutdown::Shutdown;

/// A proxy pushes a whole journal at an entity, and gives up on one whose window stays full.
const STREAM_WINDOW: u32 = 1 << 20;
/// Thousands of entities share a connection.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// How large messages may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_message_size: usize,
    pub(crate) max_reply_size: usize,
}

/// What is served.
pub(crate) struct Parts {
    pub(crate) components: Vec<Component>,
    pub(crate) spec: EntitySpec,
    pub(crate) limits: Limits,
    pub(crate) on_proxy_error: Option<ErrorListener>,
}

/// Serves until `stop` completes; then refuses new work, lets every stream come to a command boundary, and drops
/// what is left after `grace`.
pub(crate) async fn serve(
    parts: Parts,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> Result<(), Error> {
    let shutdown = Shutdown::default();
    let agreements = Arc::<Agreements>::default();
    let discovery = Discovery {
        spec: parts.spec,
        agreements: Arc::clone(&agreements),
        on_proxy_error: parts.on_proxy_error,
    };
    let mut event_sourced = HashMap::new();
    let mut value = HashMap::new();
    let mut crdts = HashMap::new();
    let mut actions = HashMap::new();
    for component in parts.components {
        match component.host {
            Host::EventSourced(host) => {
                event_sourced.insert(component.service, host);
            }
            Host::Value(host) => {
                value.insert(component.service, host);
            }
            Host::Crdt(host) => {
                crdts.insert(component.service, host);
            }
            Host::Action(start) => {
                actions.insert(component.service, start());
            }
        }
    }
    let actions = ActionCalls {
        hosts: Arc::new(actions),
        max_reply_size: parts.limits.max_reply_size,
        agreements: Arc::clone(&agreements),
    };
    let max_reply_size = parts.limits.max_reply_size;
    let event_sourced = EntityStreams::new(event_sourced, max_reply_size, &agreements, &shutdown);
    let value = EntityStreams::new(value, max_reply_size, &agreements, &shutdown);
    let crdts = EntityStreams::new(crdts, max_reply_size, &agreements, &shutdown);
    let mut watch = shutdown.watch();
    // No limit on streams, their age or their idleness: a stream lives as long as its entity.
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .add_service(EntityDiscoveryServer::new(discovery))
        .add_service(
            EventSourcedServer::new(event_sourced).max_decoding_message_size(parts.limits.max_message_size),
        )
        .add_service(ValueEntityServer::new(value).max_decoding_message_size(parts.limits.max_message_size))
        .add_service(CrdtServer::new(crdts).max_decoding_message_size(parts.limits.max_message_size))
        .add_service(
            ActionProtocolServer::new(actions).max_decoding_message_size(parts.limits.max_message_size),
        )
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            poll_fn(move |context| watch.poll(context)),
        );
    let mut server = std::pin::pin!(server);

    tokio::select! {
        served = &mut server => return served.map_err(|error| Kind::Serve(error.into()).into()),
        () = stop => shutdown.begin(),
    }
    tracing::info!("stopping: no new streams, entities end after the command in progress");
    match tokio::time::timeout(grace, server).await {
        Ok(served) => served.map_err(|error| Kind::Serve(error.into()).into()),
        Err(_) => {
            tracing::warn!("some streams did not end within {grace:?}; they are dropped");
            Ok(())
        }
    }
}
