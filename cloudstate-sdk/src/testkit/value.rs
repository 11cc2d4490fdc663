use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use cloudstate_proto::valueentity::value_entity_action::Action;
use cloudstate_proto::valueentity::value_entity_stream_in::Message;
use cloudstate_proto::valueentity::{ValueEntityInit, ValueEntityInitState, ValueEntityReply};

use super::Answer;
use super::caller::{Caller, TERMS, expect_no_fault, expect_readable};
use crate::payload::ProtobufMessage;
use crate::registration::Create;
use crate::value::instance::Instance;
use crate::value::{Handler, StateAction, StateMessage, ValueEntity};
use crate::{Any, Context, Entity, Metadata, Service, ServiceCall};

/// Runs one value entity as a proxy would, without network, runtime or storage.
///
/// Every command, value and reply goes through its encoded form, and commands are found by the name of their rpc, so a
/// test meets what happens in production.
///
/// ```
/// # use cloudstate_sdk::value::*;
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/profiles.rs"));
/// use cloudstate_sdk::value::testkit::TestKit;
///
/// # fn main() {
/// let ann = Profile { name: "Ann".into(), changes: 3 };
/// let mut profile = TestKit::<Profiles>::new("ann").given(ann.clone());
///
/// let outcome = profile.call(profiles::set(SetProfile { name: "Anna".into(), ..Default::default() }));
///
/// let anna = Profile { name: "Anna".into(), changes: 4 };
/// assert_eq!(outcome.state_action, Some(StateAction::Update(anna.clone())));
/// assert_eq!(*outcome.reply(), anna);
///
/// let refused = profile.call(profiles::set(SetProfile::default()));
/// assert_eq!(refused.failure().code, Code::InvalidArgument);
/// assert_eq!(refused.state_action, None);
/// # }
/// ```
pub struct TestKit<E> {
    instance: Instance<E>,
    create: Create<E>,
    caller: Caller,
    /// What the proxy would have stored.
    stored: Option<Any>,
}

impl<E: ValueEntity + Handler + Entity> TestKit<E> {
    /// An entity that was never set.
    pub fn new(entity_id: impl Into<String>) -> Self
    where
        E: Default,
    {
        Self::created_by(entity_id, |_| E::default())
    }

    /// An entity that was never set and looks like `instance`, for types with injected dependencies. Its id is
    /// `test-entity`.
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
        Self { instance, create, caller, stored: None }
    }

    /// Loads the entity anew, as if this value had been stored before.
    #[must_use]
    #[track_caller]
    pub fn given(mut self, value: E::State) -> Self {
        self.stored = Some(value.encode());
        self.instance = load(&self.caller.entity_id, &self.create, self.stored.clone());
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
    /// When the call is for another service, and when the entity does what would end its stream: panic, or write
    /// what it cannot read.
    #[track_caller]
    pub fn call<R: ProtobufMessage>(&mut self, call: ServiceCall<R>) -> Outcome<E, R> {
        let command = self.caller.command::<E, R>(&call);
        let reply = expect_no_fault(self.instance.step(Some(Message::Command(command))));
        match reply.state_action.as_ref().and_then(|action| action.action.as_ref()) {
            Some(Action::Update(update)) => self.stored.clone_from(&update.value),
            Some(Action::Delete(_)) => self.stored = None,
            None => {}
        }
        Outcome::read(reply)
    }

    /// The entity as it is now.
    pub fn state(&self) -> &E {
        self.instance.entity()
    }

    /// The entity as it would be loaded from what is stored. When it differs from [`state`](Self::state), the entity
    /// keeps something that is not part of its value.
    #[track_caller]
    pub fn restarted(&self) -> E {
        load(&self.caller.entity_id, &self.create, self.stored.clone()).into_entity()
    }
}

/// What a command did. Reply, failure, forward and side effects are those of [`Answer`].
pub struct Outcome<E: Handler, R> {
    /// What happened to the stored value, decoded from its stored form. `None` when it stayed.
    pub state_action: Option<StateAction<E::State>>,
    answer: Answer<R>,
}

impl<E: Handler, R: ProtobufMessage> Outcome<E, R> {
    #[track_caller]
    fn read(reply: ValueEntityReply) -> Self {
        let state_action = reply.state_action.and_then(|action| action.action).map(|action| match action {
            Action::Update(update) => {
                StateAction::Update(expect_readable(StateMessage::decode(&update.value.unwrap_or_default())))
            }
            Action::Delete(_) => StateAction::Delete,
        });
        Self { state_action, answer: Answer::read(reply.client_action, reply.side_effects) }
    }
}

impl<E: Handler, R> Deref for Outcome<E, R> {
    type Target = Answer<R>;

    fn deref(&self) -> &Answer<R> {
        &self.answer
    }
}

impl<E, R: fmt::Debug> fmt::Debug for Outcome<E, R>
where
    E: Handler,
    E::State: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("answer", &self.answer)
            .field("state_action", &self.state_action)
            .finish()
    }
}

impl<E: fmt::Debug + ValueEntity + Handler> fmt::Debug for TestKit<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit")
            .field("entity_id", &self.caller.entity_id)
            .field("state", self.instance.entity())
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn load<E: ValueEntity + Handler + Entity>(
    entity_id: &str,
    create: &Create<E>,
    stored: Option<Any>,
) -> Instance<E> {
    let init = ValueEntityInit {
        service_name: E::Service::NAME.into(),
        entity_id: entity_id.into(),
        state: Some(ValueEntityInitState { value: stored }),
    };
    expect_no_fault(Instance::start(init, Arc::clone(create), TERMS))
}
