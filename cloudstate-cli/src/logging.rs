//! What the program says on stderr.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Sends the log to stderr. `RUST_LOG` chooses what is shown, otherwise `default`.
pub(crate) fn start(default: &str) {
    let wanted = crate::environment(EnvFilter::DEFAULT_ENV).filter(|wanted| !wanted.is_empty());
    let (filter, mistake) = match wanted.as_deref().map(EnvFilter::try_new) {
        None => (EnvFilter::new(default), None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(mistake)) => (EnvFilter::new(default), Some(mistake)),
    };
    // Fails only when the program that we are part of has set up its own log, which is then the one to use.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .try_init();
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

/// Unlike `eprintln!` this does not panic when nobody reads stderr any more.
fn print(label: &str, line: &str) {
    let _ = writeln!(io::stderr(), "{label}: {line}");
}
