use cloudstate_sdk::Primitive;
use cloudstate_sdk::action::*;
use cloudstate_sdk::event_sourced::Event as StoredEvent;

include!("../../../../cloudstate-sdk/tests/contract/generated/cloudstate.rs");

use com::example::shoppingcart::persistence as domain;

#[derive(Event, Debug, PartialEq)]
enum CartEvent {
    #[event(alias = "old.package.ItemAdded")]
    Added(domain::ItemAdded),
    Note(Primitive<String>),
    #[event(other)]
    Other(Any),
}

fn main() {
    let stored = StoredEvent::encode(&domain::ItemAdded::default());
    let renamed = Any { type_url: "type.googleapis.com/old.package.ItemAdded".into(), ..stored.clone() };
    for event in [stored, renamed] {
        assert_eq!(CartEvent::try_from(event), Ok(CartEvent::Added(domain::ItemAdded::default())));
    }
    let note = Primitive("hi".to_owned());
    assert_eq!(CartEvent::try_from(note.to_any()), Ok(CartEvent::Note(note)));
    let removed = StoredEvent::encode(&domain::ItemRemoved::default());
    assert_eq!(CartEvent::try_from(removed.clone()), Ok(CartEvent::Other(removed)));
    let malformed = Any { type_url: "p.cloudstate.io/string".into(), value: (&b"\x0a\x05x"[..]).into() };
    assert!(CartEvent::try_from(malformed).is_err());
}
