//! Asking the user function what it serves.

use std::time::Duration;

use cloudstate_proto::{
    EntitySpec, PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION, ProxyInfo,
    entity_discovery_client::EntityDiscoveryClient,
};
use tonic::Status;

use super::{Connection, Dial, Extensions};
use crate::service_catalog::SUPPORTED_ENTITY_TYPES;

/// How long the user function may take to answer.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// A user function that answered.
pub(crate) struct Discovered {
    /// What it serves.
    pub(crate) spec: EntitySpec,
    /// What it agreed to.
    pub(crate) extensions: Extensions,
    /// The connection it was asked on, kept to notice when it goes away.
    pub(crate) connection: Connection,
}

/// Why it did not answer; always worth another try.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoveryError {
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("discover failed: {} ({})", .0.message(), .0.code())]
    Call(Box<Status>),
    #[error("discover was not answered within {} s", DISCOVER_TIMEOUT.as_secs())]
    Stalled,
}

/// Connects and asks once.
pub(crate) async fn discover(dial: &Dial, max_message_size: usize) -> Result<Discovered, DiscoveryError> {
    let connection = dial.connect().await?;
    let mut client = EntityDiscoveryClient::with_origin(connection.clone(), connection.origin())
        .max_decoding_message_size(max_message_size);
    let request = Extensions::ALL.request(ProxyInfo {
        protocol_major_version: PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: PROTOCOL_MINOR_VERSION,
        proxy_name: env!("CARGO_PKG_NAME").to_owned(),
        proxy_version: env!("CARGO_PKG_VERSION").to_owned(),
        supported_entity_types: SUPPORTED_ENTITY_TYPES.map(str::to_owned).to_vec(),
    });
    let answer = tokio::time::timeout(DISCOVER_TIMEOUT, client.discover(request)).await;
    let answer = answer.map_err(|_| DiscoveryError::Stalled)?;
    let response = answer.map_err(|status| DiscoveryError::Call(Box::new(status)))?;
    let extensions = Extensions::named_in(response.metadata());
    Ok(Discovered { spec: response.into_inner(), extensions, connection })
}
