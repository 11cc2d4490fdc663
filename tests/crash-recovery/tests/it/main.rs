//! What was acknowledged is there, once, whatever happens to the processes and to the disk.

#![allow(clippy::unwrap_used, reason = "in a test, a surprise is a failure")]

mod book;
mod client;
mod kill;
mod load;
mod site;
