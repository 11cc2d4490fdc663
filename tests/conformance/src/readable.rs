//! Messages for people, in the text format of protobuf, with the payloads in them decoded; and errors.

use std::{error::Error, fmt::Debug, ops::Range};

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, Value, text_format::FormatOptions};
use tonic::Status;

use crate::descriptors;

/// The message, its payloads decoded.
pub(crate) fn message<M: Message + Name + Debug>(message: &M) -> String {
    text(message, true)
}

/// The message with the bytes of its payloads, for when there is no other difference.
pub(crate) fn message_in_bytes<M: Message + Name + Debug>(message: &M) -> String {
    text(message, false)
}

fn text<M: Message + Name + Debug>(message: &M, expand_payloads: bool) -> String {
    encoded(&M::full_name(), &message.encode_to_vec(), expand_payloads)
        .unwrap_or_else(|| format!("{message:#?}"))
}

/// An encoded message of that type.
pub(crate) fn encoded(name: &str, bytes: &[u8], expand_payloads: bool) -> Option<String> {
    let options = FormatOptions::new().pretty(true).expand_any(expand_payloads);
    match dynamic(name, bytes)? {
        // An empty message is shown as nothing at all.
        _ if bytes.is_empty() => Some("(an empty message)".to_owned()),
        dynamic => Some(dynamic.to_text_format_with_options(&options)),
    }
}

/// Whether the encoded message holds something that its type does not know.
pub(crate) fn has_unknown_fields(name: &str, bytes: &[u8]) -> bool {
    dynamic(name, bytes).is_some_and(|message| is_unknown(&message))
}

fn is_unknown(message: &DynamicMessage) -> bool {
    let inside = |value: &Value| match value {
        Value::Message(message) => is_unknown(message),
        Value::List(values) => values.iter().filter_map(Value::as_message).any(is_unknown),
        _ => false,
    };
    message.unknown_fields().next().is_some() || message.fields().any(|(_, value)| inside(value))
}

/// The lines between what two texts have in common at their beginnings and at their ends.
pub(crate) fn differing_lines(one: &str, other: &str) -> [Range<usize>; 2] {
    let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    let start = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| lines.len() - start;
    let most = rest(&one).min(rest(&other));
    let end = one.iter().rev().zip(other.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    [start..one.len() - end, start..other.len() - end]
}

fn dynamic(name: &str, bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(descriptors::pool()?.get_message_by_name(name)?, bytes).ok()
}

/// The status, and what caused it if that was not the service.
pub(crate) fn status(status: &Status) -> String {
    let text = format!("gRPC status {:?}: {:?}", status.code(), status.message());
    match status.source() {
        Some(source) => format!("{text} ({})", root_cause(source)),
        None => text,
    }
}

/// "transport error" says less than what it was caused by.
pub(crate) fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}
