//! Two event sourced entities that call each other: the stock of a product, and an order. The contract is in `proto/`.

mod orders;
mod stock;

cloudstate_sdk::include_protos!();

pub use orders::{Order, OrderEvent};
pub use stock::{Stock, StockEvent};

/// Serves both entities until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or an entity and its contract do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    cloudstate_sdk::serve().await
}
