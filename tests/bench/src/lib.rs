//! Speed, as ratios measured side by side in one run; and memory.
//!
//! | Command | What it compares |
//! |---|---|
//! | `cargo bench-sdk` | the SDK with a bare tonic service: module [`sdk`] |
//! | `cargo bench-proxy` | the proxy with the least that any proxy must do: module [`proxy`] |
//!
//! What is compared runs in processes of its own, from one program. The sides take turns, a round each, so that a
//! machine that slows down slows both; a figure is the median over the rounds.

mod contract;
mod figures;
mod load;
pub mod proxy;
pub mod sdk;

/// What ends a run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
