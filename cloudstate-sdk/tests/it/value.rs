//! Value entities, as users and proxies have them.

mod discovery;
mod faults;
mod model;
mod refusals;
mod scenarios;
mod stream;
mod testkit;
