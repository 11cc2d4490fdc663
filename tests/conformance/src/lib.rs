//! The conformance kit of the Cloudstate protocol 0.2.
//!
//! `cloudstate-tck service --at host:port` plays the proxy against a user function that serves the protocol's model
//! services, in whatever language and with whatever library it is written, and compares what it says with what the
//! protocol asks for, message by message.
//!
//! ```text
//! cloudstate-tck service --at 127.0.0.1:8080              all scenarios
//! cloudstate-tck service --only event-sourced --only VE-04   an area and a scenario
//! cloudstate-tck list                                     what there is
//! ```
//!
//! Exit codes: 0 when nothing failed, 1 when something did or nothing listens, 2 when the command line or the list of
//! known gaps is wrong. The last line of a run is `N passed, N failed, N skipped`.
//!
//! What is skipped: scenarios of model services that discovery does not offer, as the reference kit does, and those
//! that failed as a list of known gaps (`--known-gaps`) says. A scenario of that list that passes is a failure, so that the list
//! only shrinks.
//!
//! The scenarios are text: `scenarios/`, one file for each area, and `scenarios/README.md` on how they are written. Those
//! whose ids hold an `X` are rules that the reference kit does not check. The kit knows the wire and nothing else: no SDK
//! and no proxy.

mod area;
mod conversation;
mod discovery;
mod known_gaps;
mod mismatch;
mod model;
mod notation;
mod protocol;
mod readable;
#[cfg(test)]
mod replay;
mod report;
mod scenario;
mod service;

use std::{error::Error, fs, io, io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use futures_util::{StreamExt as _, stream};

use area::Area;
use discovery::Discovered;
use known_gaps::KnownGaps;
use report::{Outcome, Report};
use scenario::Scenario;
use service::Service;

/// Runs the program.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Service(arguments) => service(&arguments),
        Command::List => list(),
    }
}

/// Test what speaks the Cloudstate protocol.
#[derive(Debug, Parser)]
#[command(name = "cloudstate-tck", bin_name = "cloudstate-tck", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the proxy against a user function that serves the model services
    Service(ServiceArguments),
    /// List all scenarios
    List,
}

#[derive(Debug, clap::Args)]
struct ServiceArguments {
    /// Where the user function listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    at: String,
    /// Only these: an area, an id, or `reference` for what the reference kit has; may be given several times
    #[arg(long, value_name = "AREA|ID")]
    only: Vec<String>,
    /// Scenarios that are known to fail, one a line: the id and the reason
    #[arg(long, value_name = "FILE")]
    known_gaps: Option<PathBuf>,
    /// How long each message may take
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    deadline: Duration,
    /// How long to wait for the user function to start
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    wait: Duration,
    /// How many scenarios to play at once
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    at_once: u8,
}

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("must be a host and a port, such as 127.0.0.1:8080".to_owned()),
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '@', ' '])
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|seconds| seconds.as_secs() <= 3600)
        .ok_or("must be a number of seconds, at most 3600".to_owned())
}

/// Why a run did not come to its end.
enum Stop {
    Usage(String),
    Failure(Box<dyn Error>),
}

fn service(arguments: &ServiceArguments) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error, 1),
    };
    match runtime.block_on(run(arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Stop::Usage(problem)) => complain(&problem, 2),
        Err(Stop::Failure(error)) => complain(&error, 1),
    }
}

fn list() -> ExitCode {
    match scenario::all() {
        Ok(scenarios) => {
            let line = |Scenario { id, title, .. }: &Scenario| format!("{id:10} {title}\n");
            print(&scenarios.iter().map(line).collect::<String>());
            ExitCode::SUCCESS
        }
        Err(error) => complain(&error, 1),
    }
}

fn print(text: &str) {
    // Who closes the pipe has read enough.
    let _ = io::stdout().write_all(text.as_bytes());
}

fn complain(problem: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("cloudstate-tck: {problem}");
    code.into()
}

/// Plays the scenarios, prints the report, and says whether it is good.
async fn run(arguments: &ServiceArguments) -> Result<bool, Stop> {
    let scenarios = scenario::all().map_err(|error| Stop::Failure(error.into()))?;
    let gaps = known_gaps(arguments, &scenarios)?;
    let selected = select(&scenarios, &arguments.only)?;
    let service =
        Service::new(&arguments.at, arguments.deadline).map_err(|error| Stop::Usage(error.to_string()))?;
    let discovered = service.discover(arguments.wait).await.map_err(|error| Stop::Failure(error.into()))?;

    let outcomes = stream::iter(selected)
        .map(|scenario| {
            let (service, discovered, gaps) = (&service, &discovered, &gaps);
            async move { (scenario, play(scenario, service, discovered, gaps).await) }
        })
        .buffered(arguments.at_once.into());
    let report = Report(outcomes.collect().await);
    print(&format!("{report}\n"));
    Ok(report.is_good())
}

fn known_gaps(arguments: &ServiceArguments, scenarios: &[Scenario]) -> Result<KnownGaps, Stop> {
    let Some(path) = &arguments.known_gaps else { return Ok(KnownGaps::default()) };
    let text = fs::read_to_string(path)
        .map_err(|error| Stop::Usage(format!("cannot read {}: {error}", path.display())))?;
    KnownGaps::read(&text, scenarios).map_err(|problem| Stop::Usage(format!("{}: {problem}", path.display())))
}

/// The scenarios that are asked for, or all.
fn select<'a>(scenarios: &'a [Scenario], only: &[String]) -> Result<Vec<&'a Scenario>, Stop> {
    let asked_for = |scenario: &Scenario, what: &str| {
        let names = [scenario.id.as_str(), scenario.area.name(), scenario.area.prefix()];
        names.iter().any(|name| name.eq_ignore_ascii_case(what))
            || (what.eq_ignore_ascii_case("reference") && scenario.is_reference())
    };
    let unknown = only.iter().find(|what| !scenarios.iter().any(|scenario| asked_for(scenario, what)));
    if let Some(unknown) = unknown {
        let areas = Area::ALL.map(Area::name).join(", ");
        return Err(Stop::Usage(format!(
            "`{unknown}` is neither an area ({areas}) nor the id of a scenario; `cloudstate-tck list` lists them"
        )));
    }
    let selected = scenarios
        .iter()
        .filter(|scenario| only.is_empty() || only.iter().any(|what| asked_for(scenario, what)));
    Ok(selected.collect())
}

async fn play(scenario: &Scenario, service: &Service, discovered: &Discovered, gaps: &KnownGaps) -> Outcome {
    let missing: Vec<_> =
        scenario.needs.iter().filter(|service| !discovered.offers(service)).cloned().collect();
    if !missing.is_empty() {
        return Outcome::Skipped(missing);
    }
    match (service.play(scenario, discovered).await, gaps.reason(&scenario.id)) {
        (Ok(()), None) => Outcome::Passed,
        (Ok(()), Some(_)) => Outcome::GapIsClosed,
        (Err(mismatch), None) => Outcome::Failed(mismatch),
        (Err(_), Some(reason)) => Outcome::KnownGap(reason.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_reference_is_there() {
        let scenarios = scenario::all().unwrap();
        let of = |area| {
            let mine = scenarios.iter().filter(|scenario| scenario.area == area && scenario.is_reference());
            mine.map(|scenario| scenario.id.as_str()).collect::<Vec<_>>()
        };
        let numbered =
            |prefix: &str, last| (1..=last).map(|n| format!("{prefix}-{n:02}")).collect::<Vec<_>>();
        assert_eq!(of(Area::Discovery), numbered("DISC", 1));
        assert_eq!(of(Area::Action), numbered("ACT", 34));
        assert_eq!(of(Area::ValueEntity), numbered("VE", 19));
        assert_eq!(of(Area::EventSourced), numbered("ES", 21));
        assert_eq!(of(Area::Crdt), numbered("CRDT", 82));
        assert_eq!(scenarios.iter().filter(|scenario| scenario.is_reference()).count(), 157);
    }
}
