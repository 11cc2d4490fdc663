//! Base64 that arrives in pieces: the text form of gRPC-Web.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};

/// Decodes base64 that is cut into pieces of any size. Whoever wrote it may have encoded it in pieces as well, so that
/// padding stands in the middle.
///
/// ```
/// use cloudstate_proxy::frontend::grpc_web::Base64Groups;
///
/// let mut groups = Base64Groups::default();
/// assert_eq!(groups.decode(b"aGVsbG8=dG")?, "hello");
/// assert_eq!(groups.decode(b"8=")?, "to");
/// groups.finish()?;
/// # Ok::<(), cloudstate_proxy::frontend::grpc_web::InvalidBase64>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Base64Groups {
    /// The beginning of a group of four; never four.
    begun: BytesMut,
}

/// Not base64, or broken off in the middle of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request body is not the base64 that application/grpc-web-text needs")]
pub struct InvalidBase64;

impl Base64Groups {
    /// The bytes of all groups that `piece` completes.
    ///
    /// # Errors
    ///
    /// A group that is no base64. What comes after it must not be decoded.
    pub fn decode(&mut self, piece: &[u8]) -> Result<Bytes, InvalidBase64> {
        self.begun.extend_from_slice(piece);
        let complete = self.begun.split_to(self.begun.len() / 4 * 4);
        let mut decoded = Vec::with_capacity(complete.len() / 4 * 3);
        let mut rest = &complete[..];
        while !rest.is_empty() {
            let (run, after) = rest.split_at(end_of_run(rest));
            BASE64_STANDARD.decode_vec(run, &mut decoded).map_err(|_| InvalidBase64)?;
            rest = after;
        }
        Ok(decoded.into())
    }

    /// Nothing more comes.
    ///
    /// # Errors
    ///
    /// The last group has less than its four characters.
    pub fn finish(&self) -> Result<(), InvalidBase64> {
        if self.begun.is_empty() { Ok(()) } else { Err(InvalidBase64) }
    }
}

/// Where the first group ends that has padding, or all groups if none has.
fn end_of_run(groups: &[u8]) -> usize {
    let padding = groups.iter().position(|byte| *byte == b'=');
    padding.map_or(groups.len(), |at| (at / 4 + 1) * 4)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Feeds `text` in pieces that end where `cuts` say.
    fn decode(text: &str, cuts: &[usize]) -> Result<Vec<u8>, InvalidBase64> {
        let mut groups = Base64Groups::default();
        let mut decoded = Vec::new();
        let mut rest = text.as_bytes();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut % (rest.len() + 1));
            decoded.extend_from_slice(&groups.decode(piece)?);
            rest = after;
        }
        decoded.extend_from_slice(&groups.decode(rest)?);
        groups.finish()?;
        Ok(decoded)
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["a", "aGVsbG8", "a===", "====", "aGVs!G8=", "aGVsbG8= ", "aGVsbG9=", "aG=sbG8="] {
            assert_eq!(decode(text, &[]), Err(InvalidBase64), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_encoded_in_parts_and_cut_anywhere_is_what_was_encoded(
            parts in vec(vec(any::<u8>(), 0..20), 0..8),
            cuts in vec(0usize..40, 0..12),
        ) {
            let text: String = parts.iter().map(|part| BASE64_STANDARD.encode(part)).collect();
            prop_assert_eq!(decode(&text, &cuts), Ok(parts.concat()));
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(pieces in vec(vec(any::<u8>(), 0..20), 0..8)) {
            let mut groups = Base64Groups::default();
            for piece in pieces {
                if groups.decode(&piece).is_err() {
                    break;
                }
                prop_assert!(groups.begun.len() < 4);
            }
        }
    }
}
