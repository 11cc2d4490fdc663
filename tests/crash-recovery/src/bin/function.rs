//! The user function under test.

#[tokio::main]
async fn main() -> Result<(), cloudstate_sdk::Error> {
    crash_recovery::user_function().serve().await
}
