//! The entity that most tests use.

// As in a user's crate, where it is all public.
#![allow(unreachable_pub)]

use cloudstate_sdk::event_sourced::*;

include!("../contract/generated/cloudstate.rs");
include!("../contract/cart.rs");
