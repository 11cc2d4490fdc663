//! The user function that the tests of this crate kill, and whose proxy they kill: one entity of each kind, which keeps
//! every mark that it is given.
//!
//! A mark is a number that was never used before, so what an entity shows says for each command whether it was stored
//! never, once, or more often. No entity checks for itself whether it has a mark already: that would hide the fault.

mod models;

cloudstate_sdk::include_protos!();
pub use crash::{Mark, Marks, Which};

/// The services that are given marks, one of each kind of entity.
pub const SERVICES: &[&str] = &[LEDGER, "crash.Register", "crash.Tally"];

/// Where events come from.
pub const LEDGER: &str = "crash.Ledger";
/// Where they are kept once more by whoever consumes them.
pub const ECHO: &str = "crash.Echo";

/// The user function, all kinds of entities in it.
pub fn user_function() -> cloudstate_sdk::CloudState {
    cloudstate_sdk::CloudState::new()
        .register::<models::Ledger>()
        .register::<models::Register>()
        .register::<models::Tally>()
        .register::<models::Echo>()
        .register_action(models::Follower)
}
