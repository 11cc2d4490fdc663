//! Stored events: a type URL up to the first zero byte, then the payload. What can be read is written as it was.
#![no_main]

use cloudstate_sdk::{Any, event_sourced::Event};
use libfuzzer_sys::fuzz_target;
use shopping_cart::CartEvent;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == 0) else { return };
    let Ok(type_url) = std::str::from_utf8(&input[..end]) else { return };
    let stored = Any { type_url: type_url.to_owned(), value: input[end + 1..].to_vec().into() };
    match CartEvent::decode(&stored) {
        Ok(event) => assert_eq!(CartEvent::decode(&event.encode()), Ok(event)),
        Err(error) => assert!(error.to_string().contains(type_url)),
    }
});
