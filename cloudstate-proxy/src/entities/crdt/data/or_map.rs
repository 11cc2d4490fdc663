//! A map from keys to CRDTs, in the order in which the keys were added.

use std::collections::HashSet;

use cloudstate_proto::{
    Any,
    crdt::{CrdtDelta, OrMapDelta, OrMapEntryDelta},
};
use indexmap::{IndexMap, map::Entry};

use super::{
    Audience, Crdt, MAX_DEPTH, Millis, Violation,
    elements::{detached, weight},
};

/// Its values may be CRDTs of different types, maps included.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OrMap {
    entries: IndexMap<Any, Crdt>,
    bytes: usize,
}

impl OrMap {
    pub(super) fn apply(&mut self, delta: OrMapDelta, now: Millis, depth: usize) -> Result<(), Violation> {
        if depth >= MAX_DEPTH {
            return Err(Violation::TooDeep);
        }
        if delta.cleared {
            *self = Self::default();
        }
        self.remove(&delta.removed);
        for entry in delta.updated {
            self.update(entry, now, depth)?;
        }
        for entry in delta.added {
            self.add(entry, now, depth)?;
        }
        Ok(())
    }

    pub(super) fn delta(&self, audience: Audience) -> OrMapDelta {
        let entry = |(key, value): (&Any, &Crdt)| OrMapEntryDelta {
            key: Some(key.clone()),
            delta: Some(value.delta(audience)),
        };
        OrMapDelta { added: self.entries.iter().map(entry).collect(), ..OrMapDelta::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn remove(&mut self, removed: &[Any]) {
        if removed.is_empty() {
            return;
        }
        // One pass, however many are removed: moving up the rest for each would be quadratic.
        let removed: HashSet<&Any> = removed.iter().collect();
        let mut bytes = 0;
        self.entries.retain(|key, value| {
            let keep = !removed.contains(key);
            bytes += if keep { weight(key) + value.bytes() } else { 0 };
            keep
        });
        self.bytes = bytes;
    }

    /// Changes an entry. One that is gone, or has another type by now, was replaced meanwhile: nothing is left to
    /// change.
    fn update(&mut self, entry: OrMapEntryDelta, now: Millis, depth: usize) -> Result<(), Violation> {
        let (key, delta) = parts(entry)?;
        if let Some(value) = self.entries.get_mut(&key)
            && value.is_type_of(&delta)
        {
            let before = value.bytes();
            value.apply_nested(delta, now, depth + 1)?;
            self.bytes = (self.bytes - before).saturating_add(value.bytes());
        }
        Ok(())
    }

    /// Creates an entry, or merges into the one that is there.
    fn add(&mut self, entry: OrMapEntryDelta, now: Millis, depth: usize) -> Result<(), Violation> {
        let (key, delta) = parts(entry)?;
        match self.entries.entry(key) {
            Entry::Occupied(mut occupied) => {
                let value = occupied.get_mut();
                let before = value.bytes();
                value.apply_nested(delta, now, depth + 1)?;
                self.bytes = (self.bytes - before).saturating_add(value.bytes());
            }
            Entry::Vacant(vacant) => {
                let value = Crdt::create_nested(delta, now, depth + 1)?;
                self.bytes = self.bytes.saturating_add(weight(vacant.key()) + value.bytes());
                vacant.insert(value);
            }
        }
        Ok(())
    }
}

/// The key of an entry, and its delta: without one its type is unknown.
fn parts(entry: OrMapEntryDelta) -> Result<(Any, CrdtDelta), Violation> {
    let delta = entry.delta.filter(|delta| delta.delta.is_some()).ok_or(Violation::EmptyDelta)?;
    Ok((detached(entry.key.unwrap_or_default()), delta))
}
