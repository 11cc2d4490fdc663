//! Effects with events.

use super::{Event, EventSourcedEntity};
use crate::Any;
use crate::command::reply::{Answer, Change};
use crate::command::{CommandEffect, Effect, ServiceCall};

impl Effect {
    /// Stores an event. Go on with [`reply`](Persist::reply), [`then_reply`](Persist::then_reply) or
    /// [`forward`](Persist::forward).
    pub fn persist<V>(event: V) -> Persist<V> {
        Persist { events: Events::One(event) }
    }

    /// Stores any number of events together: all of them or none. Events of several types are collected as the
    /// entity's event enum.
    pub fn persist_all<V>(events: impl IntoIterator<Item = V>) -> Persist<V> {
        Persist { events: Events::Several(events.into_iter().collect()) }
    }
}

/// Events that will be stored, still without an answer for the caller.
#[must_use = "an effect needs an answer: `.reply(..)`, `.then_reply(..)` or `.forward(..)`"]
#[derive(Clone, Debug)]
pub struct Persist<V> {
    events: Events<V>,
}

#[derive(Clone, Debug)]
enum Events<V> {
    One(V),
    Several(Vec<V>),
}

impl<V> Persist<V> {
    /// Answers with `message`.
    pub fn reply<E, M>(self, message: M) -> CommandEffect<E, M>
    where
        E: EventSourcedEntity,
        V: EventOf<E>,
    {
        self.answer(Answer::Reply(message))
    }

    /// Answers with what the entity says after the events: `.then_reply(Self::view)`, where `view` is a method of
    /// the entity. A closure has to name its parameter's type: `|now: &Self| ..`.
    pub fn then_reply<E, M>(self, message: impl FnOnce(&E) -> M + Send + 'static) -> CommandEffect<E, M>
    where
        E: EventSourcedEntity,
        V: EventOf<E>,
    {
        self.answer(Answer::ReplyAfter(Box::new(message)))
    }

    /// Lets another rpc of this user function answer the caller, once the events are stored.
    pub fn forward<E, M>(self, call: ServiceCall<M>) -> CommandEffect<E, M>
    where
        E: EventSourcedEntity,
        V: EventOf<E>,
    {
        self.answer(Answer::Forward(call))
    }

    fn answer<E, M>(self, answer: Answer<E, M>) -> CommandEffect<E, M>
    where
        E: EventSourcedEntity,
        V: EventOf<E>,
    {
        let events: Events<E::Event> = match self.events {
            Events::One(event) => Events::One(event.into_event()),
            Events::Several(events) => Events::Several(events.into_iter().map(V::into_event).collect()),
        };
        CommandEffect::new(Change::Events(Box::new(events)), answer)
    }
}

/// What the entity `E` can persist: what its `Event` can be made from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event of `{E}`",
    label = "`{E}` does not persist this",
    note = "what it persists are the messages in the variants of its `type Event`",
    note = "a value entity has no events, it replaces its message: `Effect::update(message)`"
)]
pub trait EventOf<E: EventSourcedEntity> {
    #[doc(hidden)]
    fn into_event(self) -> E::Event;
}

#[diagnostic::do_not_recommend]
impl<E: EventSourcedEntity, V> EventOf<E> for V
where
    E::Event: From<V>,
{
    fn into_event(self) -> E::Event {
        self.into()
    }
}

/// Events of the entity `E` that wait to be encoded and then applied.
///
/// An effect is written before its entity is known, and the same type serves every kind, hence the trait object.
pub(crate) trait PendingEvents<E>: Send {
    fn encode(&self) -> Vec<Any>;
    fn apply_to(self: Box<Self>, entity: &mut E);
}

impl<E: EventSourcedEntity> PendingEvents<E> for Events<E::Event> {
    fn encode(&self) -> Vec<Any> {
        match self {
            Self::One(event) => vec![event.encode()],
            Self::Several(events) => events.iter().map(Event::encode).collect(),
        }
    }

    fn apply_to(self: Box<Self>, entity: &mut E) {
        match *self {
            Self::One(event) => entity.apply(event),
            Self::Several(events) => events.into_iter().for_each(|event| entity.apply(event)),
        }
    }
}
