//! How many parts a descriptor set has, counted before it is decoded. A part takes two bytes to write down and, once
//! it is described by the library, more than a thousand: a few megabytes of empty ones would grow to gigabytes.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::SchemaError;

/// How many; our choice: as many rpcs as are served have half of it with small messages of their own. Source info, which
/// has a part for each word of a contract, makes five or six of one.
pub(super) const MAX_PARTS: usize = 250_000;

/// Refuses a set that would take too much room. One that cannot be read passes, for whoever decodes it to say why.
pub(crate) fn check_parts(descriptor_set: &[u8]) -> Result<(), SchemaError> {
    let mut parts = 0;
    // A stack of our own: how deep messages are nested is the user function's choice.
    let mut to_read = vec![(descriptor_set, &SET)];
    while let Some((mut bytes, kind)) = to_read.pop() {
        while let Some((number, content)) = next_field(&mut bytes) {
            let Some(part) = content.and_then(|content| Some((content, kind.part(number)?))) else {
                continue;
            };
            parts += 1;
            if parts > MAX_PARTS {
                return Err(SchemaError::TooManyParts);
            }
            to_read.push(part);
        }
    }
    Ok(())
}

/// The next field and, if it can be a part, its content; none at the end of what can be read.
fn next_field<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Option<&'a [u8]>)> {
    let (number, wire_type) = decode_key(bytes).ok()?;
    if wire_type != WireType::LengthDelimited {
        skip_field(wire_type, number, bytes, DecodeContext::default()).ok()?;
        return Some((number, None));
    }
    let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((number, Some(content)))
}

/// What a part may have parts in: those fields that decoders make lists of, or that lead to such, by number.
struct Kind(&'static [(u32, &'static Kind)]);

impl Kind {
    fn part(&self, number: u32) -> Option<&'static Kind> {
        self.0.iter().find(|(field, _)| *field == number).map(|(_, kind)| *kind)
    }
}

static SET: Kind = Kind(&[(1, &FILE)]);
static FILE: Kind = Kind(&[
    (3, &LEAF), // dependency
    (4, &MESSAGE),
    (5, &ENUM),
    (6, &SERVICE),
    (7, &FIELD), // extension
    (8, &OPTIONS),
    (9, &SOURCE_CODE_INFO),
]);
static MESSAGE: Kind = Kind(&[
    (2, &FIELD),
    (3, &MESSAGE),
    (4, &ENUM),
    (5, &EXTENSION_RANGE),
    (6, &FIELD), // extension
    (7, &OPTIONS),
    (8, &ONEOF),
    (9, &LEAF),  // reserved_range
    (10, &LEAF), // reserved_name
]);
static FIELD: Kind = Kind(&[(8, &OPTIONS)]);
static ONEOF: Kind = Kind(&[(2, &OPTIONS)]);
static EXTENSION_RANGE: Kind = Kind(&[(3, &OPTIONS)]);
static ENUM: Kind = Kind(&[
    (2, &ENUM_VALUE),
    (3, &OPTIONS),
    (4, &LEAF), // reserved_range
    (5, &LEAF), // reserved_name
]);
static ENUM_VALUE: Kind = Kind(&[(3, &OPTIONS)]);
static SERVICE: Kind = Kind(&[(2, &METHOD), (3, &OPTIONS)]);
static METHOD: Kind = Kind(&[(4, &METHOD_OPTIONS)]);
/// Of anything but rpcs.
static OPTIONS: Kind = Kind(&[
    (2, &LEAF),  // declaration, of extension ranges
    (20, &LEAF), // edition_defaults, of fields
    (999, &UNINTERPRETED_OPTION),
]);
static METHOD_OPTIONS: Kind = Kind(&[(999, &UNINTERPRETED_OPTION), (72_295_728, &HTTP_RULE)]);
static UNINTERPRETED_OPTION: Kind = Kind(&[(2, &LEAF)]); // name
static HTTP_RULE: Kind = Kind(&[(11, &HTTP_RULE)]); // additional_bindings
static SOURCE_CODE_INFO: Kind = Kind(&[(1, &LOCATION)]);
static LOCATION: Kind = Kind(&[(6, &LEAF)]); // leading_detached_comments
/// A text, or a message without lists.
static LEAF: Kind = Kind(&[]);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::{DescriptorPool, FieldDescriptor, Kind as Type, MessageDescriptor};

    use super::*;

    #[test]
    fn every_list_of_a_descriptor_set_is_counted() {
        let files = protox::compile(["google/protobuf/descriptor.proto"], [] as [&str; 0]).unwrap();
        let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
        let set = pool.get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
        assert_eq!(uncounted(&set, &SET, &mut BTreeSet::new()), Vec::<String>::new());
    }

    /// The fields of `message`, and of those in it, that must be counted and are not.
    fn uncounted(
        message: &MessageDescriptor,
        kind: &'static Kind,
        seen: &mut BTreeSet<String>,
    ) -> Vec<String> {
        if !seen.insert(message.full_name().to_owned()) {
            return Vec::new();
        }
        let fields = message.fields().filter(has_parts);
        let missing = fields.flat_map(|field| match (kind.part(field.number()), field.kind()) {
            (None, _) => vec![field.full_name().to_owned()],
            (Some(kind), Type::Message(message)) => uncounted(&message, kind, seen),
            (Some(_), _) => Vec::new(),
        });
        missing.collect()
    }

    /// Whether it is a list of more than numbers, or has one in it.
    fn has_parts(field: &FieldDescriptor) -> bool {
        match field.kind() {
            Type::Message(message) => field.is_list() || message.fields().any(|field| has_parts(&field)),
            Type::String | Type::Bytes => field.is_list(),
            _ => false,
        }
    }
}
