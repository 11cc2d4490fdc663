//! What distinguishes the kinds of entity that take one command at a time.

use std::fmt::Debug;

use cloudstate_proto::{Command, Failure, SideEffect, client_action::Action};

use crate::{
    storage::{BoxFuture, EntityKey, Store, StoreError},
    telemetry::metrics::{EntityMetrics, Metrics, Volume},
    user_function::EntityProtocol,
};

/// A kind of entity. Its functions are pure; the last two make futures for the shell to run.
pub(crate) trait SerialKind: EntityProtocol + Clone + Debug + PartialEq {
    const TEXTS: Texts;
    /// Whether a failure may ask for the state to be rebuilt.
    const RESTARTS: bool;

    /// What must be known of the stored state to add to it.
    type Position: Copy + Debug + Default + PartialEq + Send;
    /// Something to read from the store.
    type Load: Copy + Debug + PartialEq + Send;
    /// What was read.
    type Loaded: Clone + Debug + Send;
    /// What one command stores.
    type Changes: Clone + Debug + PartialEq + Send;

    /// What is read first when an entity is activated.
    const FIRST_LOAD: Self::Load;

    /// Turns what was loaded into messages; returns what to load next, nothing when the user function knows all.
    fn replay(
        loaded: Self::Loaded,
        position: &mut Self::Position,
        names: Names<'_>,
        messages: &mut Vec<Self::In>,
    ) -> Option<Self::Load>;

    fn command(command: Command) -> Self::In;

    /// # Errors
    ///
    /// What is wrong with the message, for the developer of the user function.
    fn read(message: Self::Out) -> Result<FromFunction<Self::Changes>, &'static str>;

    fn volume_loaded(loaded: &Self::Loaded) -> Volume;

    fn volume_stored(changes: &Self::Changes) -> Volume;

    fn metrics(metrics: &Metrics, persistence_id: &str) -> EntityMetrics;

    fn load(
        store: &dyn Store,
        entity: &EntityKey,
        load: Self::Load,
    ) -> BoxFuture<Result<Self::Loaded, StoreError>>;

    /// Resolves to the position behind `changes`.
    fn store(
        store: &dyn Store,
        entity: &EntityKey,
        position: Self::Position,
        changes: Self::Changes,
    ) -> BoxFuture<Result<Self::Position, StoreError>>;
}

/// Who an entity is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) service: &'a str,
    pub(crate) entity_id: &'a str,
}

/// A message of the user function.
pub(crate) enum FromFunction<C> {
    Reply(Reply<C>),
    Failure(Failure),
}

/// The answer to a command.
pub(crate) struct Reply<C> {
    pub(crate) command_id: i64,
    pub(crate) action: Option<Action>,
    pub(crate) side_effects: Vec<SideEffect>,
    pub(crate) changes: Option<C>,
}

/// What callers read when something goes wrong: the texts of the reference proxy, which clients may know.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) unexpected_reply: &'static str,
    pub(crate) unexpected_failure: &'static str,
    pub(crate) unexpected_message: &'static str,
    pub(crate) unexpected_termination: &'static str,
    pub(crate) terminated: &'static str,
    pub(crate) load_failed: &'static str,
    pub(crate) store_failed: &'static str,
}
