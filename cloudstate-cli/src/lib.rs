//! The program `cloudstate`: it hosts a user function, or helps to develop one.
//!
//! | Command | What it does |
//! |---|---|
//! | `cloudstate proxy` | the sidecar of a user function: keeps its state, serves its clients |
//! | `cloudstate dev <package>` | builds a cargo package, runs it behind a proxy, starts it anew whenever its source changes |
//! | `cloudstate dev -- <command>…` | the same for a command in any language |
//!
//! `cloudstate help <command>` lists every setting by topic, with its default and its environment variable.
//! Exit codes: 0 after a stop that was asked for, 1 when something failed, 2 when the command line was wrong.
//!
//! This is a library so that other programs, such as tests, can be `cloudstate` under a name of their own:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     cloudstate_cli::main()
//! }
//! ```
//!
//! How it is built: `proxy` is settings, start, wait for a signal, shut down; all else is in `cloudstate-proxy`.
//! `dev` is a loop over a handful of events (a save, a finished build, an ended process, news from the proxy, a signal).
//! The user function does not run as our child but as that of a small *guard*, the same executable once more: the guard
//! sees one end of a socket close when we end, by whatever means, and ends the user function's process group.

#[cfg(not(unix))]
compile_error!("cloudstate needs Unix signals and process groups");

mod descriptors;
mod dev;
mod logging;
mod proxy;
mod stop;
mod traces;

use std::{error::Error as _, fmt::Write as _, io, process::ExitCode};

use clap::{Parser, Subcommand};
use cloudstate_proxy::{StartError, settings::SettingError};
use tokio::runtime;

/// Serves almost half more gRPC calls a second than the system's allocator, as measured with glibc.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the command that the program's arguments name, to its end.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Proxy(arguments) => finish(runtime::Builder::new_multi_thread(), proxy::run(arguments)),
        Command::Dev(arguments) => finish(runtime::Builder::new_multi_thread(), dev::run(arguments)),
        Command::Guard(arguments) => {
            finish(runtime::Builder::new_current_thread(), dev::guard::run(arguments))
        }
    }
}

/// Host stateful services written against the Cloudstate protocol.
#[derive(Debug, Parser)]
#[command(name = "cloudstate", bin_name = "cloudstate", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Proxy(proxy::Arguments),
    Dev(dev::Arguments),
    #[command(hide = true)]
    Guard(dev::guard::Arguments),
}

const EXAMPLES: &str = "\
Examples:
  cloudstate dev                        develop the cargo package in this folder
  cloudstate dev shopping-cart          develop the cargo package shopping-cart
  cloudstate dev -- node index.js       develop in any other language
  cloudstate proxy --store memory       host what listens on port 8080, keep nothing

`cloudstate help dev` and `cloudstate help proxy` explain everything else.";

/// Why a command ended with an exit code other than 0.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("{0}")]
    Usage(&'static str),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    ProxyFailed(String),
    #[error(transparent)]
    Dev(#[from] dev::Error),
    #[error("cannot send traces to `{0}`")]
    Traces(String, #[source] opentelemetry_otlp::ExporterBuildError),
    #[error("cannot set up the process")]
    Process(#[from] io::Error),
}

impl Error {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Setting(_) | Self::Usage(_) | Self::Traces(..) => ExitCode::from(2),
            Self::Start(_) | Self::ProxyFailed(_) | Self::Dev(_) | Self::Process(_) => ExitCode::FAILURE,
        }
    }

    /// The flag that helps.
    fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Start(StartError::UserFunction(_)) => Some("see --user-function"),
            Self::Start(StartError::Listen(..)) => {
                Some("choose another address with --listen, for example --listen 127.0.0.1:9001")
            }
            Self::Start(StartError::Management(..)) => {
                Some("choose another address with --management, or --management off")
            }
            Self::Traces(..) => Some("write an URL such as --otlp http://127.0.0.1:4317"),
            Self::Start(StartError::Store(_)) => Some("another store is chosen with --store"),
            _ => None,
        }
    }
}

fn finish(mut runtime: runtime::Builder, command: impl Future<Output = Result<(), Error>>) -> ExitCode {
    let outcome = runtime.enable_all().build().map_err(Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(command);
        // What still runs in the background must not hold up the end.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::print_error(&in_one_line(&error));
            error.exit_code()
        }
    }
}

/// What is wrong, why, and what to do.
fn in_one_line(error: &Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    if let Some(remedy) = error.remedy() {
        let _ = write!(line, "; {remedy}");
    }
    line
}

/// An environment variable as text; what is not UTF-8 is replaced, so that it is refused rather than overlooked.
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_guard_is_no_command_for_people() {
        assert!(!Arguments::command().render_long_help().to_string().contains("guard"));
    }

    #[test]
    fn errors_name_their_cause_and_the_remedy_on_one_line() {
        let in_use = || io::Error::other("address in use");
        let cases = [
            (Error::from(in_use()), "cannot set up the process: address in use"),
            (
                Error::from(StartError::Listen(([127, 0, 0, 1], 9000).into(), in_use())),
                "cannot listen on 127.0.0.1:9000: address in use; choose another address with --listen, \
                 for example --listen 127.0.0.1:9001",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(in_one_line(&error), expected);
        }
    }
}
