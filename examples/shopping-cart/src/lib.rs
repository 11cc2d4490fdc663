//! An event sourced shopping cart: the contract is in `proto/`, the entity in `src/cart.rs`.

mod cart;

pub use cart::{Cart, CartEvent};

cloudstate_sdk::include_protos!();

/// Serves the entity until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or the contract and the entity do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    cloudstate_sdk::serve().await
}
