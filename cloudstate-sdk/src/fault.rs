//! What ends a stream: somebody broke the protocol, stored data cannot be read, or user code panicked.
//!
//! A fault is no [`Failure`](crate::Failure): a command that is refused ends nothing.

use std::any::{Any, type_name};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};

use cloudstate_proto as proto;

use crate::Context;

/// Why a stream ends. The proxy gets the description as a failure of the command, or of none if the id is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    command_id: i64,
    description: String,
    /// What a panic said. For the log of the user function only.
    detail: Option<String>,
    /// Which entity and command it was, for the log.
    subject: Option<String>,
}

impl Fault {
    /// The other side sent what it must not.
    pub(crate) fn protocol(command_id: i64, what: impl fmt::Display) -> Self {
        Self {
            command_id,
            description: shortened(format!("Protocol error: {what}")),
            detail: None,
            subject: None,
        }
    }

    /// Stored data could not be turned into a state.
    pub(crate) fn hydration(what: impl Into<String>) -> Self {
        Self { command_id: 0, description: shortened(what.into()), detail: None, subject: None }
    }

    /// Adds which entity and command it was.
    pub(crate) fn about<E>(mut self, context: &Context) -> Self {
        let (entity_type, id, command) = (type_name::<E>(), context.entity_id(), context.command_name());
        let of_command = if command.is_empty() { String::new() } else { format!(", command `{command}`") };
        self.subject = Some(shortened(format!("{entity_type} `{id}`{of_command}")));
        self
    }

    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Logs all that is known. Once, by whoever ends the stream.
    pub(crate) fn log(&self) {
        let parts = [self.subject.as_deref(), Some(&self.description), self.detail()];
        tracing::error!("{}", parts.into_iter().flatten().collect::<Vec<_>>().join(": "));
    }

    pub(crate) fn into_failure(self) -> proto::Failure {
        let Self { command_id, description, .. } = self;
        proto::Failure { command_id, description, ..Default::default() }
    }
}

/// Runs user code. A panic becomes a fault: what it says goes to the log, and the proxy gets a sentence
/// with an id to find it there.
pub(crate) fn contain<T>(command_id: i64, doing: &str, user_code: impl FnOnce() -> T) -> Result<T, Fault> {
    // Unwind safe: whoever sees a fault drops the state that the panic may have left half changed.
    catch_unwind(AssertUnwindSafe(user_code)).map_err(|panic| {
        let error_id = error_id();
        Fault {
            command_id,
            description: format!(
                "unexpected error while {doing}; see error {error_id} in the user function's log"
            ),
            detail: Some(format!("panic: {} (error {error_id})", text_of(&*panic))),
            subject: None,
        }
    })
}

/// Names and types in a description come from outside, and may be as long as a message.
pub(crate) fn shortened(mut description: String) -> String {
    const LONGEST: usize = 4096;
    if description.len() > LONGEST {
        description.truncate(description.floor_char_boundary(LONGEST));
        description.push_str(" ... (cut off)");
    }
    description
}

/// Random enough to find one line in a log.
fn error_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_have_an_end() {
        let fault = Fault::protocol(1, "\u{1F9E6}".repeat(1_000_000));
        assert!(fault.description().len() < 4200);
        assert!(fault.description().ends_with(" ... (cut off)"));
        assert_eq!(Fault::hydration("short").description(), "short");
    }

    #[test]
    fn a_log_says_which_entity_it_was() {
        let context = Context::new("c1").with_command_name("Add");
        let fault = Fault::protocol(1, "x").about::<u8>(&context);
        assert_eq!(fault.subject.as_deref(), Some("u8 `c1`, command `Add`"));
        assert_eq!(fault.about::<u8>(&Context::new("c2")).subject.as_deref(), Some("u8 `c2`"));
    }

    #[test]
    fn what_a_panic_says_stays_here() {
        for (panic, text) in [
            (contain(7, "testing", || -> () { panic!("secret {}", 1) }), "secret 1"),
            (contain(7, "testing", || -> () { panic!("secret") }), "secret"),
            (contain(7, "testing", || -> () { std::panic::panic_any(1) }), "without a text"),
        ] {
            let fault = panic.unwrap_err();
            assert!(fault.detail().is_some_and(|detail| detail.contains(text)));
            let failure = fault.into_failure();
            assert_eq!(failure.command_id, 7);
            assert!(!failure.description.contains("secret"), "{}", failure.description);
        }
    }
}
