//! A readable log on stderr for programs that set up none.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Does nothing if the program has a subscriber. `RUST_LOG` chooses what is shown; the default is `info`.
pub(crate) fn install() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colours);
    // An error says that there is a subscriber already, which is what we want to know.
    let _ = subscriber.try_init();
}
