//! Structs of CRDTs.

use cloudstate_sdk::crdt::*;

use crate::notation::written;

#[derive(Crdt, Clone, Debug, Default, PartialEq)]
struct Room {
    members: ORSet<String>,
    topic: LWWRegister<String>,
    #[crdt(key = "closed")]
    is_closed: Flag,
    r#loop: PNCounter,
}

#[derive(Crdt, Clone, Debug, Default, PartialEq)]
struct House<T: CrdtValue + Default> {
    kitchen: Room,
    rooms: ORMap<String, Room>,
    owner: LWWRegister<T>,
}

/// Another node, to which `command` is sent.
#[track_caller]
fn sends<C: Crdt + PartialEq>(here: &mut C, there: &mut C, command: impl FnOnce(&mut C), expected: &str) {
    command(here);
    let delta = here.take_delta();
    assert_eq!(written(delta.clone()), expected);
    if let Some(delta) = delta {
        there.apply(delta).unwrap();
    }
    assert_eq!(here, there);
    assert!(!here.has_changed() && here.unsent().is_none() && there.unsent().is_none());
}

#[test]
fn only_what_has_changed_is_sent() {
    let (mut here, mut there) = (Room::default(), Room::default());
    sends(&mut here, &mut there, |_| {}, "-");
    sends(
        &mut here,
        &mut there,
        |room| {
            room.members.insert("ada".into());
            room.is_closed.enable();
        },
        "Δ(add{members: Δ(add{ada}), closed: Δtrue})",
    );
    // What one node has created, the other knows.
    sends(
        &mut there,
        &mut here,
        |room| {
            room.members.insert("bob".into());
            room.topic.set("tea".into());
        },
        "Δ(upd{members: Δ(add{bob})} add{topic: Δ\"tea\"})",
    );
    sends(&mut here, &mut there, |room| room.r#loop.increment(1), "Δ(add{loop: Δ+1})");
    sends(&mut here, &mut there, |room| room.topic.set("milk".into()), "Δ(upd{topic: Δ\"milk\"})");
}

#[test]
fn products_nest() {
    let (mut here, mut there) = (House::<bool>::default(), House::<bool>::default());
    sends(
        &mut here,
        &mut there,
        |house| house.rooms.get_or_default("hall".into()).r#loop.increment(1),
        "Δ(add{rooms: Δ(add{hall: Δ(add{loop: Δ+1})})})",
    );
    sends(
        &mut there,
        &mut here,
        |house| {
            house.rooms.get_or_default("hall".into()).r#loop.increment(1);
            house.kitchen.is_closed.enable();
        },
        "Δ(upd{rooms: Δ(upd{hall: Δ(upd{loop: Δ+1})})} add{kitchen: Δ(add{closed: Δtrue})})",
    );
    let copy = House::<bool>::from_state(here.state()).unwrap();
    assert_eq!(copy, here);
    assert!(copy.is_known() && copy.unsent().is_none());
}

#[test]
fn a_failed_command_leaves_nothing_behind() {
    let mut room = Room::default();
    room.members.insert("ada".into());
    room.mark_sent();
    let before = room.clone();
    room.members.clear();
    room.topic.set("tea".into());
    room.is_closed.enable();
    room.roll_back();
    assert_eq!(room, before);
    assert_eq!(room.unsent(), None);
}

#[test]
fn it_is_a_map_to_everybody_else() {
    let mut map = ORMap::<String, AnyCrdt>::new();
    map.get_or_insert_with("closed".into(), || Flag::new().into());
    map.get_or_insert_with("of a later version".into(), || Vote::new().into());
    let mut room = Room::from_state(map.take_delta().unwrap()).unwrap();
    room.is_closed.enable();
    assert_eq!(written(room.unsent()), "Δ(upd{closed: Δtrue})");
    map.apply(room.take_delta().unwrap()).unwrap();

    // A key that is removed is as it was at first.
    map.remove("closed");
    room.apply(map.take_delta().unwrap()).unwrap();
    assert!(!room.is_closed.is_enabled() && !room.is_closed.is_known());
    room.is_closed.enable();
    assert_eq!(written(room.take_delta()), "Δ(add{closed: Δtrue})");
    map.clear();
    room.apply(map.take_delta().unwrap()).unwrap();
    assert_eq!(room, Room::default());
}

#[test]
fn a_field_of_another_type_is_named() {
    let mut map = ORMap::<String, GCounter>::new();
    map.get_or_default("topic".into());
    assert_eq!(
        Room::from_state(map.state()).unwrap_err().to_string(),
        "in the entry \"topic\": a change of a GCounter came for a LWWRegister; values of several types need an \
         `AnyCrdt`"
    );
}
