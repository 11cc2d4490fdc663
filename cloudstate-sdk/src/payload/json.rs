use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event_sourced::event::EventType;
use crate::{Any, DecodeError};

const PREFIX: &str = "json.cloudstate.io/";

/// A value that is stored and sent as JSON, through serde.
///
/// It can be the event of an entity, and what a subscriber reads from an [`Any`]. The feature `json` brings it.
///
/// ```
/// use cloudstate_sdk::{Json, JsonType};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct Renamed {
///     message: String,
/// }
///
/// impl JsonType for Renamed {
///     const NAME: &'static str = "Renamed";
/// }
///
/// let any = Json(Renamed { message: "hi".into() }).to_any().unwrap();
/// assert_eq!(any.type_url, "json.cloudstate.io/Renamed");
/// assert_eq!(Json::from_any(&any), Ok(Json(Renamed { message: "hi".into() })));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

/// A type with a name that its JSON is stored under.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no name as JSON",
    label = "nothing says which name it is stored under",
    note = "write `impl JsonType for {Self}` with `const NAME`"
)]
pub trait JsonType: Serialize + DeserializeOwned + Send + 'static {
    /// Must never change: what is stored under another name is not read again.
    const NAME: &'static str;
}

impl<T: JsonType> Json<T> {
    /// The value as it travels: without white space, members in the order in which serde has them.
    ///
    /// # Errors
    /// When JSON has no form for the value, for example a map whose keys are no texts.
    pub fn to_any(&self) -> Result<Any, serde_json::Error> {
        let json = serde_json::to_vec(&self.0)?;
        // As the first field of a message.
        Ok(Any { type_url: Self::type_name(), value: json.encode_to_vec().into() })
    }

    /// Reads a value.
    ///
    /// # Errors
    /// When it has another name, or is no such JSON.
    pub fn from_any(any: &Any) -> Result<Self, DecodeError> {
        Self::decode_only(any)
    }
}

impl<T: JsonType> EventType for Json<T> {
    fn type_name() -> String {
        format!("{PREFIX}{}", T::NAME)
    }

    fn is_type_of(stored: &Any) -> bool {
        stored.type_url.strip_prefix(PREFIX) == Some(T::NAME)
    }

    /// # Panics
    /// When JSON has no form for the value. Nothing is stored then, and the entity is loaded anew.
    fn encode(&self) -> Any {
        self.to_any().unwrap_or_else(|cause| panic!("{} cannot be stored as JSON: {cause}", T::NAME))
    }

    fn decode(stored: &Any) -> Result<Self, DecodeError> {
        let json = <Vec<u8> as Message>::decode(stored.value.clone())
            .map_err(|cause| DecodeError::malformed(stored, cause))?;
        serde_json::from_slice(&json).map(Self).map_err(|cause| DecodeError::malformed(stored, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_sourced::Event;

    #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Greeting {
        message: String,
    }

    impl JsonType for Greeting {
        const NAME: &'static str = "JsonEvent";
    }

    /// A worked example of the protocol.
    #[test]
    fn every_byte_is_that_of_the_protocol() {
        let any = Json(Greeting { message: "hi".into() }).to_any().unwrap();
        let hex: String = any.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "0a1c6a736f6e2e636c6f756473746174652e696f2f4a736f6e4576656e7412120a107b226d657373616765223a226869227d"
        );
        assert_eq!(<Json<Greeting> as Event>::decode(&any), Ok(Json(Greeting { message: "hi".into() })));
    }

    #[test]
    fn what_is_no_such_json_is_explained() {
        let any =
            |type_url: &str, value: &'static [u8]| Any { type_url: type_url.into(), value: value.into() };
        for (stored, problem) in [
            (any("json.cloudstate.io/Other", b""), "the type `json.cloudstate.io/Other` is not among"),
            (any("p.cloudstate.io/JsonEvent", b""), "the type `p.cloudstate.io/JsonEvent` is not among"),
            (any("json.cloudstate.io/JsonEvent", b""), "EOF while parsing"),
            (any("json.cloudstate.io/JsonEvent", b"\x0a\x02{}"), "missing field `message`"),
            (any("json.cloudstate.io/JsonEvent", b"\x08\x01"), "wire type"),
        ] {
            let error = Json::<Greeting>::from_any(&stored).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
