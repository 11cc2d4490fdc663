//! Messages of any type, in the text format of protobuf: `{name: "a" count: 3}`.

use cloudstate_proto::Any;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, ReflectMessage as _};

use super::cursor::{Cursor, Problem};
use crate::{descriptors, proxy::wire};

/// The method of a service that the kit knows.
pub(super) fn method(service: &str, name: &str) -> Result<MethodDescriptor, Problem> {
    let pool = descriptors::pool().ok_or("the kit's own contracts cannot be compiled")?;
    let service =
        pool.get_service_by_name(service).ok_or_else(|| format!("there is no service {service}"))?;
    let method = service.methods().find(|method| method.name() == name);
    method.ok_or_else(|| format!("{} has no method {name}", service.full_name()))
}

pub(super) fn message(line: &mut Cursor<'_>, of: MessageDescriptor) -> Result<DynamicMessage, Problem> {
    let text = line.braces()?;
    let inside = text.get(1..text.len() - 1).unwrap_or_default();
    DynamicMessage::parse_text_format(of, inside).map_err(|error| format!("`{text}`: {error}"))
}

pub(super) fn pack(message: &DynamicMessage) -> Any {
    let type_url = format!("type.googleapis.com/{}", message.descriptor().full_name());
    Any { type_url, value: message.encode_to_vec().into() }
}

/// `package.Service Method {text}`: service, method, and its input as payload. What nobody knows has an empty one.
pub(super) fn call(line: &mut Cursor<'_>) -> Result<(String, String, Any), Problem> {
    let (service, name) = (line.word()?.to_owned(), line.word()?.to_owned());
    let payload = match method(&service, &name) {
        Ok(method) => pack(&message(line, method.input())?),
        Err(_) => Any::default(),
    };
    Ok((service, name, payload))
}

/// `payload plus 9a0178`: with fields that its type does not know.
pub(super) fn and_more(
    line: &mut Cursor<'_>,
    payload: impl FnOnce(&mut Cursor<'_>) -> Result<Any, Problem>,
) -> Result<Any, Problem> {
    let mut payload = payload(line)?;
    if line.eat("plus") {
        payload.value = [payload.value.to_vec(), hex(line.word()?)?].concat().into();
    }
    Ok(payload)
}

/// `0aff`, or `none`.
pub(super) fn hex(digits: &str) -> Result<Vec<u8>, Problem> {
    if digits == "none" {
        return Ok(Vec::new());
    }
    let pair = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| pair(at).ok_or_else(|| format!("`{digits}` is not hexadecimal"))).collect()
}

/// `NOT_FOUND`
pub(super) fn code(line: &mut Cursor<'_>) -> Result<u16, Problem> {
    let name = line.word()?;
    wire::code(name).ok_or_else(|| format!("there is no status code {name}"))
}
