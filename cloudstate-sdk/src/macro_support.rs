//! What macro output and generated code may call. Not for people: no stability is promised.

use std::marker::PhantomData;

pub use crate::action::{Call, Responses};
pub use crate::command::dispatch::{CommandError, RawEffect, call};
pub use crate::crdt::product::{Entry, Product};
pub use crate::crdt::{RawReply, call as call_crdt, call_streamed as call_crdt_streamed};
pub use crate::event_sourced::event::Codec;
pub use crate::event_sourced::{Event, Handler, Kind, Snapshot, Snapshots};
pub use crate::registration::{Discovered, Registration};
pub use inventory;

/// Converts an earlier message of an event.
pub fn upcast<Earlier, Message: From<Earlier>>(earlier: Earlier) -> Message {
    earlier.into()
}

/// Finds out what a type can do, where a bound would be an error. The methods of the first trait below are found
/// before those of the second, because they need one reference less.
pub struct Probe<T>(PhantomData<T>);

impl<T> Probe<T> {
    /// For the type `T`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Probe<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Chosen for a type with `Default`.
pub trait WithDefault<T> {
    /// Its constructor.
    fn constructor(&self) -> Option<fn() -> T>;
}

impl<T: Default> WithDefault<T> for Probe<T> {
    fn constructor(&self) -> Option<fn() -> T> {
        Some(T::default)
    }
}

/// Chosen for a type without `Default`.
pub trait WithoutDefault<T> {
    /// None.
    fn constructor(&self) -> Option<fn() -> T>;
}

impl<T> WithoutDefault<T> for &Probe<T> {
    fn constructor(&self) -> Option<fn() -> T> {
        None
    }
}

/// Chosen for a type with [`Snapshot`].
pub trait WithSnapshot<T> {
    /// Can be restored.
    fn snapshots(&self) -> Snapshots<T>;
}

impl<T: Snapshot> WithSnapshot<T> for Probe<T> {
    fn snapshots(&self) -> Snapshots<T> {
        Snapshots::restored_only()
    }
}

/// Chosen for a type without [`Snapshot`].
pub trait WithoutSnapshot<T> {
    /// None.
    fn snapshots(&self) -> Snapshots<T>;
}

impl<T> WithoutSnapshot<T> for &Probe<T> {
    fn snapshots(&self) -> Snapshots<T> {
        Snapshots::none()
    }
}
