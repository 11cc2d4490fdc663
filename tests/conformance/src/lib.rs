//! The conformance kit of the Cloudstate protocol 0.2.
//!
//! `cloudstate-tck service --at host:port` plays the proxy against a user function that serves the protocol's model
//! services, in whatever language and with whatever library it is written, and compares what it says with what the
//! protocol asks for, message by message.
//!
//! `cloudstate-tck proxy --at host:port` plays the clients of a proxy and its user function, which answers as the
//! scenarios say or, with `--service host:port`, as a real one does that every call is relayed to.
//!
//! ```text
//! cloudstate-tck service --at 127.0.0.1:8080                 all scenarios
//! cloudstate-tck service --only event-sourced --only VE-04   an area and a scenario
//! cloudstate-tck proxy --at 127.0.0.1:9000                   waits on port 8090 for the proxy, then all scenarios
//! cloudstate-tck list                                        what there is
//! ```
//!
//! Exit codes: 0 when nothing failed, 1 when something did or nothing listens, 2 when the command line or the list of
//! known gaps is wrong. The last line of a run is `N passed, N failed, N skipped`.
//!
//! What is skipped: scenarios of model services that discovery does not offer, as the reference kit does, and those
//! that failed as a list of known gaps (`--known-gaps`) says. A scenario of that list that passes is a failure, so that
//! the list only shrinks.
//!
//! The scenarios are text: `scenarios/`, one file for each area, and `scenarios/README.md` on how they are written. Those
//! whose ids hold an `X` are rules that the reference kit does not check. Those around a proxy, in `scenarios/proxy/`, are
//! played one after the other; a `C` in an id marks what the protocol leaves open. The kit knows the wire and nothing
//! else: no SDK and no proxy.

mod area;
mod arguments;
mod conversation;
mod descriptors;
mod discovery;
mod known_gaps;
mod mismatch;
mod model;
mod notation;
mod program;
mod protocol;
mod proxy;
mod readable;
#[cfg(test)]
mod replay;
mod report;
mod scenario;
mod service;

use std::process::ExitCode;

/// Runs the program that the process's arguments ask for.
pub fn main() -> ExitCode {
    program::main()
}
