//! What one variant of an event enum can hold, and what a subscriber makes of events of any type.

use cloudstate_sdk::event_sourced::{Any, Event};
use cloudstate_sdk::{DecodeError, Primitive};

include!("../contract/generated/cloudstate.rs");
use com::example::sums::{Count, Number};

/// What an entity stores.
#[derive(Event, Debug, PartialEq)]
enum Stored {
    Counted(Count),
    Named(Primitive<String>),
}

/// What somebody who gets everything makes of it.
#[derive(Event, Debug, PartialEq)]
enum Happened {
    #[event(alias = "com.example.old.Count")]
    Counted(Count),
    Named(Primitive<String>),
    #[event(other)]
    Other(Any),
}

#[test]
fn a_primitive_is_an_event_beside_messages() {
    for (event, type_url) in [
        (Stored::from(Count { to: 1 }), "type.googleapis.com/com.example.sums.Count"),
        (Stored::from(Primitive("ann".to_owned())), "p.cloudstate.io/string"),
    ] {
        let stored = event.encode();
        assert_eq!(stored.type_url, type_url);
        assert_eq!(Stored::decode(&stored).as_ref(), Ok(&event));
        assert_eq!(Stored::try_from(stored), Ok(event));
    }
    let error = Stored::try_from(Number::default().encode()).unwrap_err();
    assert!(error.is_unknown_type());
    assert!(error.to_string().ends_with("com.example.sums.Count, p.cloudstate.io/string"), "{error}");
}

#[test]
fn a_subscriber_reads_what_it_knows_and_keeps_the_rest() {
    let count = Count { to: 1 }.encode();
    let old = Any { type_url: "x/com.example.old.Count".into(), ..count.clone() };
    let number = Number { value: 1 }.encode();
    for (event, expected) in [
        (count, Happened::Counted(Count { to: 1 })),
        (old, Happened::Counted(Count { to: 1 })),
        (Primitive("ann".to_owned()).to_any(), Happened::Named(Primitive("ann".to_owned()))),
        (number.clone(), Happened::Other(number)),
        (Any::default(), Happened::Other(Any::default())),
    ] {
        assert_eq!(Happened::try_from(event), Ok(expected));
    }
    let malformed = Any { type_url: "p.cloudstate.io/string".into(), value: (&b"\x0a\x05x"[..]).into() };
    let error: DecodeError = Happened::try_from(malformed).unwrap_err();
    assert!(!error.is_unknown_type(), "{error}");
}

#[cfg(feature = "json")]
mod json {
    use cloudstate_sdk::event_sourced::{Any, Event};
    use cloudstate_sdk::{Json, JsonType};

    use super::Count;

    #[derive(Debug, PartialEq)]
    struct Note(String);

    impl serde::Serialize for Note {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.serialize(serializer)
        }
    }

    impl<'de> serde::Deserialize<'de> for Note {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            String::deserialize(deserializer).map(Self)
        }
    }

    impl JsonType for Note {
        const NAME: &'static str = "Note";
    }

    #[derive(Event, Debug, PartialEq)]
    enum Stored {
        #[event(alias = "json.cloudstate.io/Remark")]
        Noted(Json<Note>),
        Counted(Count),
    }

    #[test]
    fn json_is_an_event_beside_messages() {
        let note = || Stored::from(Json(Note("hi".into())));
        let stored = note().encode();
        assert_eq!(stored.type_url, "json.cloudstate.io/Note");
        assert_eq!(Stored::decode(&stored), Ok(note()));
        let renamed = Any { type_url: "json.cloudstate.io/Remark".into(), ..stored };
        assert_eq!(Stored::decode(&renamed), Ok(note()));
        let malformed =
            Any { type_url: "json.cloudstate.io/Note".into(), value: (&b"\x0a\x02{}"[..]).into() };
        assert!(!Stored::decode(&malformed).unwrap_err().is_unknown_type());
        let other = Any { type_url: "json.cloudstate.io/Other".into(), ..malformed };
        let error = Stored::decode(&other).unwrap_err().to_string();
        assert!(error.ends_with("json.cloudstate.io/Note, Remark, com.example.sums.Count"), "{error}");
    }
}
