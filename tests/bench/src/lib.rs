//! Speed, as ratios measured side by side in one run.
//!
//! `cargo bench-sdk` measures event sourced commands, one event each, against the least any gRPC server does for them:
//! a bare tonic service that decodes the same messages and answers canned replies.
//!
//! Both servers are processes of their own with a runtime of their own, from this one program, so with one
//! allocator and one build. The client is a third process. It keeps one stream per entity, at most 100 on a
//! connection, with one command outstanding on each, and decodes of a reply no more than it must to know that it is
//! the right one. The servers take turns, a round each, so that a machine that slows down slows both; a figure is
//! the median over the rounds.

mod bare;
mod client;
mod counter;
mod report;
mod server;

use std::time::Duration;

use clap::Parser;

use server::Kind;

/// What ends a run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Compares the SDK with a bare tonic service: event sourced commands per second, one event each.
#[derive(Parser, Debug)]
#[command(name = "bench-sdk")]
struct Arguments {
    /// How long to measure each server for each number of entities, in seconds.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// In how many turns of each server.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How many entities send commands at once; several, separated by commas.
    #[arg(long, default_values_t = [1, 16, 64, 256], value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000))]
    entities: Vec<u32>,
    /// Be one of the servers, on any free port, which is printed.
    #[arg(long, hide = true)]
    serve: Option<Kind>,
}

/// Runs the program.
///
/// # Errors
///
/// When a server does not start, or answers wrongly.
pub fn run() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    match arguments.serve {
        Some(kind) => runtime.block_on(server::serve(kind)),
        None => runtime.block_on(compare(&arguments)),
    }
}

async fn compare(arguments: &Arguments) -> Result<(), Error> {
    let bare = server::Process::start(Kind::Bare)?;
    let sdk = server::Process::start(Kind::Sdk)?;
    let turn = Duration::from_secs_f64(arguments.seconds / f64::from(arguments.rounds));
    for &entities in &arguments.entities {
        let mut to_bare = client::Client::connect(bare.port, entities).await?;
        let mut to_sdk = client::Client::connect(sdk.port, entities).await?;
        // Caches, branch predictors and the first event of each entity are nobody's result.
        to_bare.run(turn / 2).await?;
        to_sdk.run(turn / 2).await?;
        let mut rounds = Vec::new();
        for _ in 0..arguments.rounds {
            rounds.push(report::Round { bare: to_bare.run(turn).await?, sdk: to_sdk.run(turn).await? });
        }
        println!("{}", report::Line { entities, rounds: &rounds });
    }
    Ok(())
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number from 0.1 to 3600".to_owned()),
    }
}
