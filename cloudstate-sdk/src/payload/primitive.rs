use prost::bytes::Bytes;

use super::{ProtobufMessage, decode_value};
use crate::event_sourced::event::EventType;
use crate::{Any, DecodeError};

pub(crate) const PREFIX: &str = "p.cloudstate.io/";

/// A bare text, number, truth value or bytes, as the protocol stores and sends it for every language.
///
/// To protobuf a `String` is the message `google.protobuf.StringValue`, and so it travels where a message is expected.
/// `Primitive<String>` is the protocol's own form. It can be the event of an entity, and what a subscriber gets from
/// a topic with plain texts.
///
/// ```
/// use cloudstate_sdk::Primitive;
///
/// let any = Primitive("abc".to_owned()).to_any();
/// assert_eq!(any.type_url, "p.cloudstate.io/string");
/// assert_eq!(any.value, &b"\x0a\x03abc"[..]);
/// assert_eq!(Primitive::<String>::from_any(&any).unwrap().0, "abc");
/// assert!(Primitive::<bool>::from_any(&any).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Primitive<T>(pub T);

/// The types that the protocol has a form for: `String`, `bool`, `i32`, `i64`, `f32`, `f64`, `Vec<u8>` and `Bytes`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a primitive of the protocol",
    label = "expected `String`, `bool`, `i32`, `i64`, `f32`, `f64`, `Vec<u8>` or `Bytes`",
    note = "unsigned numbers have no form in the protocol; convert them"
)]
pub trait PrimitiveType: ProtobufMessage {
    /// What stands in the type URL.
    const PRIMITIVE: &'static str;
}

macro_rules! primitives {
    ($($rust:ty = $name:literal;)*) => {
        $(impl PrimitiveType for $rust {
            const PRIMITIVE: &'static str = $name;
        })*

        /// By the name of the wrapper message in `google.protobuf`.
        const NAMES: &[(&str, &str)] = &[$((<$rust as prost::Name>::NAME, $name)),*];
    };
}

primitives! {
    String = "string";
    Vec<u8> = "bytes";
    Bytes = "bytes";
    bool = "bool";
    i32 = "int32";
    i64 = "int64";
    f32 = "float";
    f64 = "double";
}

/// The protocol's name of a message that is a primitive: to prost those are messages, too, `StringValue` and its like.
pub(crate) fn primitive<M: ProtobufMessage>() -> Option<&'static str> {
    let is_wrapper = <() as prost::Name>::PACKAGE == M::PACKAGE;
    NAMES.iter().find(|(wrapper, _)| is_wrapper && *wrapper == M::NAME).map(|(_, name)| *name)
}

impl<T: PrimitiveType> Primitive<T> {
    /// The value as it travels. A default value, such as `""` or 0, has no bytes.
    pub fn to_any(&self) -> Any {
        // The wrapper messages of protobuf are encoded just so; only their type URL differs.
        Any { type_url: Self::type_name(), value: self.0.encode_to_vec().into() }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// When it has another type, or its bytes are malformed.
    pub fn from_any(any: &Any) -> Result<Self, DecodeError> {
        Self::decode_only(any)
    }
}

impl<T: PrimitiveType> EventType for Primitive<T> {
    fn type_name() -> String {
        format!("{PREFIX}{}", T::PRIMITIVE)
    }

    fn is_type_of(stored: &Any) -> bool {
        stored.type_url.strip_prefix(PREFIX) == Some(T::PRIMITIVE)
    }

    fn encode(&self) -> Any {
        self.to_any()
    }

    fn decode(stored: &Any) -> Result<Self, DecodeError> {
        decode_value(stored).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use prost::Message;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[track_caller]
    fn check<T: PrimitiveType + Clone + PartialEq + Debug>(value: T, expected: &str) {
        let any = Primitive(value.clone()).to_any();
        assert_eq!(hex(&any.encode_to_vec()), expected);
        assert_eq!(Primitive::<T>::from_any(&any).unwrap().0, value);
    }

    /// The worked examples of the protocol: whole `Any`s.
    #[test]
    fn every_byte_is_that_of_the_protocol() {
        let string = "0a16702e636c6f756473746174652e696f2f737472696e67";
        check("abc".to_owned(), &format!("{string}12050a03616263"));
        check(String::new(), string);
        check("h\u{e9}llo".to_owned(), &format!("{string}12080a0668c3a96c6c6f"));
        let bytes = "0a15702e636c6f756473746174652e696f2f6279746573";
        check(vec![0u8, 1, 255], &format!("{bytes}12050a030001ff"));
        check(Bytes::from_static(&[0, 1, 255]), &format!("{bytes}12050a030001ff"));
        check(Vec::<u8>::new(), bytes);
        let int32 = "0a15702e636c6f756473746174652e696f2f696e743332";
        check(0i32, int32);
        check(1i32, &format!("{int32}12020801"));
        check(300i32, &format!("{int32}120308ac02"));
        check(-1i32, &format!("{int32}120b08ffffffffffffffffff01"));
        let int64 = "0a15702e636c6f756473746174652e696f2f696e743634";
        check(0i64, int64);
        check(2789i64, &format!("{int64}120308e515"));
        check(-1i64, &format!("{int64}120b08ffffffffffffffffff01"));
        let bool_ = "0a14702e636c6f756473746174652e696f2f626f6f6c";
        check(true, &format!("{bool_}12020801"));
        check(false, bool_);
        let double = "0a16702e636c6f756473746174652e696f2f646f75626c65";
        check(1.5f64, &format!("{double}120909000000000000f83f"));
        check(1.2345f64, &format!("{double}1209098d976e1283c0f33f"));
        check(0.0f64, double);
        let float = "0a15702e636c6f756473746174652e696f2f666c6f6174";
        check(0.5f32, &format!("{float}12050d0000003f"));
        check(0.0f32, float);
    }

    #[test]
    fn what_others_write_is_read() {
        let read = |value: &'static [u8]| {
            Primitive::<i32>::from_any(&Any { type_url: "p.cloudstate.io/int32".into(), value: value.into() })
                .map(|primitive| primitive.0)
        };
        // A default that was written out, a field that nobody knows, and the last of several.
        assert_eq!(read(b"\x08\x00"), Ok(0));
        assert_eq!(read(b"\x12\x01x\x08\x07"), Ok(7));
        assert_eq!(read(b"\x08\x07\x08\x09"), Ok(9));
        assert!(read(b"\x0a\x01x").unwrap_err().to_string().contains("p.cloudstate.io/int32"));
    }
}
