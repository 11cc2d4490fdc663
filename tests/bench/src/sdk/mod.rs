//! `cargo bench-sdk` measures commands to every kind of entity, and calls of actions, against the least any gRPC
//! server does for them: a bare tonic service that decodes the same messages and answers canned replies. A last line
//! tells what an idle stream costs in memory; the module `idle` says how that is measured.
//!
//! Both servers are processes of their own with a runtime of their own, from this one program, so with one
//! allocator and one build. The client is a third process. It has one command outstanding on each of many streams, at
//! most 100 on a connection, and decodes of a reply no more than it must to know that it is the right one. A stream is
//! an entity or a streamed call of an action; each unary call is a stream of its own. The servers take turns, a round
//! each, so that a machine that slows down slows both; a figure is the median over the rounds.

mod bare;
mod client;
mod idle;
mod kinds;
mod report;
mod server;

use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::{Error, contract, figures::seconds};
use client::{Client, Connect, OnStream, Unary};
use kinds::{action, crdt, event_sourced, value};
use server::{Process, Side};

/// Compares the SDK with a bare tonic service: commands per second, and memory per idle stream.
#[derive(Parser, Debug)]
#[command(name = "bench-sdk")]
struct Arguments {
    /// How long to measure each server for each kind and number of entities, in seconds.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// In how many turns of each server.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How many entities or calls are busy at once; several, separated by commas.
    #[arg(long, default_values_t = [1, 16, 64, 256], value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000))]
    entities: Vec<u32>,
    /// How many streams to open for their memory.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    idle: u32,
    /// What to measure, if not all; several, separated by commas.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Kind>,
    /// Be one of the servers, on any free port, which is printed.
    #[arg(long, hide = true)]
    serve: Option<Side>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Commands that store an event each.
    EventSourced,
    /// Commands that replace the value.
    Value,
    /// Commands that change a counter.
    Crdt,
    /// Calls of one request and one reply.
    Action,
    /// Requests on long calls with a reply to each.
    StreamedAction,
    /// Memory of event sourced entities that do nothing.
    Idle,
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
        Some(side) => runtime.block_on(server::serve(side)),
        None => runtime.block_on(arguments.measure()),
    }
}

impl Arguments {
    async fn measure(&self) -> Result<(), Error> {
        for &kind in Kind::value_variants() {
            if !self.only.is_empty() && !self.only.contains(&kind) {
                continue;
            }
            match kind {
                Kind::EventSourced => {
                    self.compare::<OnStream<event_sourced::Counter>>("event sourced").await?;
                }
                Kind::Value => self.compare::<OnStream<value::Counter>>("value").await?,
                Kind::Crdt => self.compare::<OnStream<crdt::Counter>>("crdt").await?,
                Kind::Action => self.compare::<Unary>("action").await?,
                Kind::StreamedAction => self.compare::<OnStream<action::Sums>>("streamed action").await?,
                Kind::Idle => {
                    let rounds = idle::measure(self.idle).await?;
                    println!("{}", report::IdleLine { streams: self.idle, rounds: &rounds });
                }
            }
        }
        Ok(())
    }

    /// A line for each number of callers.
    async fn compare<C: Connect>(&self, kind: &str) -> Result<(), Error> {
        let bare = Process::start(Side::Bare)?;
        let sdk = Process::start(Side::Sdk)?;
        let turn = Duration::from_secs_f64(self.seconds / f64::from(self.rounds));
        for &entities in &self.entities {
            let mut to_bare = Client::<C>::connect(bare.port, entities).await?;
            let mut to_sdk = Client::<C>::connect(sdk.port, entities).await?;
            // Caches, branch predictors and the first command of each entity are nobody's result.
            to_bare.run(turn / 2).await?;
            to_sdk.run(turn / 2).await?;
            let mut rounds = Vec::new();
            for _ in 0..self.rounds {
                rounds.push(report::Round { bare: to_bare.run(turn).await?, sdk: to_sdk.run(turn).await? });
            }
            println!("{}", report::Line { kind, entities, rounds: &rounds });
        }
        Ok(())
    }
}
