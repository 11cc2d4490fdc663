//! What is told of a failure.

use std::{fmt, ops::Range};

use crate::readable;

/// In lines; no message of any scenario comes near.
const LONGEST_MESSAGE: usize = 500;

/// Where a conversation left the script.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// What was said and heard until then, as in the scenario.
    pub(crate) transcript: Vec<String>,
    pub(crate) problem: String,
    /// The lines of the scenario that would have been right, each with its message.
    pub(crate) expected: Vec<(String, String)>,
    /// The message that came instead, if any.
    pub(crate) received: Option<String>,
}

impl Mismatch {
    /// Something that is wrong with no message of a conversation.
    pub(crate) fn outside_conversations(problem: String) -> Box<Self> {
        Box::new(Self { transcript: vec![], problem, expected: vec![], received: None })
    }

    /// Whether one can see what was wrong with the message.
    pub(crate) fn shows_a_difference(&self) -> bool {
        self.expected.iter().all(|(_, message)| self.received.as_ref() != Some(message))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.transcript {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "    {}", self.problem)?;
        let differing = match (self.expected.as_slice(), &self.received) {
            ([(_, expected)], Some(received)) => readable::differing_lines(expected, received),
            // With several to choose from, there is no saying which one was meant.
            _ => [0..0, 0..0],
        };
        for (line, message) in &self.expected {
            write_message(f, &format!("expected {line}"), message, &differing[0])?;
        }
        match &self.received {
            Some(message) => write_message(f, "received", message, &differing[1]),
            None => Ok(()),
        }
    }
}

fn write_message(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    message: &str,
    differing: &Range<usize>,
) -> fmt::Result {
    writeln!(f, "    {title}")?;
    for (number, line) in message.lines().enumerate().take(LONGEST_MESSAGE) {
        let mark = if differing.contains(&number) { '!' } else { ' ' };
        writeln!(f, "      {mark} {line}")?;
    }
    match message.lines().count().checked_sub(LONGEST_MESSAGE) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(f, "        (and {more} more lines)"),
    }
}
