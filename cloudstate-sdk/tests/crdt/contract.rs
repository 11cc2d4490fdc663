//! What `cloudstate-build` generated, and the entities of the documentation.

// The whole contract is here, as it would be in a library, and not all of it is used.
#![allow(dead_code, unreachable_pub)]

use cloudstate_sdk::crdt::*;

include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/presence.rs"));
