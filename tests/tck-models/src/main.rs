//! `tck-models`: listens on `HOST`:`PORT`, by default 127.0.0.1:8080, for a Cloudstate proxy or its conformance tests.

#[tokio::main]
async fn main() -> Result<(), cloudstate_sdk::Error> {
    tck_models::run().await
}
