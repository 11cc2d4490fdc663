//! What both kinds have is the same, so both can be brought in.
use cloudstate_sdk::action::*;
use cloudstate_sdk::crdt::*;

include!("../../../../cloudstate-sdk/tests/contract/generated/cloudstate.rs");

use com::example::presence::{Online, Visit, presence};
use com::example::sums::{Count, Number, sums};

include!("../parts/crdt_error.rs");
include!("../parts/crdt_commands.rs");
include!("../parts/action.rs");
include!("../parts/action_handlers.rs");

#[crdt_entity(service = presence)]
#[derive(Default)]
pub struct Presence {
    users: ORSet<String>,
}

fn main() {}
