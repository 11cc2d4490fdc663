// What every CRDT entity's file has at its top.
use cloudstate_sdk::crdt::*;

include!("../../../../cloudstate-sdk/tests/contract/generated/cloudstate.rs");

#[allow(unused_imports)]
use com::example::presence::{Online, Visit, presence};
