//! Asking the user function what it serves.

use std::time::Duration;

use cloudstate_proto::{
    EXTENSIONS_HEADER, EntitySpec, PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION, ProxyInfo,
    STATUS_CODE_EXTENSION, entity_discovery_client::EntityDiscoveryClient,
};
use tonic::{Request, Status, metadata::MetadataMap};

use super::{Connection, Dial};
use crate::service_catalog::SUPPORTED_ENTITY_TYPES;

/// How long the user function may take to answer.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// A user function that answered.
pub(crate) struct Discovered {
    /// What it serves.
    pub(crate) spec: EntitySpec,
    /// Whether it sends status codes in failures.
    pub(crate) status_codes: bool,
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
    let mut request = Request::new(ProxyInfo {
        protocol_major_version: PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: PROTOCOL_MINOR_VERSION,
        proxy_name: env!("CARGO_PKG_NAME").to_owned(),
        proxy_version: env!("CARGO_PKG_VERSION").to_owned(),
        supported_entity_types: SUPPORTED_ENTITY_TYPES.map(str::to_owned).to_vec(),
    });
    let extensions = tonic::metadata::MetadataValue::from_static(STATUS_CODE_EXTENSION);
    request.metadata_mut().insert(EXTENSIONS_HEADER, extensions);
    let answer = tokio::time::timeout(DISCOVER_TIMEOUT, client.discover(request)).await;
    let answer = answer.map_err(|_| DiscoveryError::Stalled)?;
    let response = answer.map_err(|status| DiscoveryError::Call(Box::new(status)))?;
    let status_codes = knows_status_codes(response.metadata());
    Ok(Discovered { spec: response.into_inner(), status_codes, connection })
}

fn knows_status_codes(metadata: &MetadataMap) -> bool {
    let lists = metadata.get_all(EXTENSIONS_HEADER).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|name| name.trim() == STATUS_CODE_EXTENSION)
}
