//! A durable counter on Restate: the same work as `bench.DurableCounter`, one state change for each call.

use restate_sdk::prelude::*;

struct Counter;

const VALUE: &str = "value";

#[object]
impl Counter {
    #[handler]
    async fn increase(&self, ctx: ObjectContext<'_>, amount: i64) -> Result<(), HandlerError> {
        let value: i64 = ctx.get(VALUE).await?.unwrap_or(0);
        ctx.set(VALUE, value + amount);
        Ok(())
    }
}

/// Serves on any free port, which it prints, until killed.
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    HttpServer::new(Endpoint::builder().bind(Counter).build()).serve(listener).await;
    Ok(())
}
