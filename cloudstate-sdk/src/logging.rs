//! A readable log on stderr for programs that set up none.

use tracing_subscriber::EnvFilter;

/// Does nothing if the program has a subscriber. `RUST_LOG` chooses what is shown; the default is `info`.
pub(crate) fn install() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // An error says that there is a subscriber already, which is what we want to know.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
