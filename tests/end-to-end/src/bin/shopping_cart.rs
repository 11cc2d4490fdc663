//! The user function under test.

#[tokio::main]
async fn main() -> Result<(), cloudstate_sdk::Error> {
    shopping_cart::run().await
}
