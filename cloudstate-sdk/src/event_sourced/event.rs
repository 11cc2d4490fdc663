use crate::payload::{self, ProtobufMessage};
use crate::{Any, DecodeError};

/// Something that has happened to an entity, as it is stored.
///
/// Every protobuf message is an event. An entity with several of them collects them in an enum with
/// [`#[derive(Event)]`](macro@super::Event), one message a variant. Stored events are told apart by the full
/// name of their message: renaming a message or its package needs an `alias`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "expected an enum with `#[derive(Event)]`, or a protobuf message",
    note = "write `#[derive(Event)]` above an enum whose variants hold one protobuf message each"
)]
pub trait Event: Sized + Send + 'static {
    /// The event as it is stored.
    fn encode(&self) -> Any;

    /// Reads a stored event.
    ///
    /// # Errors
    /// When its type is none that the entity knows, or its bytes are malformed. The entity is then not loaded:
    /// to skip an event is to lose it.
    fn decode(stored: &Any) -> Result<Self, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<M: ProtobufMessage> Event for M {
    fn encode(&self) -> Any {
        payload::encode(self)
    }

    fn decode(stored: &Any) -> Result<Self, DecodeError> {
        payload::decode(stored)
    }
}

/// Encodes and decodes the message of one variant of an event enum.
///
/// All that `#[derive(Event)]` needs of a message goes through `Codec::of`, so that a type that is no message
/// is one error.
pub struct Codec<M> {
    full_name: fn() -> String,
    is_name: fn(&str) -> bool,
    encode: fn(&M) -> Any,
    decode: fn(&Any) -> Result<M, DecodeError>,
}

impl<M> Codec<M> {
    /// For the message `M`.
    #[must_use]
    pub const fn of() -> Self
    where
        M: ProtobufMessage,
    {
        Self {
            full_name: M::full_name,
            is_name: payload::is_name_of::<M>,
            encode: payload::encode,
            decode: payload::decode_value,
        }
    }

    /// The full name of the message.
    #[must_use]
    pub fn full_name(&self) -> String {
        (self.full_name)()
    }

    /// Whether a stored event of this type is such a message.
    #[must_use]
    pub fn is_name(&self, type_name: &str) -> bool {
        (self.is_name)(type_name)
    }

    /// Encodes a message under its present name.
    #[must_use]
    pub fn encode(&self, message: &M) -> Any {
        (self.encode)(message)
    }

    /// Decodes the bytes of a stored event whose type was recognised.
    ///
    /// # Errors
    /// When they are malformed.
    pub fn decode(&self, stored: &Any) -> Result<M, DecodeError> {
        (self.decode)(stored)
    }
}
