//! The model services of the protocol's conformance tests: each does what its commands say. Written as a user would,
//! with nothing but the SDK; one file a kind.

mod action;
mod crdt;
mod event_log;
mod event_log_subscriber;
mod event_sourced;
mod value;

cloudstate_sdk::include_protos!();

/// Serves all models until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    models().serve().await
}

/// All models.
pub fn models() -> cloudstate_sdk::CloudState {
    cloudstate_sdk::CloudState::new().register_with(crdt::CrdtTckModel::new).discover()
}
