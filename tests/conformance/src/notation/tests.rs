use cloudstate_proto::{crdt::crdt_stream_in, crdt::crdt_stream_out, eventsourced::event_sourced_stream_in};
use prost::Message as _;

use super::{script::expected, *};
use crate::{
    protocol::{ActionCall, Protocol},
    scenario::{Line, Step},
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The only scenario of a text.
#[track_caller]
fn only(area: Area, lines: &str) -> Script {
    let text = format!("{}-04 title\n{lines}", area.prefix());
    let mut scenarios = read(area, &text).unwrap();
    assert_eq!(scenarios.len(), 1);
    scenarios.remove(0).script
}

fn sent<P: Protocol>(script: Vec<Line<P>>) -> P::In {
    let mut sent = script.into_iter().filter_map(|line| match line.step {
        Step::Send(message) => Some(message),
        _ => None,
    });
    sent.next().unwrap()
}

/// The payload of the only command of a text, in hex.
#[track_caller]
fn payload(area: Area, lines: &str) -> String {
    use cloudstate_proto::valueentity::value_entity_stream_in;
    let payload = match only(area, lines) {
        Script::EventSourced(script) => match sent(script).message {
            Some(event_sourced_stream_in::Message::Command(command)) => command.payload,
            other => panic!("{other:?}"),
        },
        Script::ValueEntity(script) => match sent(script).message {
            Some(value_entity_stream_in::Message::Command(command)) => command.payload,
            other => panic!("{other:?}"),
        },
        Script::Crdt(script) => match sent(script).message {
            Some(crdt_stream_in::Message::Command(command)) => command.payload,
            other => panic!("{other:?}"),
        },
        Script::Action(script) => match script.into_iter().next().map(|line| line.step) {
            Some(Step::Open(ActionCall::Unary(command))) => command.payload,
            _ => panic!("no unary call"),
        },
        Script::Discovery(_) => None,
    };
    hex(&payload.unwrap().value)
}

/// Bytes as written by protoc, so that a mistake in the notation cannot hide behind one in the models.
#[test]
fn commands_have_the_right_bytes() {
    assert_eq!(
        payload(Area::EventSourced, r#" > 1 [emit A, fx! x, fwd e, fail "no"]"#),
        // The id of the entity, then the actions.
        [
            "0a08656e746974792d34",
            "12050a030a0141",
            "12071a050a01781001",
            "120512030a0165",
            "120622040a026e6f"
        ]
        .concat()
    );
    assert_eq!(
        payload(Area::ValueEntity, " > 1 [update A, delete]"),
        ["0a08656e746974792d34", "12050a030a0141", "12021200"].concat()
    );
    assert_eq!(payload(Area::Action, " > Unary{[reply a, fx b] []}"), "0a0e0a050a030a01610a0522030a01620a00");
    let crdt =
        |entity: &str, actions: &str| payload(Area::Crdt, &format!(" entity {entity}\n > 1 {actions}"));
    assert_eq!(
        crdt("PNCounter", "[-42 @ALL]"),
        ["0a0b504e436f756e7465722d34", "12080a06120208534802"].concat()
    );
    assert_eq!(
        crdt("ORSet", "[clear, delete]"),
        ["0a074f525365742d34", "12060a0422021801", "12021200"].concat()
    );
    assert_eq!(
        crdt("ORMap", "[GCounter-1/+7]"),
        ["0a074f524d61702d34", "12180a163a1412120a0a47436f756e7465722d3112040a020807"].concat()
    );
    assert_eq!(
        crdt("Vote", "stream [cancel=vote false, effects=o, initial=vote true, empty]"),
        ["0a06566f74652d34", "1a024200", "22030a016f", "2a0442020801", "3001"].concat()
    );
    assert_eq!(crdt("GCounter", "stream [end=3]"), ["0a0a47436f756e7465722d34", "12040a020803"].concat());
}

/// The delta or the response that is expected, in hex.
#[track_caller]
fn expected_reply(entity: &str, reply: &str) -> cloudstate_proto::crdt::CrdtReply {
    let Script::Crdt(script) = only(Area::Crdt, &format!(" entity {entity}\n < 1 {reply}")) else {
        panic!("not a conversation")
    };
    let expected = script.into_iter().find_map(|line| match line.step {
        Step::Expect(expected) => expected.message.message,
        _ => None,
    });
    match expected {
        Some(crdt_stream_out::Message::Reply(reply)) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn deltas_have_the_right_bytes() {
    for (entity, reply, bytes) in [
        ("GCounter", "reply none; Δ2 @MAJORITY", "0a040a0208021801"),
        ("PNCounter", "reply none; Δ-5", "0a0412020809"),
        ("Vote", "reply none; Δfalse", "0a024200"),
        ("LWWRegister", "reply none; Δ\"\"", "0a1c2a1a0a180a16702e636c6f756473746174652e696f2f737472696e67"),
        (
            "ORMap",
            "reply none; Δ(add{ORSet-1: Δ()})",
            "0a2d3a2b22290a230a16702e636c6f756473746174652e696f2f737472696e6712090a074f525365742d3112022200",
        ),
        ("GSet", "reply none; delete", "1200"),
    ] {
        let action = expected_reply(entity, reply).state_action.unwrap();
        assert_eq!(hex(&action.encode_to_vec()), bytes, "{entity}: {reply}");
    }
}

#[test]
fn responses_have_the_right_bytes() {
    for (entity, reply, bytes) in [
        ("GCounter", "reply 0", "0a020a00"),
        ("GSet", "reply {a,b}", "0a081a060a01610a0162"),
        ("PNCounter", "reply -3", "0a0d120b08fdffffffffffffffff01"),
        ("Vote", "reply (false,0,1)", "0a0442021801"),
        ("GCounter", "reply empty", ""),
    ] {
        let action = expected_reply(entity, reply).client_action.and_then(|action| action.action);
        let Some(cloudstate_proto::client_action::Action::Reply(reply)) = action else { panic!("no reply") };
        assert_eq!(hex(&reply.payload.unwrap().value), bytes, "{entity}");
    }
}

#[test]
fn the_order_in_deltas_is_free() {
    let notation = crdt::Notation::new(String::new(), "ORMap", "ORMap-1".to_owned()).unwrap();
    let expected = |line| expected(&notation, line).unwrap();
    let one = expected("< 1 reply none; Δ(rm{A, B} upd{Flag-1: Δtrue, ORSet-1: Δ(rm{a,b} add{c,d})})");
    let other = expected("< 1 reply none; Δ(rm{B, A} upd{ORSet-1: Δ(rm{b,a} add{d,c}), Flag-1: Δtrue})");
    assert!(one.accepts(&other.message));
    let added = expected("< 1 reply none; Δ(rm{A, B} upd{Flag-1: Δtrue, ORSet-1: Δ(rm{a,b} add{c})})");
    assert!(!one.accepts(&added.message));
}

#[test]
fn the_order_of_states_and_of_side_effects_is_not() {
    let notation = crdt::Notation::new(String::new(), "GSet", "GSet-1".to_owned()).unwrap();
    let accepts = |one, other| {
        let other = expected(&notation, other).unwrap();
        expected(&notation, one).unwrap().accepts(&other.message)
    };
    assert!(!accepts("< 1 reply {a,b}", "< 1 reply {b,a}"));
    assert!(!accepts("< 1 reply {}; fx[a, b]", "< 1 reply {}; fx[b, a]"));
}

#[test]
fn entity_ids_are_those_of_the_scenarios() {
    let Script::EventSourced(script) = only(Area::EventSourced, " > init\n > 1 [fwd X-id]") else {
        panic!("not a conversation")
    };
    match sent(script).message {
        Some(event_sourced_stream_in::Message::Init(init)) => assert_eq!(init.entity_id, "entity-4"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mistakes_are_explained() {
    for (area, lines, problem) in [
        (Area::EventSourced, " > 1 [emitt A]", "ES-04: `> 1 [emitt A]`: `fail` is missing before `emitt A]`"),
        (Area::EventSourced, " > 1 [] x", "ES-04: `> 1 [] x`: cannot read `x`"),
        (Area::EventSourced, " 1 []", "ES-04: `1 []`: neither `>` nor `<`"),
        (
            Area::EventSourced,
            " either {\n > init\n }",
            "ES-04: each alternative must begin with a message to expect",
        ),
        (Area::EventSourced, " either {\n < 1 reply x", "ES-04: `}` is missing at the end"),
        (Area::Crdt, " entity Set\n > init", "CRDT-04: there is no CRDT of the name `Set`"),
        (Area::Crdt, " > init", "CRDT-04: there is nothing here that this area can do"),
        (
            Area::Crdt,
            " entity GCounter\n > 1 [-1]",
            "CRDT-04: `> 1 [-1]`: `-1` is not a number that fits here",
        ),
        (Area::Action, " check x", "ACT-04: `check x`: `is` is missing before ``"),
    ] {
        let text = format!("{}-04 title\n{lines}", area.prefix());
        let error = read(area, &text).map(|scenarios| scenarios.len()).unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
    let error = read(Area::Action, "ES-04 title").map(|scenarios| scenarios.len()).unwrap_err();
    assert_eq!(error.to_string(), "ES-04: the ids of this file begin with ACT-");
}
