//! Reads the entity id from the wire bytes of a command, without decoding the rest of it.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use cloudstate_proto::descriptor::{FieldDescriptorProto, Label, Type};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The longest entity id that is accepted, in bytes.
const MAX_ENTITY_ID_BYTES: usize = 4096;

/// The fields of a request message that make up the entity id, in the order of declaration.
///
/// Several are joined with `-`, as the reference proxy does; stored data depends on it.
#[derive(Debug, Default)]
pub struct EntityKeyFields {
    fields: Vec<KeyField>,
}

#[derive(Debug)]
struct KeyField {
    name: String,
    number: u32,
    kind: KeyType,
}

/// Number and name of each value of an enum.
pub(super) type EnumValues = Arc<[(i32, String)]>;

#[derive(Debug)]
enum KeyType {
    String,
    Bytes,
    Bool,
    /// Plain two's complement varints; `bits` is 32 or 64.
    Signed {
        bits: u8,
    },
    Unsigned {
        bits: u8,
    },
    ZigZag {
        bits: u8,
    },
    Fixed32 {
        signed: bool,
    },
    Fixed64 {
        signed: bool,
    },
    Enum(EnumValues),
}

/// Why a command has no entity id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no protobuf message.
    #[error("the request is not a valid protobuf message: {0}")]
    Malformed(String),
    /// The key is empty.
    #[error("the entity key `{0}` is empty")]
    Empty(String),
    /// The key is longer than the limit.
    #[error("the entity key has {0} bytes; at most {MAX_ENTITY_ID_BYTES} are allowed")]
    TooLong(usize),
}

impl EntityKeyFields {
    /// The key fields among `fields`; `enum_values` finds the values of an enum by its full name with a
    /// leading dot.
    ///
    /// # Errors
    ///
    /// A sentence about a key field whose type cannot name an entity.
    pub fn new(
        fields: &[FieldDescriptorProto],
        enum_values: impl Fn(&str) -> EnumValues,
    ) -> Result<Self, String> {
        let fields = fields.iter().filter(|field| field.is_entity_key());
        let fields = fields.map(|field| KeyField::new(field, &enum_values)).collect::<Result<_, _>>()?;
        Ok(Self { fields })
    }

    /// Whether there is none: such a method cannot address an entity.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The entity id that `payload`, an encoded request, addresses.
    ///
    /// # Errors
    ///
    /// When the bytes are malformed up to the end, or the id is empty or too long.
    pub fn entity_id(&self, payload: &Bytes) -> Result<String, KeyError> {
        let mut texts = vec![None; self.fields.len()];
        let mut rest = payload.clone();
        while rest.has_remaining() {
            let (number, wire_type) = decode_key(&mut rest).map_err(malformed)?;
            match self.fields.iter().position(|field| field.number == number) {
                Some(at) if self.fields[at].kind.wire_type() == wire_type => {
                    texts[at] = Some(self.fields[at].kind.read(&mut rest)?);
                }
                _ => skip_field(wire_type, number, &mut rest, DecodeContext::default()).map_err(malformed)?,
            }
        }
        let texts = texts.into_iter().zip(&self.fields);
        let texts = texts.map(|(text, field)| text.unwrap_or_else(|| field.kind.default_text()));
        let id = texts.collect::<Vec<_>>().join("-");
        match id.len() {
            0 => Err(KeyError::Empty(self.names())),
            length if length > MAX_ENTITY_ID_BYTES => Err(KeyError::TooLong(length)),
            _ => Ok(id),
        }
    }

    fn names(&self) -> String {
        self.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn malformed(error: prost::DecodeError) -> KeyError {
    KeyError::Malformed(error.to_string())
}

impl KeyField {
    fn new(field: &FieldDescriptorProto, enum_values: impl Fn(&str) -> EnumValues) -> Result<Self, String> {
        if field.label == Label::Repeated as i32 {
            return Err(format!("the entity key `{}` is repeated; a key is a single value", field.name));
        }
        let kind = match Type::try_from(field.r#type) {
            Ok(Type::String) => KeyType::String,
            Ok(Type::Bytes) => KeyType::Bytes,
            Ok(Type::Bool) => KeyType::Bool,
            Ok(Type::Int32) => KeyType::Signed { bits: 32 },
            Ok(Type::Int64) => KeyType::Signed { bits: 64 },
            Ok(Type::Uint32) => KeyType::Unsigned { bits: 32 },
            Ok(Type::Uint64) => KeyType::Unsigned { bits: 64 },
            Ok(Type::Sint32) => KeyType::ZigZag { bits: 32 },
            Ok(Type::Sint64) => KeyType::ZigZag { bits: 64 },
            Ok(Type::Fixed32) => KeyType::Fixed32 { signed: false },
            Ok(Type::Sfixed32) => KeyType::Fixed32 { signed: true },
            Ok(Type::Fixed64) => KeyType::Fixed64 { signed: false },
            Ok(Type::Sfixed64) => KeyType::Fixed64 { signed: true },
            Ok(Type::Enum) => KeyType::Enum(enum_values(&field.type_name)),
            Ok(Type::Float | Type::Double | Type::Message | Type::Group) | Err(_) => {
                return Err(format!(
                    "the entity key `{}` is a message or a floating point number; use a string, an integer, a bool or an enum",
                    field.name
                ));
            }
        };
        let number =
            u32::try_from(field.number).map_err(|_| format!("`{}` has no field number", field.name))?;
        Ok(Self { name: field.name.clone(), number, kind })
    }
}

impl KeyType {
    fn wire_type(&self) -> WireType {
        match self {
            KeyType::String | KeyType::Bytes => WireType::LengthDelimited,
            KeyType::Fixed32 { .. } => WireType::ThirtyTwoBit,
            KeyType::Fixed64 { .. } => WireType::SixtyFourBit,
            _ => WireType::Varint,
        }
    }

    /// The text of a field that is absent on the wire: that of its proto3 default.
    fn default_text(&self) -> String {
        match self {
            KeyType::String | KeyType::Bytes => String::new(),
            KeyType::Bool => "false".to_owned(),
            KeyType::Enum(values) => enum_text(values, 0),
            _ => "0".to_owned(),
        }
    }

    fn read(&self, buf: &mut Bytes) -> Result<String, KeyError> {
        match self {
            KeyType::String => {
                let text = String::from_utf8(read_bytes(buf)?.to_vec());
                text.map_err(|_| KeyError::Malformed("the entity key is not valid UTF-8".to_owned()))
            }
            KeyType::Bytes => Ok(read_bytes(buf)?.iter().map(|byte| format!("{byte:02x}")).collect()),
            KeyType::Fixed32 { signed } => {
                let value = buf.try_get_u32_le().map_err(truncated)?;
                Ok(if *signed { (value as i32).to_string() } else { value.to_string() })
            }
            KeyType::Fixed64 { signed } => {
                let value = buf.try_get_u64_le().map_err(truncated)?;
                Ok(if *signed { (value as i64).to_string() } else { value.to_string() })
            }
            _ => Ok(self.varint_text(decode_varint(buf).map_err(malformed)?)),
        }
    }

    fn varint_text(&self, value: u64) -> String {
        match self {
            KeyType::Bool => (value != 0).to_string(),
            KeyType::Signed { bits: 32 } => (value as i32).to_string(),
            KeyType::Signed { .. } => (value as i64).to_string(),
            KeyType::Unsigned { bits: 32 } => (value as u32).to_string(),
            // As every decoder does, so that one number is one entity.
            KeyType::ZigZag { bits: 32 } => zig_zag(u64::from(value as u32)).to_string(),
            KeyType::ZigZag { .. } => zig_zag(value).to_string(),
            KeyType::Enum(values) => enum_text(values, value as i32),
            _ => value.to_string(),
        }
    }
}

/// 0, -1, 1, -2, 2, …
fn zig_zag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// An unknown number stands for itself.
fn enum_text(values: &[(i32, String)], number: i32) -> String {
    let known = values.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, name)| name.clone())
}

fn read_bytes(buf: &mut Bytes) -> Result<Bytes, KeyError> {
    let length = decode_varint(buf).map_err(malformed)?;
    match usize::try_from(length) {
        Ok(length) if length <= buf.remaining() => Ok(buf.split_to(length)),
        _ => Err(KeyError::Malformed("the message is truncated".to_owned())),
    }
}

fn truncated(_: bytes::TryGetError) -> KeyError {
    KeyError::Malformed("the message is truncated".to_owned())
}

#[cfg(test)]
mod tests {
    use cloudstate_proto::descriptor::FieldOptions;
    use proptest::prelude::*;

    use super::*;

    fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
        FieldDescriptorProto {
            name: name.to_owned(),
            number,
            r#type: kind as i32,
            label: Label::Optional as i32,
            options: Some(FieldOptions { entity_key: true, ..Default::default() }),
            ..Default::default()
        }
    }

    fn key(fields: &[FieldDescriptorProto]) -> EntityKeyFields {
        EntityKeyFields::new(fields, |_| [(0, "NONE".to_owned()), (7, "SEVEN".to_owned())].into()).unwrap()
    }

    #[track_caller]
    fn check(kind: Type, wire: &[u8], expected: &str) {
        let id = key(&[field("k", 1, kind)]).entity_id(&Bytes::copy_from_slice(wire));
        assert_eq!(id, Ok(expected.to_owned()), "{kind:?}");
    }

    #[test]
    fn every_scalar_has_its_text() {
        check(Type::String, b"\x0a\x02u1", "u1");
        check(Type::Int32, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-1");
        check(Type::Int64, b"\x08\x96\x01", "150");
        check(Type::Uint32, b"\x08\x96\x01", "150");
        check(Type::Uint64, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "18446744073709551615");
        check(Type::Sint32, b"\x08\x03", "-2");
        check(Type::Sint64, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-9223372036854775808");
        check(Type::Sfixed32, b"\x0d\xff\xff\xff\xff", "-1");
        check(Type::Fixed64, b"\x09\x01\0\0\0\0\0\0\0", "1");
        check(Type::Bool, b"\x08\x01", "true");
        check(Type::Bool, b"", "false");
        check(Type::Bytes, b"\x0a\x02\x01\xff", "01ff");
        check(Type::Enum, b"\x08\x07", "SEVEN");
        check(Type::Enum, b"", "NONE");
        check(Type::Enum, b"\x08\x09", "9");
    }

    #[test]
    fn numbers_of_32_bits_have_no_more() {
        let wire = b"\x08\xf3\xff\xff\xff\x61";
        check(Type::Int32, wire, "536870899");
        check(Type::Uint32, wire, "536870899");
        check(Type::Sint32, wire, "-268435450");
        check(Type::Enum, wire, "536870899");
    }

    #[test]
    fn the_last_value_wins_and_other_fields_are_skipped() {
        check(Type::String, b"\x0a\x01a\x12\x03xyz\x18\x05\x0a\x01b", "b");
    }

    #[test]
    fn several_keys_are_joined_in_order_of_declaration() {
        let fields = key(&[field("b", 2, Type::String), field("a", 1, Type::Int32)]);
        assert_eq!(fields.entity_id(&Bytes::from_static(b"\x08\x05\x12\x01x")), Ok("x-5".to_owned()));
    }

    #[test]
    fn bad_keys_are_explained() {
        let fields = key(&[field("user_id", 1, Type::String)]);
        let id = |wire: &[u8]| fields.entity_id(&Bytes::copy_from_slice(wire));
        assert_eq!(id(b""), Err(KeyError::Empty("user_id".to_owned())));
        assert!(matches!(id(b"\x0a\x05ab"), Err(KeyError::Malformed(_))));
        assert!(matches!(id(b"\x0a\x02\xff\xfe"), Err(KeyError::Malformed(_))));
        let long = [b"\x0a\x81\x20".as_slice(), &[b'x'; 4097]].concat();
        assert_eq!(id(&long), Err(KeyError::TooLong(4097)));
        assert!(EntityKeyFields::new(&[field("k", 1, Type::Message)], |_| Default::default()).is_err());
        assert!(EntityKeyFields::new(&[field("k", 1, Type::Double)], |_| Default::default()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(wire in proptest::collection::vec(any::<u8>(), 0..64)) {
            let fields = key(&[
                field("a", 1, Type::String), field("b", 2, Type::Fixed32), field("c", 3, Type::Sint64),
            ]);
            let _ = fields.entity_id(&Bytes::from(wire));
        }
    }
}
