//! The entity key read from the bytes of a request, against the same key read from the decoded message.
#![no_main]

use bytes::Bytes;
use cloudstate_fuzz::{CATALOG, fuzz::Keys};
use cloudstate_proxy::service_catalog::KeyError;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|input: &[u8]| {
    let payload = Bytes::copy_from_slice(input);
    let method = CATALOG.find("fuzz.Things", "ByKeys").expect("the rpc is in the contract");
    let id = method.entity_key.entity_id(&payload);
    let Ok(keys) = Keys::decode(payload) else { return };
    let Keys { text, number, natural, zigzag, fixed, signed, flag, .. } = keys;
    let expected = format!("{text}-{number}-{natural}-{zigzag}-{fixed}-{signed}-{flag}");
    match id {
        Ok(id) => assert_eq!(id, expected),
        Err(KeyError::TooLong(length)) => assert_eq!(length, expected.len()),
        Err(other) => panic!("{other}, but the message can be read"),
    }
});
