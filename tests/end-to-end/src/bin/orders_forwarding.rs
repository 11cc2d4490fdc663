//! A user function whose entities call each other.

#[tokio::main]
async fn main() -> Result<(), cloudstate_sdk::Error> {
    orders_forwarding::run().await
}
