//! `product-crdt`: listens on `HOST`:`PORT`, by default 127.0.0.1:8080, for a Cloudstate proxy.

#[tokio::main]
async fn main() -> Result<(), cloudstate_sdk::Error> {
    product_crdt::run().await
}
