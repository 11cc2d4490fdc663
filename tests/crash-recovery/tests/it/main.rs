//! What was acknowledged is there, once, whatever happens to the processes and to the disk.

#![allow(clippy::unwrap_used, reason = "in a test, a surprise is a failure")]

mod book;
mod client;
mod disk;
mod failing_disk;
mod failing_store;
mod file;
mod isolation;
mod kill;
mod load;
mod power_loss;
mod script;
mod silent_function;
mod site;
