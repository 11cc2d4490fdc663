// What every action's file has at its top.
use cloudstate_sdk::action::*;

include!("../../../../cloudstate-sdk/tests/contract/generated/cloudstate.rs");

#[allow(unused_imports)]
use com::example::sums::{Count, Number, sums};
