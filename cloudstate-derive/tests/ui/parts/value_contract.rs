// What every value entity's file has at its top.
use cloudstate_sdk::value::*;

include!("../../../../cloudstate-sdk/tests/contract/generated/cloudstate.rs");

#[allow(unused_imports)]
use com::example::profiles::{ForgetProfile, GetProfile, Profile, SetProfile, profiles};
