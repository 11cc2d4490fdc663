//! Why a call failed, in words for its client.

use std::fmt;

use crate::{code::Code, error_code::ErrorCode};

/// What of an entity id is shown to people, in bytes; what is longer is cut.
const MAX_SHOWN_ID_BYTES: usize = 100;

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct Failure {
    /// None when the user function failed the call without choosing a code: UNKNOWN toward gRPC clients, 500
    /// toward HTTP clients.
    pub code: Option<Code>,
    /// The text for the client.
    pub description: String,
    /// What the proxy itself found; none when the user function failed the call.
    pub error: Option<ErrorCode>,
    /// Whether nothing is to be added to the description.
    is_complete: bool,
}

/// What a call was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) service: &'a str,
    pub(crate) method: &'a str,
    /// None for an action, and as long as it is not known.
    pub(crate) entity_id: Option<&'a str>,
}

impl Failure {
    /// A failure that the proxy itself found. What the call was about, and what to do, is added before a client
    /// reads it.
    pub fn new(error: ErrorCode, description: impl Into<String>) -> Self {
        Self { is_complete: false, ..Self::fixed(error, description) }
    }

    /// A failure that the proxy itself found, with a text that stays as it is: clients know it from the reference proxy,
    /// or it is the user function's.
    pub(crate) fn fixed(error: ErrorCode, text: impl Into<String>) -> Self {
        Self { error: Some(error), ..Self::passed_on(Some(error.status()), text) }
    }

    /// A failure that the proxy only passes on.
    pub fn passed_on(code: Option<Code>, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), error: None, is_complete: true }
    }

    /// Whether the description says all that there is to say.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The same with a description that says what it is about, if it is about a call, and what to do.
    pub(crate) fn explained(mut self, subject: Option<Subject<'_>>) -> Self {
        if let Some(error) = self.error.filter(|_| !self.is_complete) {
            let text = self.description.trim_end_matches('.');
            let remedy = error.remedy();
            self.description = match subject {
                Some(subject) => format!("{subject}: {text}. {remedy}"),
                None => format!("{text}. {remedy}"),
            };
            self.is_complete = true;
        }
        self
    }
}

/// For example `com.example.Carts/AddItem, entity "u1"`. An id is quoted and escaped: it comes from outside.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.method)?;
        let Some(id) = self.entity_id else { return Ok(()) };
        let shown = &id[..id.floor_char_boundary(MAX_SHOWN_ID_BYTES)];
        let cut = if shown.len() < id.len() { "…" } else { "" };
        write!(f, ", entity {shown:?}{cut}")
    }
}
