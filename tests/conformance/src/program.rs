//! A run, from its arguments to its exit code.

use std::{error::Error, fs, io, io::Write as _, process::ExitCode};

use clap::Parser as _;
use futures_util::{StreamExt as _, stream};

use crate::{
    area::Area,
    arguments::{Arguments, Command, ProxyArguments, Selection, ServiceArguments},
    discovery::Discovered,
    known_gaps::KnownGaps,
    notation::proxy::Context,
    proxy,
    report::{Outcome, Report},
    scenario::{self, Scenario, Standing},
    service::Service,
};

/// Runs what the process's arguments ask for.
pub(crate) fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Service(arguments) => run(of_service(&arguments)),
        Command::Proxy(arguments) => run(of_proxy(&arguments)),
        Command::List => list(),
    }
}

/// Why a run did not come to its end.
enum Stop {
    Usage(String),
    Failure(Box<dyn Error>),
}

fn run(verdict: impl Future<Output = Result<bool, Stop>>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error, 1),
    };
    match runtime.block_on(verdict) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Stop::Usage(problem)) => complain(&problem, 2),
        Err(Stop::Failure(error)) => complain(&error, 1),
    }
}

fn list() -> ExitCode {
    fn lines<S>(scenarios: &[Scenario<S>]) -> String {
        scenarios.iter().map(|Scenario { id, title, .. }| format!("{id:14} {title}\n")).collect()
    }
    match (scenario::all(), scenario::around_proxies(&Context::default())) {
        (Ok(of_services), Ok(of_proxies)) => {
            print(&(lines(&of_services) + &lines(&of_proxies)));
            ExitCode::SUCCESS
        }
        (Err(error), _) | (_, Err(error)) => complain(&error, 1),
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

/// Plays the scenarios with a user function, prints the report, and says whether it is good.
async fn of_service(arguments: &ServiceArguments) -> Result<bool, Stop> {
    let scenarios = scenario::all().map_err(|error| Stop::Failure(error.into()))?;
    let gaps = known_gaps(&arguments.selection, &scenarios)?;
    let selected = select(&scenarios, &arguments.selection.only, &Area::OF_SERVICES)?;
    let service =
        Service::new(&arguments.at, arguments.deadline).map_err(|error| Stop::Usage(error.to_string()))?;
    let discovered = service.discover(arguments.wait).await.map_err(|error| Stop::Failure(error.into()))?;

    let outcomes = stream::iter(selected)
        .map(|scenario| {
            let (service, discovered, gaps) = (&service, &discovered, &gaps);
            async move { (scenario, gaps.judged(&scenario.id, play(scenario, service, discovered).await)) }
        })
        .buffered(arguments.at_once.into());
    let scenarios = outcomes.collect().await;
    let report = Report { scenarios, of_discovery: "  reduced: no proxy is in between" };
    print(&format!("{report}\n"));
    Ok(report.is_good())
}

/// The same around a proxy: one scenario after the other, as nobody else may call the user function meanwhile.
async fn of_proxy(arguments: &ProxyArguments) -> Result<bool, Stop> {
    // Mistakes are told before anybody waits for the proxy.
    let scenarios = scenarios_around(&Context::default())?;
    let gaps = known_gaps(&arguments.selection, &scenarios)?;
    select(&scenarios, &arguments.selection.only, &Area::ALL)?;
    let mut stage = proxy::stage(arguments).await.map_err(|error| Stop::Failure(error.into()))?;

    let scenarios = scenarios_around(&stage.context(arguments))?;
    let mut outcomes = Vec::new();
    for scenario in select(&scenarios, &arguments.selection.only, &Area::ALL)? {
        let outcome = stage.outcome(scenario, arguments.service.is_none()).await;
        outcomes.push((scenario, gaps.judged(&scenario.id, outcome)));
    }
    let report = Report { scenarios: outcomes, of_discovery: "" };
    print(&format!("{report}\n"));
    Ok(report.is_good())
}

fn scenarios_around(context: &Context) -> Result<Vec<Scenario<proxy::scenario::Script>>, Stop> {
    scenario::around_proxies(context).map_err(|error| Stop::Failure(error.into()))
}

fn known_gaps<S>(selection: &Selection, scenarios: &[Scenario<S>]) -> Result<KnownGaps, Stop> {
    let Some(path) = &selection.known_gaps else { return Ok(KnownGaps::default()) };
    let text = fs::read_to_string(path)
        .map_err(|error| Stop::Usage(format!("cannot read {}: {error}", path.display())))?;
    KnownGaps::read(&text, scenarios).map_err(|problem| Stop::Usage(format!("{}: {problem}", path.display())))
}

/// The scenarios that are asked for, or all.
fn select<'a, S>(
    scenarios: &'a [Scenario<S>],
    only: &[String],
    areas: &[Area],
) -> Result<Vec<&'a Scenario<S>>, Stop> {
    let asked_for = |scenario: &Scenario<S>, what: &str| {
        let names =
            [scenario.id.as_str(), scenario.area.name(), scenario.area.prefix(), scenario.standing().name()];
        names.iter().any(|name| name.eq_ignore_ascii_case(what))
    };
    let unknown = only.iter().find(|what| {
        let is_standing = Standing::ALL.iter().any(|standing| standing.name().eq_ignore_ascii_case(what));
        !is_standing && !scenarios.iter().any(|scenario| asked_for(scenario, what))
    });
    if let Some(unknown) = unknown {
        let areas = areas.iter().map(|area| area.name()).collect::<Vec<_>>().join(", ");
        return Err(Stop::Usage(format!(
            "`{unknown}` is neither an area ({areas}) nor the id of a scenario; `cloudstate-tck list` lists them"
        )));
    }
    let selected = scenarios
        .iter()
        .filter(|scenario| only.is_empty() || only.iter().any(|what| asked_for(scenario, what)));
    Ok(selected.collect())
}

async fn play(scenario: &Scenario, service: &Service, discovered: &Discovered) -> Outcome {
    let missing: Vec<_> =
        scenario.needs.iter().filter(|service| !discovered.offers(service)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Outcome::Skipped(format!("discovery does not offer {}", missing.join(", ")));
    }
    service.play(scenario, discovered).await.map_or_else(Outcome::Failed, |()| Outcome::Passed)
}
