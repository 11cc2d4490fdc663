//! The body of a request of `application/grpc-web-text`: decoded or refused, and the same however it is cut into pieces.
//! The first byte says how long the pieces are.
#![no_main]

use cloudstate_proxy::frontend::grpc_web::{Base64Groups, InvalidBase64};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((length, text)) = input.split_first() else { return };
    let in_pieces = decode(text.chunks(usize::from(*length) + 1));
    let at_once = decode([text].into_iter());
    assert_eq!(in_pieces, at_once);
    assert!(at_once.is_err() || text.len() % 4 == 0);
});

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, InvalidBase64> {
    let mut groups = Base64Groups::default();
    let mut decoded = Vec::new();
    for piece in pieces {
        decoded.extend_from_slice(&groups.decode(piece)?);
    }
    groups.finish()?;
    Ok(decoded)
}
