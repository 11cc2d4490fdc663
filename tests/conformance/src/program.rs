//! A run, from its arguments to its exit code.

use std::{error::Error, fs, io, io::Write as _, process::ExitCode};

use clap::Parser as _;
use futures_util::{StreamExt as _, stream};

use crate::{
    area::Area,
    arguments::{Arguments, Command, ServiceArguments},
    discovery::Discovered,
    known_gaps::KnownGaps,
    report::{Outcome, Report},
    scenario::{self, Scenario},
    service::Service,
};

/// Runs what the process's arguments ask for.
pub(crate) fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Service(arguments) => service(&arguments),
        Command::List => list(),
    }
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
