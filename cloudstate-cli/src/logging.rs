//! What the program says on stderr.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Sends the log to stderr. `RUST_LOG` chooses what is shown, otherwise `default`.
pub(crate) fn start(default: &str, format: Format) {
    let wanted = crate::environment(EnvFilter::DEFAULT_ENV).filter(|wanted| !wanted.is_empty());
    let (filter, mistake) = match wanted.as_deref().map(EnvFilter::try_new) {
        None => (EnvFilter::new(default), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(mistake)) => (EnvFilter::new(default), Some(mistake)),
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // Fails only when the program that we are part of has set up its own log, which is then the one to use.
    let _ = match format {
        Format::Text => {
            subscriber.with_ansi(io::stderr().is_terminal()).with_target(false).finish().try_init()
        }
        Format::Json => subscriber.json().flatten_event(true).finish().try_init(),
    };
    if let Some(mistake) = mistake {
        tracing::warn!("RUST_LOG is not used, {mistake}; write for example RUST_LOG=debug");
    }
}

/// Says why the program ends.
pub(crate) fn print_error(line: &str) {
    print("error", line);
}

/// Says what `cloudstate dev` is doing.
pub(crate) fn print_notice(line: &str) {
    print("cloudstate", line);
}

/// Unlike `eprintln!` this does not panic when nobody reads stderr any more. It is one write: the program that we run
/// writes to the same terminal at the same time.
fn print(label: &str, line: &str) {
    let _ = io::stderr().write_all(format!("{label}: {line}\n").as_bytes());
}
