//! The proxy under test: who it takes for its user function, who calls it, and what they do together.

pub(crate) mod client;
pub(crate) mod contract;
pub(crate) mod function;
pub(crate) mod message;
pub(crate) mod play;
pub(crate) mod scenario;
pub(crate) mod wire;

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::{Instant, sleep};

use crate::{
    arguments::ProxyArguments, discovery::Discovered, notation::proxy::Context, report::Outcome,
    scenario::Scenario,
};
use client::Target;
use function::{Function, Play};
use play::Stage;
use scenario::Script;

/// The proxy cannot be tested at all.
#[derive(Debug)]
pub(crate) struct Unreachable(String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unreachable {}

/// Listens as the user function, and waits until the proxy has found it and serves clients.
///
/// # Errors
///
/// When the address cannot be listened on, or the proxy does not come in time.
pub(crate) async fn stage(arguments: &ProxyArguments) -> Result<Stage, Unreachable> {
    let role = match &arguments.service {
        Some(service) => Play::Relay { service: service.clone() },
        None => Play::Script {
            spec: contract::spec(&arguments.offer, arguments.reference_contracts).map_err(Unreachable)?,
            extensions: !arguments.without_extensions,
        },
    };
    let listen = &arguments.listen;
    let mut function = Function::listen(listen, role)
        .await
        .map_err(|error| Unreachable(format!("cannot listen on {listen}: {error}")))?;
    let port = function.port();
    eprintln!("cloudstate-tck: listening on port {port}: start the proxy with this as its user function");
    let discovery = function.discovered(arguments.wait).await.ok_or_else(|| {
        Unreachable(format!(
            "no proxy has discovered the user function on port {port} within {:?}",
            arguments.wait
        ))
    })?;
    let target = Target::new(&arguments.at, arguments.deadline);
    online(&target, arguments.wait).await?;
    Ok(Stage {
        management: arguments.management.as_ref().map(|address| Target::new(address, arguments.deadline)),
        discovered: Discovered::new(discovery.spec.clone()),
        target,
        function,
        discovery,
        deadline: arguments.deadline,
        silence: arguments.silence,
    })
}

/// Any HTTP answer will do.
async fn online(target: &Target, patience: Duration) -> Result<(), Unreachable> {
    eprintln!("cloudstate-tck: discovered; waiting for the proxy to serve clients at {}", target.address());
    let give_up = Instant::now() + patience;
    loop {
        let request = Request::get("/").body(Full::new(Bytes::new()));
        let answered = match request {
            Ok(request) => target.http1(request).await.map(drop),
            Err(error) => Err(error.to_string()),
        };
        match answered {
            Ok(()) => return Ok(()),
            Err(problem) if Instant::now() >= give_up => {
                return Err(Unreachable(format!(
                    "the proxy at {} serves no HTTP: {problem}",
                    target.address()
                )));
            }
            // It opens its port when it is ready: asking is all one can do.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

impl Stage {
    /// What the scenarios may speak about.
    pub(crate) fn context(&self, arguments: &ProxyArguments) -> Context {
        let host = self.target.address().rsplit_once(':').map_or("", |(host, _)| host);
        Context {
            run: run_name(),
            host: host.to_owned(),
            services: self.discovery.spec.entities.iter().map(|entity| entity.service_name.clone()).collect(),
            scripted: arguments.service.is_none(),
        }
    }

    /// Plays a scenario, in all its branches.
    pub(crate) async fn outcome(&mut self, scenario: &Scenario<Script>, scripted: bool) -> Outcome {
        if let Some(reason) = self.missing(scenario, scripted) {
            return Outcome::Skipped(reason);
        }
        for play in &scenario.script.plays {
            if let Err(mismatch) = self.play(play).await {
                return Outcome::Failed(mismatch);
            }
        }
        Outcome::Passed
    }

    fn missing(&self, scenario: &Scenario<Script>, scripted: bool) -> Option<String> {
        let missing: Vec<_> = scenario
            .needs
            .iter()
            .filter(|service| !self.discovered.offers(service))
            .map(String::as_str)
            .collect();
        let requires = &scenario.script.requires;
        if requires.script && !scripted {
            return Some(
                "played only without --service, as no real user function says such things".to_owned(),
            );
        }
        if !missing.is_empty() {
            return Some(format!("discovery does not offer {}", missing.join(", ")));
        }
        if requires.management && self.management.is_none() {
            return Some("played only with --management".to_owned());
        }
        match (requires.status_codes, self.discovery.status_codes) {
            (Some(true), false) => Some("the extension status-code is not agreed on".to_owned()),
            (Some(false), true) => {
                Some("the extension status-code is agreed on (--without-extensions)".to_owned())
            }
            _ => None,
        }
    }
}

/// Makes entities new, whatever the proxy has stored.
fn run_name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("-{:x}", since.as_millis() & 0xfff_ffff)
}
