//! `cargo bench-proxy` measures commands through the proxy, as it is shipped, against the least that any proxy must do,
//! a *relay*: HTTP/JSON or gRPC in, one stream per entity to the user function, events in SQLite with one flush for all
//! that wait, an empty message out; no lifecycle, no replay, no routing, no errors.
//!
//! Relay, proxy and user function are processes of their own; both sides use the same user function, written with our
//! SDK. The client, in this process and on the same cores, has one request outstanding on each of many connections, over
//! 1,000 entities. `durable` is SQLite in a temporary folder, which must be on a disk to mean anything; `memory` is
//! without a disk. Further lines tell the resident memory after the load, how many flushes 1,000 commands took (a
//! checkpoint of SQLite's log, about every 40,000 pages, is not counted), and how fast the proxy starts.
//!
//! With `--restate` and `--restate-counter` the same counter runs on a Restate server, with Restate's SDK for Rust; that
//! program is built by hand, with `cargo build --release` in `tests/bench/restate-counter`.

mod load;
mod process;
mod relay;
mod report;
mod user_function;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{Error, figures::seconds, load::run as run_load};
use load::{Connection, Grpc, HttpJson, RestateCounter};
use process::Process;
use report::{AfterLoad, Commits, Line, Round, Side, Start};

/// Compares the proxy with a bare relay: commands per second, memory, flushes, start-up.
#[derive(Parser, Debug)]
#[command(name = "bench-proxy")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// How long to measure each side for each frontend, store and number of connections, in seconds.
    #[arg(long, default_value_t = 6.0, value_parser = seconds)]
    seconds: f64,
    /// In how many turns of each side.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How many clients at once; several, separated by commas.
    #[arg(long, default_values_t = [16, 64, 256], value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=5_000))]
    connections: Vec<u32>,
    /// How often to start the proxy.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    starts: u32,
    /// What to measure, if not all; several, separated by commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    only: Vec<What>,
    /// A Restate server, to be measured side by side.
    #[arg(long, value_name = "PROGRAM", requires = "restate_counter")]
    restate: Option<PathBuf>,
    /// What `tests/bench/restate-counter` builds.
    #[arg(long, value_name = "PROGRAM", requires = "restate")]
    restate_counter: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Commands whose events are on disk before the answer.
    Durable,
    /// Commands with a store in memory.
    Memory,
    /// Starts of the proxy, and memory while it is idle.
    Start,
}

/// A process that is measured.
#[derive(Subcommand, Debug)]
enum Part {
    #[command(hide = true)]
    UserFunction,
    #[command(hide = true)]
    Relay { user_function: u16, store: Option<PathBuf> },
}

/// Runs the program.
///
/// # Errors
///
/// When a process does not start, or answers wrongly.
pub fn run() -> Result<(), Error> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match arguments.part {
            Some(Part::UserFunction) => user_function::serve().await,
            Some(Part::Relay { user_function, store }) => relay::serve(user_function, store).await,
            None => arguments.measure().await,
        }
    })
}

impl Arguments {
    async fn measure(&self) -> Result<(), Error> {
        for &what in What::value_variants() {
            if !self.only.is_empty() && !self.only.contains(&what) {
                continue;
            }
            match what {
                What::Durable => self.compare("durable", true).await?,
                What::Memory => self.compare("memory", false).await?,
                What::Start => self.start().await?,
            }
        }
        Ok(())
    }

    /// A line for each frontend and number of connections.
    async fn compare(&self, store: &str, durable: bool) -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| durable.then(|| folder.path().join(name));
        let user_function = Process::user_function()?;
        let relay = Process::relay(&user_function, file("relay.db").as_deref())?;
        let (ours, _) = Process::proxy(&user_function, file("ours.db").as_deref()).await?;
        let mut commands = 0;
        for &connections in &self.connections {
            let sides = sides::<HttpJson, HttpJson>(&relay, &ours, connections).await?;
            commands += self.turns(("http", store, connections, "relay"), sides).await?;
        }
        for &connections in &self.connections {
            let sides = sides::<Grpc, Grpc>(&relay, &ours, connections).await?;
            commands += self.turns(("grpc", store, connections, "relay"), sides).await?;
        }
        if let (true, Some(server), Some(counter)) = (durable, &self.restate, &self.restate_counter) {
            let (restate, _counter) =
                Process::restate(server, counter, &folder.path().join("restate")).await?;
            for &connections in &self.connections {
                let sides = sides::<HttpJson<RestateCounter>, HttpJson>(&restate, &ours, connections).await?;
                commands += self.turns(("http", store, connections, "restate"), sides).await?;
            }
        }
        let commits = match durable {
            true => Some(Commits { commands, commits: ours.commits().await? }),
            false => None,
        };
        let (relay, ours) = (relay.memory()?, ours.memory()?);
        println!("{}", AfterLoad { store, relay, ours, commits });
        Ok(())
    }

    /// Prints a line; returns how many commands the proxy carried out.
    async fn turns<O: Connection, C: Connection>(
        &self,
        (frontend, store, connections, other): (&str, &str, u32, &str),
        (mut other_side, mut our_side): (Called<'_, O>, Called<'_, C>),
    ) -> Result<usize, Error> {
        let turn = Duration::from_secs_f64(self.seconds / f64::from(self.rounds));
        // Caches and the first command of each entity are nobody's result.
        other_side.run(turn / 2).await?;
        let mut commands = our_side.run(turn / 2).await?.turn.latencies.len();
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            let other = other_side.run(turn).await?;
            let ours = our_side.run(turn).await?;
            commands += ours.turn.latencies.len();
            rounds.push(Round { other, ours });
        }
        println!("{}", Line { frontend, store, connections, other, rounds: &rounds });
        Ok(commands)
    }

    async fn start(&self) -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("ours.db");
        let user_function = Process::user_function()?;
        let idle_user_function = user_function.memory()?;
        // The first one creates the store.
        Process::proxy(&user_function, Some(&store)).await?.0.stop()?;
        let mut times = Vec::new();
        let mut proxy = 0;
        for _ in 0..self.starts {
            let (process, time) = Process::proxy(&user_function, Some(&store)).await?;
            times.push(time);
            proxy = process.memory()?;
            process.stop()?;
        }
        println!("{}", Start { times: &times, proxy, user_function: idle_user_function });
        Ok(())
    }
}

/// A process, and those who call it.
struct Called<'a, C> {
    process: &'a Process,
    callers: Vec<C>,
}

impl<C: Connection> Called<'_, C> {
    async fn run(&mut self, duration: Duration) -> Result<Side, Error> {
        let before = self.process.cpu_time()?;
        let turn = run_load(&mut self.callers, duration).await?;
        Ok(Side { turn, cpu: self.process.cpu_time()? - before })
    }
}

/// As many connections to the one as to the other.
async fn sides<'a, O: Connection, C: Connection>(
    other: &'a Process,
    ours: &'a Process,
    connections: u32,
) -> Result<(Called<'a, O>, Called<'a, C>), Error> {
    let connections = connections as usize;
    Ok((
        Called { process: other, callers: load::connect(other.port, connections).await? },
        Called { process: ours, callers: load::connect(ours.port, connections).await? },
    ))
}
