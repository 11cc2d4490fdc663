// What every entity file has at its top.
use cloudstate_sdk::event_sourced::*;

include!("../../../../cloudstate-sdk/tests/contract/generated/cloudstate.rs");

#[allow(unused_imports)]
use com::example::shoppingcart::{self as api, persistence as domain, shopping_cart};
