//! What people type.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Test what speaks the Cloudstate protocol.
#[derive(Debug, Parser)]
#[command(name = "cloudstate-tck", bin_name = "cloudstate-tck", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play the proxy against a user function that serves the model services
    Service(ServiceArguments),
    /// Play the clients of a proxy and its user function
    Proxy(ProxyArguments),
    /// List all scenarios
    List,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// Only these: an area, an id, `reference` for what the reference kit has, `beyond` for what it does not check,
    /// `choices` for what the protocol leaves open; may be given several times
    #[arg(long, value_name = "AREA|ID")]
    pub(crate) only: Vec<String>,
    /// Scenarios that are known to fail, one a line: the id and the reason
    #[arg(long, value_name = "FILE")]
    pub(crate) known_gaps: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArguments {
    /// Where the user function listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    pub(crate) at: String,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How long each message may take
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = some_seconds)]
    pub(crate) deadline: Duration,
    /// How long to wait for the user function to start
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(crate) wait: Duration,
    /// How many scenarios to play at once
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) at_once: u8,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArguments {
    /// Where the proxy serves clients
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000", value_parser = address)]
    pub(crate) at: String,
    /// Where the proxy finds its user function, which is this program
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:8090", value_parser = address)]
    pub(crate) listen: String,
    /// A user function to relay every call to; without, this program answers as the scenarios say
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(crate) service: Option<String>,
    /// Where the proxy serves `/ready`, `/alive` and `/metrics`, to test that as well
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(crate) management: Option<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How long each message may take
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = some_seconds)]
    pub(crate) deadline: Duration,
    /// How long to wait for the proxy to discover its user function, and then to serve clients
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = some_seconds)]
    pub(crate) wait: Duration,
    /// How long nobody may call the user function after a scenario
    #[arg(long, value_name = "SECONDS", default_value = "0.01", value_parser = seconds)]
    pub(crate) silence: Duration,
    /// Offer services of these kinds only: event-sourced, value-entity, crdt, action; may be given several times
    #[arg(long, value_name = "KIND", value_parser = ["event-sourced", "value-entity", "crdt", "action"])]
    pub(crate) offer: Vec<String>,
    /// Offer only contracts that the reference proxy accepts
    #[arg(long)]
    pub(crate) reference_contracts: bool,
    /// Do not know the extension of status codes, if the proxy offers it
    #[arg(long)]
    pub(crate) without_extensions: bool,
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

fn some_seconds(text: &str) -> Result<Duration, String> {
    let seconds = seconds(text)?;
    if seconds.is_zero() { Err("must be more than nothing".to_owned()) } else { Ok(seconds) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|seconds| seconds.as_secs() <= 3600)
        .ok_or("must be a number of seconds, at most 3600".to_owned())
}
