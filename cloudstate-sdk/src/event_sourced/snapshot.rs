use crate::payload::{self, ProtobufMessage};
use crate::{Any, DecodeError};

/// The state of an entity as one message, stored now and then so that loading it need not replay every event.
///
/// Ask for snapshots with `snapshot_every = 100` on the attribute. Events stay the truth: a snapshot that
/// leaves something out loses it when the entity is next loaded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no snapshot",
    label = "snapshots are asked for here",
    note = "write `impl Snapshot for {Self}`, or leave out `snapshot_every`"
)]
pub trait Snapshot: Sized {
    /// What is stored.
    type Message: ProtobufMessage;

    /// The whole state.
    fn snapshot(&self) -> Self::Message;

    /// Replaces the state by a stored one. `self` is a newly created entity; fields that are no state, such as
    /// injected clients, stay.
    fn restore(&mut self, saved: Self::Message);
}

/// Whether and how an entity's snapshots are taken and restored.
pub struct Snapshots<E> {
    every: Option<u32>,
    functions: Option<Functions<E>>,
}

struct Functions<E> {
    take: fn(&E) -> Any,
    restore: fn(&mut E, &Any) -> Result<(), DecodeError>,
}

impl<E> Snapshots<E> {
    /// None are taken, and a stored one cannot be restored.
    pub fn none() -> Self {
        Self { every: None, functions: None }
    }

    /// None are taken; a stored one is restored.
    pub fn restored_only() -> Self
    where
        E: Snapshot,
    {
        let take = |entity: &E| payload::encode(&entity.snapshot());
        let restore = |entity: &mut E, any: &Any| payload::decode(any).map(|saved| entity.restore(saved));
        Self { every: None, functions: Some(Functions { take, restore }) }
    }

    /// One is taken each time the number of an event is a multiple of `events`; none if it is 0.
    pub fn every(events: u32) -> Self
    where
        E: Snapshot,
    {
        Self { every: (events > 0).then_some(events), ..Self::restored_only() }
    }

    /// Whether one of the `count` events after `sequence` has a number that asks for a snapshot.
    pub(super) fn is_due(&self, sequence: i64, count: usize) -> bool {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        // The number of the event counts, not how many came since the last snapshot: it survives reloads.
        self.every.is_some_and(|every| {
            sequence.saturating_add(count) / i64::from(every) > sequence / i64::from(every)
        })
    }

    pub(super) fn take(&self, entity: &E) -> Option<Any> {
        self.functions.as_ref().map(|functions| (functions.take)(entity))
    }

    /// `None` when the entity has no snapshots.
    pub(super) fn restore(&self, entity: &mut E, snapshot: &Any) -> Option<Result<(), DecodeError>> {
        self.functions.as_ref().map(|functions| (functions.restore)(entity, snapshot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Unit;

    impl Snapshot for Unit {
        type Message = ();
        fn snapshot(&self) {}
        fn restore(&mut self, (): ()) {}
    }

    #[test]
    fn due_when_a_multiple_is_reached_or_crossed() {
        let every_five = Snapshots::<Unit>::every(5);
        for (sequence, count, due) in [
            (0, 0, false),
            (0, 4, false),
            (0, 5, true),
            (4, 1, true),
            (5, 0, false),
            (5, 4, false),
            (3, 2, true),
            (8, 2, true),
            (9, 2, true),
            (10, 1, false),
            (0, 23, true),
            (i64::MAX, 1, false),
        ] {
            assert_eq!(every_five.is_due(sequence, count), due, "{count} events after {sequence}");
        }
        assert!(!Snapshots::<Unit>::every(0).is_due(0, 100));
        assert!(!Snapshots::<Unit>::restored_only().is_due(0, 100));
    }
}
