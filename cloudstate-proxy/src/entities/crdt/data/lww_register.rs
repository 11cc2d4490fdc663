//! A register: of two writes the one with the later clock wins.

use cloudstate_proto::{
    Any,
    crdt::{CrdtClock, LwwRegisterDelta},
};

use super::{
    Audience, Millis,
    elements::{detached, weight},
};

/// Empty until the first write, which always wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LwwRegister(Option<Written>);

#[derive(Clone, Debug, PartialEq)]
struct Written {
    value: Any,
    stamp: i64,
}

impl LwwRegister {
    /// Writes, unless what is there has a later clock. At the same clock the newer write wins, so that this copy stays
    /// that of the user function, which has already made it.
    pub(super) fn write(&mut self, delta: LwwRegisterDelta, now: Millis) {
        let current = self.0.as_ref().map(|written| written.stamp);
        let stamp = stamp(&delta, now, current);
        if current.is_none_or(|current| stamp >= current) {
            self.0 = Some(Written { value: detached(delta.value.unwrap_or_default()), stamp });
        }
    }

    pub(super) fn delta(&self, audience: Audience) -> LwwRegisterDelta {
        let Some(Written { value, stamp }) = &self.0 else { return LwwRegisterDelta::default() };
        let value = Some(value.clone());
        match audience {
            Audience::UserFunction => LwwRegisterDelta { value, ..LwwRegisterDelta::default() },
            Audience::Store => {
                LwwRegisterDelta { value, clock: CrdtClock::Custom.into(), custom_clock_value: *stamp }
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |written| weight(&written.value))
    }
}

/// The clock of a write that follows one at `current`.
fn stamp(delta: &LwwRegisterDelta, now: Millis, current: Option<i64>) -> i64 {
    let given = delta.custom_clock_value;
    match CrdtClock::try_from(delta.clock).unwrap_or_default() {
        CrdtClock::Default => current.map_or(now, |current| now.max(current.saturating_add(1))),
        CrdtClock::Reverse => current
            .map_or(now.saturating_neg(), |current| current.saturating_sub(1).min(now.saturating_neg())),
        CrdtClock::Custom => given,
        CrdtClock::CustomAutoIncrement => match current {
            Some(current) if given <= current => current.saturating_add(1),
            _ => given,
        },
    }
}
