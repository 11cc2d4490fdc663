//! Random conversations: whatever comes, everybody gets what is due to them, and the proxy has what is here.

use std::collections::BTreeSet;

use cloudstate_proto::{Command, StreamCancelled};
use proptest::prelude::*;

use super::*;
use crate::Reply;
use crate::command::Effect;
use crate::conversation::MAX_REPLY_SIZE;
use crate::crdt::{self, CrdtValue, ORSet, RawReply, Replies, StreamMessage, StreamReply};

const TERMS: Terms = Terms { max_reply_size: MAX_REPLY_SIZE, status_codes: false };

#[derive(Default)]
struct Room(ORSet<String>);

impl CrdtEntity for Room {
    type Error = Failure;
}

impl Handler for Room {
    type Root = ORSet<String>;

    fn handle(&mut self, name: &str, payload: &Any, _: &Context) -> Result<RawReply<Self>, CommandError> {
        match name {
            "Enter" => crdt::call(payload, |user: String| self.enter(user)),
            "Leave" => crdt::call(payload, |user: String| self.leave(&user)),
            "EnterAndFail" => crdt::call(payload, |user: String| self.enter_and_fail(user)),
            "Clear" => crdt::call(payload, |(): ()| self.clear()),
            "Close" => crdt::call(payload, |(): ()| -> Reply<Self, i64> { Ok(Effect::delete().reply(0)) }),
            "Stay" => crdt::call_streamed(payload, |user: String| self.stay(user)),
            "Watch" => crdt::call_streamed(payload, |limit: i64| self.watch(limit)),
            "Look" => crdt::call_streamed(payload, |(): ()| -> StreamReply<Self, i64> {
                Ok(Effect::stream(self.size()))
            }),
            "WatchAndPanic" => crdt::call_streamed(payload, |(): ()| self.watch_and_panic()),
            "Panic" => panic!("as asked"),
            other => Err(CommandError::unknown("Room", other)),
        }
    }

    fn root(&mut self) -> &mut ORSet<String> {
        &mut self.0
    }
}

impl Room {
    fn size(&self) -> i64 {
        self.0.len() as i64
    }

    fn enter(&mut self, user: String) -> Reply<Self, i64> {
        self.0.insert(user);
        Ok(Effect::reply(self.size()))
    }

    fn leave(&mut self, user: &str) -> Reply<Self, i64> {
        if !self.0.remove(user) {
            return Err(Failure::not_found("not here"));
        }
        Ok(Effect::reply(self.size()))
    }

    fn enter_and_fail(&mut self, user: String) -> Reply<Self, i64> {
        self.0.clear();
        self.0.insert(user);
        Err(Failure::new("changed, and failed"))
    }

    fn clear(&mut self) -> Reply<Self, i64> {
        self.0.clear();
        Ok(Effect::reply(0))
    }

    fn stay(&mut self, user: String) -> StreamReply<Self, i64> {
        self.0.insert(user.clone());
        Ok(Effect::stream(self.size()).silent_at_first().on_cancel(move |room: &mut Self| {
            room.0.remove(&user);
        }))
    }

    /// Ends when more than `limit` are here.
    fn watch(&mut self, limit: i64) -> StreamReply<Self, i64> {
        Ok(Effect::stream(self.size()).on_change(move |now: &Self| {
            let message = StreamMessage::reply(now.size());
            if now.size() > limit { message.and_end() } else { message }
        }))
    }

    fn watch_and_panic(&mut self) -> StreamReply<Self, i64> {
        let stream: Replies<Self, i64> = Effect::stream(self.size());
        Ok(stream.on_change(|_: &Self| -> Option<i64> { panic!("as asked") }))
    }
}

#[derive(Clone, Debug)]
enum Input {
    Command { name: &'static str, payload: Any, streamed: bool },
    Cancel(i64),
    Delta(u8, bool),
    Delete,
}

fn input() -> impl Strategy<Value = Input> {
    let user = || (0..4u8).prop_map(|user| crate::payload::encode(&user.to_string()));
    let by_user =
        (prop::sample::select(vec!["Enter", "Leave", "EnterAndFail", "Stay"]), user(), any::<bool>());
    let plain = prop::sample::select(vec!["Clear", "Look", "WatchAndPanic"]);
    prop_oneof![
        8 => by_user.prop_map(|(name, payload, streamed)| Input::Command { name, payload, streamed }),
        3 => (0..4i64).prop_map(|limit| Input::Command { name: "Watch", payload: crate::payload::encode(&limit), streamed: true }),
        3 => (plain, any::<bool>()).prop_map(|(name, streamed)| Input::Command { name, payload: crate::payload::encode(&()), streamed }),
        1 => prop::sample::select(vec!["Close", "Panic", "Nonsense"])
            .prop_map(|name| Input::Command { name, payload: crate::payload::encode(&()), streamed: false }),
        4 => (0..20i64).prop_map(Input::Cancel),
        3 => (0..4u8, any::<bool>()).prop_map(|(user, add)| Input::Delta(user, add)),
        1 => Just(Input::Delete),
    ]
}

/// What the proxy knows.
struct Proxy {
    instance: Instance<Room>,
    replica: ORSet<String>,
    following: BTreeSet<i64>,
    last_command: i64,
}

impl Proxy {
    fn new() -> Self {
        let init = CrdtInit { service_name: "Room".into(), entity_id: "kitchen".into(), delta: None };
        let instance = Instance::start(init, &|_| Room::default(), TERMS).unwrap();
        Self { instance, replica: ORSet::new(), following: BTreeSet::new(), last_command: 0 }
    }

    fn send(&mut self, input: Input) -> Result<(), Fault> {
        use crdt_stream_in::Message as In;
        let mut out = Vec::new();
        let entity_id = "kitchen".to_owned();
        match input {
            Input::Command { name, payload, streamed } => {
                self.last_command += 1;
                let id = self.last_command;
                let command = Command {
                    entity_id,
                    id,
                    name: name.into(),
                    payload: Some(payload),
                    streamed,
                    metadata: None,
                };
                self.instance.step(Some(In::Command(command)), &mut out)?;
                let mut out = out.into_iter();
                let Some(Message::Reply(reply)) = out.next() else { panic!("no reply comes first") };
                assert_eq!(reply.command_id, id);
                assert!(streamed || !reply.streamed);
                self.replicate(reply.state_action.as_ref());
                self.receive(out, reply.state_action.is_some(), (reply.streamed).then_some(id));
            }
            Input::Cancel(id) => {
                let cancelled = StreamCancelled { entity_id, id };
                self.following.remove(&id);
                self.instance.step(Some(In::StreamCancelled(cancelled)), &mut out)?;
                let mut out = out.into_iter();
                let Some(Message::StreamCancelledResponse(response)) = out.next() else {
                    panic!("no response")
                };
                assert_eq!(response.command_id, id);
                self.replicate(response.state_action.as_ref());
                self.receive(out, response.state_action.is_some(), None);
            }
            Input::Delta(user, add) => {
                let before = self.replica.clone();
                if add {
                    self.replica.insert(user.to_string())
                } else {
                    self.replica.remove(&user.to_string())
                };
                let Some(delta) = self.replica.take_delta() else { return Ok(()) };
                if self.instance.stage == Stage::Deleted {
                    self.replica = before;
                }
                self.instance.step(Some(In::Delta(delta.into_proto())), &mut out)?;
                self.receive(out.into_iter(), true, None);
            }
            Input::Delete => {
                self.instance.step(Some(In::Delete(CrdtDelete {})), &mut out)?;
                self.receive(out.into_iter(), true, None);
                assert!(self.following.is_empty());
            }
        }
        Ok(())
    }

    fn replicate(&mut self, action: Option<&CrdtStateAction>) {
        match action.and_then(|action| action.action.clone()) {
            Some(crdt_state_action::Action::Update(delta)) => {
                self.replica.apply(Delta::from_proto(Some(delta)).unwrap()).unwrap();
            }
            Some(crdt_state_action::Action::Delete(_)) => assert_eq!(self.instance.stage, Stage::Deleted),
            None => {}
        }
    }

    /// Messages to followers. `new` began to follow with the reply.
    fn receive(&mut self, out: impl Iterator<Item = Message>, has_changed: bool, new: Option<i64>) {
        let mut told = BTreeSet::new();
        self.following.extend(new);
        for message in out {
            let Message::StreamedMessage(message) = message else { panic!("a second answer: {message:?}") };
            assert!(self.following.contains(&message.command_id), "nobody asked: {message:?}");
            assert!(told.insert(message.command_id), "told twice");
            assert!(
                has_changed || (new == Some(message.command_id) && message.end_stream),
                "no news: {message:?}"
            );
            if message.end_stream {
                self.following.remove(&message.command_id);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn everybody_gets_what_is_due(inputs in prop::collection::vec(input(), 0..40)) {
        let mut proxy = Proxy::new();
        for input in inputs {
            let name = match &input {
                Input::Command { name, .. } => name,
                _ => "",
            };
            let deleted = proxy.instance.stage == Stage::Deleted;
            match proxy.send(input.clone()) {
                Ok(()) => prop_assert!(deleted || !["Panic", "Nonsense"].contains(&name)),
                Err(fault) => {
                    prop_assert!(["Panic", "Nonsense"].contains(&name), "{:?}", input);
                    prop_assert_eq!(fault.into_failure().command_id, proxy.last_command);
                    return Ok(());
                }
            }
            if proxy.instance.stage != Stage::Deleted {
                prop_assert_eq!(&proxy.instance.entity.0, &proxy.replica);
                prop_assert_eq!(proxy.instance.entity.0.unsent(), None);
            }
        }
    }
}

fn started(state: Option<CrdtDelta>) -> Result<Instance<Room>, Fault> {
    let init = CrdtInit { service_name: "Room".into(), entity_id: "kitchen".into(), delta: state };
    Instance::start(init, &|_| Room::default(), TERMS)
}

fn description(outcome: Result<(), Fault>) -> (i64, String) {
    let failure = outcome.unwrap_err().into_failure();
    (failure.command_id, failure.description)
}

#[test]
fn what_a_proxy_must_not_send_ends_the_stream() {
    use crdt_stream_in::Message as In;
    let mut out = Vec::new();
    let mut step = |message| description(started(None).unwrap().step(message, &mut out));
    let command = |entity_id: &str, payload| {
        Some(In::Command(Command {
            entity_id: entity_id.into(),
            id: 7,
            name: "Clear".into(),
            payload,
            ..Default::default()
        }))
    };
    let flag = crdt::Flag::new().state().into_proto();
    for (message, id, expected) in [
        (None, 0, "Protocol error: a message that says nothing"),
        (Some(In::Init(CrdtInit::default())), 0, "Protocol error: a second init on one stream"),
        (
            command("hall", Some(().to_any())),
            7,
            "Protocol error: a command for entity `hall` on the stream of `kitchen`",
        ),
        (command("kitchen", None), 7, "Protocol error: the command `Clear` has no payload"),
        (
            Some(In::StreamCancelled(StreamCancelled { entity_id: "hall".into(), id: 7 })),
            7,
            "Protocol error: a cancellation for entity `hall` on the stream of `kitchen`",
        ),
        (
            Some(In::Delta(CrdtDelta::default())),
            0,
            "cannot apply a change of entity `kitchen`: a change that names no type",
        ),
        (
            Some(In::Delta(flag.clone())),
            0,
            "cannot apply a change of entity `kitchen`: a change of a Flag came for a ORSet; values of several types \
             need an `AnyCrdt`",
        ),
    ] {
        assert_eq!(step(message), (id, expected.to_owned()));
    }
    assert!(started(Some(flag)).is_err());
    assert!(started(Some(CrdtDelta::default())).is_ok());
    assert!(out.is_empty());
}

#[test]
fn a_change_that_is_too_large_is_refused_and_taken_back() {
    let init = CrdtInit { entity_id: "kitchen".into(), ..Default::default() };
    let terms = Terms { max_reply_size: 1000, ..TERMS };
    let mut instance = Instance::start(init, &|_| Room::default(), terms).unwrap();
    let payload = Some(crate::payload::encode(&"x".repeat(1000)));
    let command =
        Command { entity_id: "kitchen".into(), id: 1, name: "Enter".into(), payload, ..Default::default() };
    let mut out = Vec::new();
    instance.step(Some(crdt_stream_in::Message::Command(command)), &mut out).unwrap();
    let [Message::Reply(reply)] = &out[..] else { panic!("{out:?}") };
    assert_eq!(reply.state_action, None);
    assert!(format!("{reply:?}").contains("more than the 1000 that a proxy"));
    assert!(instance.entity.0.is_empty());
}

#[test]
fn a_stream_that_follows_nothing_ends_after_its_reply() {
    let mut proxy = Proxy::new();
    let look = |streamed| Input::Command { name: "Look", payload: crate::payload::encode(&()), streamed };
    proxy.send(look(false)).unwrap();
    proxy.send(look(true)).unwrap();
    assert!(proxy.following.is_empty());
    assert_eq!(proxy.instance.followers.check_room(), Ok(()));
}

#[test]
fn a_follower_that_panics_is_told_and_leaves_the_others_alone() {
    let mut proxy = Proxy::new();
    let command = |name, payload, streamed| Input::Command { name, payload, streamed };
    proxy.send(command("WatchAndPanic", crate::payload::encode(&()), true)).unwrap();
    proxy.send(command("Watch", crate::payload::encode(&9i64), true)).unwrap();
    assert_eq!(proxy.following, BTreeSet::from([1, 2]));
    proxy.send(command("Enter", crate::payload::encode(&"ada".to_owned()), false)).unwrap();
    assert_eq!(proxy.following, BTreeSet::from([2]));
}
