//! The entity, tested without server, runtime or cluster: the test kit plays the callers and the other nodes.

use cloudstate_sdk::StreamCall;
use cloudstate_sdk::crdt::testkit::{Follower, Message, TestKit};
use cloudstate_sdk::crdt::{Code, ORSet, ServiceCall};
use presence::Room;
use presence::com::example::presence::{
    ConnectUser, LeaveRoom, Online, Visitor, WatchRoom, presence as calls,
};

fn kitchen() -> TestKit<Room> {
    TestKit::new("kitchen")
}

fn connect(user: &str, session: &str) -> StreamCall<Online> {
    calls::connect(ConnectUser { room: "kitchen".into(), user: user.into(), session: session.into() })
}

fn leave(user: &str) -> ServiceCall<()> {
    calls::leave(LeaveRoom { room: "kitchen".into(), user: user.into() })
}

fn watch() -> StreamCall<Online> {
    calls::watch(WatchRoom { room: "kitchen".into() })
}

fn visitor(user: &str, session: &str) -> Visitor {
    Visitor { user: user.into(), session: session.into() }
}

/// What a caller has been told since it was last asked: who is there, message by message.
fn told(room: &mut TestKit<Room>, caller: &Follower<Online>) -> Vec<String> {
    room.messages(caller).iter().map(|message| message.reply().users.join(" ")).collect()
}

#[test]
fn whoever_comes_in_is_told_who_is_there_and_who_comes_later() {
    let mut room = kitchen();
    let bob = room.follow(connect("bob", "1"));
    assert!(bob.has_changed());
    assert_eq!(bob.reply().users, ["bob"]);

    let ada = room.follow(connect("ada", "1"));
    assert_eq!(ada.reply().users, ["ada", "bob"]);
    assert_eq!(told(&mut room, &bob), ["ada bob"]);
    assert!(told(&mut room, &ada).is_empty(), "the first reply has said it");
}

#[test]
fn a_cancelled_stream_is_a_way_out() {
    let mut room = kitchen();
    let outside = room.follow(watch());
    let ada = room.follow(connect("ada", "1"));
    let bob = room.follow(connect("bob", "1"));
    told(&mut room, &ada);

    assert!(room.cancel(&ada).has_changed());

    assert_eq!(told(&mut room, &bob), ["bob"]);
    assert_eq!(told(&mut room, &outside), ["ada", "ada bob", "bob"]);
    assert!(room.messages(&ada).is_empty());
    assert_eq!(room.restarted(), *room.state());
}

#[test]
fn a_user_is_there_until_the_last_connection_ends() {
    let mut room = kitchen();
    let laptop = room.follow(connect("ada", "laptop"));
    let phone = room.follow(connect("ada", "phone"));
    assert_eq!(phone.reply().users, ["ada"]);
    told(&mut room, &phone);

    room.cancel(&laptop);
    assert_eq!(told(&mut room, &phone), ["ada"]);
    room.cancel(&phone);
    assert!(room.follow(watch()).reply().users.is_empty());
}

#[test]
fn leaving_ends_all_streams_of_the_user_and_no_others() {
    let mut room = kitchen();
    let bob = room.follow(connect("bob", "1"));
    let sessions = [room.follow(connect("ada", "laptop")), room.follow(connect("ada", "phone"))];
    for caller in sessions.iter().chain([&bob]) {
        told(&mut room, caller);
    }

    assert!(room.call(leave("ada")).has_changed());

    let last = |messages: Vec<Message<Online>>| -> Vec<(String, bool)> {
        messages.iter().map(|message| (message.reply().users.join(" "), message.is_last)).collect()
    };
    for session in &sessions {
        assert_eq!(last(room.messages(session)), [("bob".to_owned(), true)]);
        assert!(!room.cancel(session).has_changed(), "the stream has ended already");
    }
    assert_eq!(last(room.messages(&bob)), [("bob".to_owned(), false)]);
}

#[test]
fn other_nodes_have_visitors_too() {
    let mut there = ORSet::new();
    there.insert(visitor("ada", "1"));
    let mut room = kitchen().given(there);
    let bob = room.follow(connect("bob", "1"));
    assert_eq!(bob.reply().users, ["ada", "bob"]);

    room.changed_elsewhere(|visitors| visitors.insert(visitor("eve", "1")));
    room.changed_elsewhere(|visitors| visitors.remove(&visitor("ada", "1")));
    assert_eq!(told(&mut room, &bob), ["ada bob eve", "bob eve"]);

    room.changed_elsewhere(|visitors| visitors.remove(&visitor("bob", "1")));
    let last: Vec<_> = room.messages(&bob).iter().map(|message| message.is_last).collect();
    assert_eq!(last, [true], "sent out through another node");
}

#[test]
fn those_outside_are_not_in() {
    let mut room = kitchen();
    let outside = room.follow(watch());
    assert!(!outside.has_changed() && outside.is_open());
    assert!(!room.cancel(&outside).has_changed());
    room.follow(connect("ada", "1"));
    assert!(room.messages(&outside).is_empty());
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut room = kitchen();
    let ada = room.follow(connect("ada", "1"));
    for (call, code) in [
        (connect("", "1"), Code::InvalidArgument),
        (connect("ada", ""), Code::InvalidArgument),
        (connect("ada", "1"), Code::AlreadyExists),
    ] {
        let refused = room.follow(call);
        assert_eq!(refused.failure().code, code);
        assert!(!refused.is_open() && !refused.has_changed());
    }
    let refused = room.call(leave("bob"));
    assert_eq!(refused.failure().code, Code::NotFound);
    assert_eq!(refused.failure().message, "bob is not in kitchen");
    assert!(room.messages(&ada).is_empty());
}

#[test]
fn a_room_can_be_full() {
    let mut room = kitchen();
    for session in 0..100 {
        assert!(room.follow(connect("ada", &session.to_string())).is_open());
    }
    let refused = room.follow(connect("bob", "1"));
    assert_eq!(refused.failure().code, Code::ResourceExhausted);
    assert!(!refused.has_changed());
    assert_eq!(room.follow(watch()).reply().users, ["ada"]);
    assert_eq!(room.restarted(), *room.state());
}
