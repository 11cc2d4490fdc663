//! How many files and connections this process may have open at once.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// Asks for as many as the system grants. What it grants without being asked, often 1,024, is for programs that cannot
/// take more; a proxy would turn clients away.
pub(crate) fn raise_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, granted)| setrlimit(Resource::RLIMIT_NOFILE, granted, granted));
    if let Err(error) = raised {
        warn!("cannot raise the limit of open files and connections: {error}");
    }
}
