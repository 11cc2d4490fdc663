use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use cloudstate_proto as proto;
use cloudstate_proto::crdt::{
    CrdtDelete, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamedMessage, CrdtWriteConsistency,
    crdt_state_action::Action, crdt_stream_in::Message as In, crdt_stream_out::Message as Out,
};

use super::Answer;
use super::caller::{Caller, TERMS, expect_no_fault};
use crate::command::SideEffect;
use crate::crdt::instance::Instance;
use crate::crdt::{Crdt, CrdtEntity, Delta, Handler, WriteConsistency};
use crate::payload::ProtobufMessage;
use crate::registration::Create;
use crate::{Context, Entity, Metadata, Service, ServiceCall, StreamCall};

/// Runs one CRDT entity as a proxy would, without network or runtime, and plays the other nodes.
///
/// Every command, change and reply goes through its encoded form, and commands are found by the name of their rpc, so a
/// test meets what happens in production.
///
/// ```
/// # use cloudstate_sdk::crdt::*;
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/presence.rs"));
/// use cloudstate_sdk::crdt::testkit::TestKit;
///
/// # fn main() {
/// let visit = |user: &str| Visit { user: user.into(), ..Default::default() };
/// let mut kitchen = TestKit::<Presence>::new("kitchen");
///
/// let watch = kitchen.follow(presence::watch(visit("")));
/// assert!(watch.reply().users.is_empty());
///
/// assert!(kitchen.call(presence::enter(visit("ada"))).has_changed());
/// kitchen.changed_elsewhere(|users| users.insert("bob".to_string()));
/// let seen: Vec<_> = kitchen.messages(&watch).iter().map(|message| message.reply().users.join(" ")).collect();
/// assert_eq!(seen, ["ada", "ada bob"]);
///
/// let refused = kitchen.call(presence::leave(visit("eve")));
/// assert_eq!(refused.failure().code, Code::NotFound);
/// assert!(!refused.has_changed());
/// # }
/// ```
pub struct TestKit<E: Handler> {
    instance: Instance<E>,
    create: Create<E>,
    caller: Caller,
    /// What the proxy has.
    replica: Option<E::Root>,
    /// By command.
    messages: HashMap<i64, Vec<CrdtStreamedMessage>>,
}

impl<E: CrdtEntity + Handler + Entity> TestKit<E> {
    /// A new entity.
    pub fn new(entity_id: impl Into<String>) -> Self
    where
        E: Default,
    {
        Self::created_by(entity_id, |_| E::default())
    }

    /// A new entity that looks like `instance`, for types with injected dependencies. Its id is `test-entity`.
    pub fn with(instance: E) -> Self
    where
        E: Clone + Send + Sync,
    {
        Self::created_by("test-entity", move |_| instance.clone())
    }

    /// An entity made by the function that `register_with` gets.
    pub fn created_by(
        entity_id: impl Into<String>,
        create: impl Fn(&Context) -> E + Send + Sync + 'static,
    ) -> Self {
        let (caller, create): (_, Create<E>) = (Caller::new(entity_id), Arc::new(create));
        let instance = load(&caller.entity_id, &create, None);
        Self { instance, create, caller, replica: None, messages: HashMap::new() }
    }

    /// Loads the entity anew, as if the proxy had this CRDT.
    #[must_use]
    #[track_caller]
    pub fn given(mut self, mut crdt: E::Root) -> Self {
        crdt.mark_sent();
        self.instance = load(&self.caller.entity_id, &self.create, Some(&crdt));
        self.replica = Some(crdt);
        self
    }

    /// Sends metadata with the commands that follow.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.caller.metadata = metadata;
        self
    }

    /// Sends a command, and returns what it did.
    ///
    /// # Panics
    /// When the call is for another service, and when the entity does what would end its stream, such as a panic.
    #[track_caller]
    pub fn call<R: ProtobufMessage>(&mut self, call: ServiceCall<R>) -> Outcome<R> {
        let command = self.caller.command::<E, R>(&call);
        Outcome::read(self.command(command))
    }

    /// Sends a command of a caller that stays. What it gets after the first reply waits in
    /// [`messages`](Self::messages).
    ///
    /// # Panics
    /// As [`call`](Self::call) does.
    #[track_caller]
    pub fn follow<R: ProtobufMessage>(&mut self, call: StreamCall<R>) -> Follower<R> {
        let command = proto::Command { streamed: true, ..self.caller.command::<E, R>(&call.call) };
        let reply = self.command(command);
        let (id, is_open) = (reply.command_id, reply.streamed);
        Follower { id, is_open, first: Outcome::read(reply) }
    }

    /// What a caller has got since this was last asked.
    #[track_caller]
    pub fn messages<R: ProtobufMessage>(&mut self, follower: &Follower<R>) -> Vec<Message<R>> {
        self.messages.remove(&follower.id).unwrap_or_default().into_iter().map(Message::read).collect()
    }

    /// The caller goes away.
    #[track_caller]
    pub fn cancel<R>(&mut self, follower: &Follower<R>) -> Cancellation {
        let entity_id = self.caller.entity_id.clone();
        let cancelled = proto::StreamCancelled { entity_id, id: follower.id };
        let out = self.step(In::StreamCancelled(cancelled));
        let response = out.into_iter().find_map(|message| match message {
            Out::StreamCancelledResponse(response) => Some(response),
            _ => None,
        });
        let response = response.unwrap_or_else(|| panic!("the cancellation was not answered"));
        self.replicate(response.state_action.as_ref());
        Cancellation {
            write: Write::read(response.state_action),
            side_effects: response.side_effects.into_iter().map(SideEffect::from_proto).collect(),
        }
    }

    /// Another node changes the CRDT.
    #[track_caller]
    pub fn changed_elsewhere<T>(&mut self, change: impl FnOnce(&mut E::Root) -> T) -> T {
        let mut there = self.replica.clone().unwrap_or_else(|| self.empty());
        // Whoever has it there has it because the proxy has.
        there.mark_sent();
        let done = change(&mut there);
        if let Some(delta) = there.take_delta() {
            self.step(In::Delta(delta.into_proto()));
        }
        self.replica = Some(there);
        done
    }

    /// Another node deletes the entity.
    #[track_caller]
    pub fn deleted_elsewhere(&mut self) {
        self.step(In::Delete(CrdtDelete {}));
        self.replica = None;
    }

    /// The entity as it is now.
    pub fn state(&self) -> &E {
        self.instance.entity()
    }

    /// The entity as another node would load it from what the proxy has. When it differs from [`state`](Self::state), the
    /// entity keeps something outside its CRDT, or has put another CRDT in its place.
    #[track_caller]
    pub fn restarted(&self) -> E {
        load(&self.caller.entity_id, &self.create, self.replica.as_ref()).into_entity()
    }

    /// The CRDT of a new entity.
    #[track_caller]
    fn empty(&self) -> E::Root {
        load(&self.caller.entity_id, &self.create, None).into_entity().root().clone()
    }

    #[track_caller]
    fn command(&mut self, command: proto::Command) -> CrdtReply {
        let reply = self.step(In::Command(command)).into_iter().find_map(|message| match message {
            Out::Reply(reply) => Some(reply),
            _ => None,
        });
        let reply = reply.unwrap_or_else(|| panic!("the command was not answered"));
        self.replicate(reply.state_action.as_ref());
        reply
    }

    /// Sorts out what callers that stay get.
    #[track_caller]
    fn step(&mut self, message: In) -> Vec<Out> {
        let mut out = Vec::new();
        expect_no_fault(self.instance.step(Some(message), &mut out));
        let mut others = Vec::new();
        for message in out {
            match message {
                Out::StreamedMessage(message) => {
                    self.messages.entry(message.command_id).or_default().push(message);
                }
                other => others.push(other),
            }
        }
        others
    }

    /// What the proxy does with a change.
    #[track_caller]
    fn replicate(&mut self, action: Option<&CrdtStateAction>) {
        match action.and_then(|action| action.action.clone()) {
            Some(Action::Update(delta)) => {
                let applied = Delta::from_proto(Some(delta)).and_then(|delta| match &mut self.replica {
                    Some(replica) => replica.apply(delta),
                    None => E::Root::from_state(delta).map(|crdt| self.replica = Some(crdt)),
                });
                applied.unwrap_or_else(|error| panic!("the entity sent what it cannot read: {error}"));
            }
            Some(Action::Delete(_)) => self.replica = None,
            None => {}
        }
    }
}

/// What a command did. Reply, failure, forward and side effects are those of [`Answer`].
#[derive(Debug)]
pub struct Outcome<R> {
    write: Write,
    answer: Answer<R>,
}

/// What happened to the CRDT.
#[derive(Debug)]
struct Write {
    delta: Option<Delta>,
    is_delete: bool,
    consistency: WriteConsistency,
}

impl Write {
    fn read(action: Option<CrdtStateAction>) -> Self {
        let consistency = match action.as_ref().map(CrdtStateAction::write_consistency) {
            Some(CrdtWriteConsistency::Majority) => WriteConsistency::Majority,
            Some(CrdtWriteConsistency::All) => WriteConsistency::All,
            Some(CrdtWriteConsistency::Local) | None => WriteConsistency::Local,
        };
        match action.and_then(|action| action.action) {
            Some(Action::Update(delta)) => {
                Self { delta: Delta::from_proto(Some(delta)).ok(), is_delete: false, consistency }
            }
            Some(Action::Delete(_)) => Self { delta: None, is_delete: true, consistency },
            None => Self { delta: None, is_delete: false, consistency },
        }
    }
}

impl<R: ProtobufMessage> Outcome<R> {
    #[track_caller]
    fn read(reply: CrdtReply) -> Self {
        Self {
            write: Write::read(reply.state_action),
            answer: Answer::read(reply.client_action, reply.side_effects),
        }
    }
}

impl<R> Outcome<R> {
    /// Whether there was something to replicate.
    pub fn has_changed(&self) -> bool {
        self.write.delta.is_some()
    }

    /// What was replicated.
    pub fn delta(&self) -> Option<&Delta> {
        self.write.delta.as_ref()
    }

    /// How far it has to get.
    pub fn write_consistency(&self) -> WriteConsistency {
        self.write.consistency
    }

    /// Whether the entity was deleted.
    pub fn is_delete(&self) -> bool {
        self.write.is_delete
    }
}

impl<R> Deref for Outcome<R> {
    type Target = Answer<R>;

    fn deref(&self) -> &Answer<R> {
        &self.answer
    }
}

/// A caller that stays. It has all that the [`Outcome`] of its command has.
#[derive(Debug)]
pub struct Follower<R> {
    id: i64,
    is_open: bool,
    first: Outcome<R>,
}

impl<R> Follower<R> {
    /// Whether more than the first reply may come.
    pub fn is_open(&self) -> bool {
        self.is_open
    }
}

impl<R> Deref for Follower<R> {
    type Target = Outcome<R>;

    fn deref(&self) -> &Outcome<R> {
        &self.first
    }
}

/// What a caller that stays got after its first reply. It has all that [`Answer`] has.
#[derive(Debug)]
pub struct Message<R> {
    /// Whether it was the last.
    pub is_last: bool,
    answer: Answer<R>,
}

impl<R: ProtobufMessage> Message<R> {
    #[track_caller]
    fn read(message: CrdtStreamedMessage) -> Self {
        let answer = Answer::read(message.client_action, message.side_effects);
        Self { is_last: message.end_stream, answer }
    }
}

impl<R> Deref for Message<R> {
    type Target = Answer<R>;

    fn deref(&self) -> &Answer<R> {
        &self.answer
    }
}

/// What happened when a caller went away.
#[derive(Debug)]
pub struct Cancellation {
    write: Write,
    /// The other calls, in order.
    pub side_effects: Vec<SideEffect>,
}

impl Cancellation {
    /// Whether there was something to replicate.
    pub fn has_changed(&self) -> bool {
        self.write.delta.is_some()
    }

    /// How far it has to get.
    pub fn write_consistency(&self) -> WriteConsistency {
        self.write.consistency
    }
}

impl<E: fmt::Debug + CrdtEntity + Handler> fmt::Debug for TestKit<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit")
            .field("entity_id", &self.caller.entity_id)
            .field("state", self.instance.entity())
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn load<E: CrdtEntity + Handler + Entity>(
    entity_id: &str,
    create: &Create<E>,
    replica: Option<&E::Root>,
) -> Instance<E> {
    let init = CrdtInit {
        service_name: E::Service::NAME.into(),
        entity_id: entity_id.into(),
        delta: replica.map(|crdt| crdt.state().into_proto()),
    };
    expect_no_fault(Instance::start(init, &**create, TERMS))
}
