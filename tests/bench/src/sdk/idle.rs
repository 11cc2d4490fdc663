//! What an idle stream costs in memory.
//!
//! The figure is what the resident anonymous memory of a server grows by, per stream, while streams are opened and
//! their entities answer one command each: then every entity is live, and every buffer has seen use. It counts what
//! the operator of a machine pays: the heap with the allocator's own overhead, and a hundredth of a connection.
//!
//! That is fair because both servers are the same program with the same allocator, freshly started for each round, and
//! get the same streams and bytes: what is not the SDK's is in both figures, and drops out of their difference. What a
//! server needs once, such as its threads, it has got with a first connection before the count begins.

use crate::sdk::{
    Error,
    client::{Client, OnStream},
    kinds::event_sourced::Counter,
    report::IdleRound,
    server::{Process, Side},
};

/// Memory varies less than time.
const ROUNDS: usize = 3;

pub(crate) async fn measure(streams: u32) -> Result<Vec<IdleRound>, Error> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let bare = bytes_per_stream(Side::Bare, streams).await?;
        let sdk = bytes_per_stream(Side::Sdk, streams).await?;
        rounds.push(IdleRound { bare, sdk });
    }
    Ok(rounds)
}

async fn bytes_per_stream(side: Side, streams: u32) -> Result<f64, Error> {
    let server = Process::start(side)?;
    // Kept, so that nothing is freed meanwhile.
    let _first = idle(&server, 1).await?;
    let before = server.memory()?;
    let _all = idle(&server, streams).await?;
    Ok((server.memory()? as f64 - before as f64) / f64::from(streams))
}

async fn idle(server: &Process, streams: u32) -> Result<Client<OnStream<Counter>>, Error> {
    let mut client = Client::connect(server.port, streams).await?;
    client.call_once().await?;
    Ok(client)
}
