//! Several CRDTs under one name: a struct of them, which travels as a map from field names to values.

use cloudstate_proto::crdt::{OrMapDelta, OrMapEntryDelta, crdt_delta};

use super::delta::Kind;
use super::{Crdt, CrdtError, CrdtValue, Delta};

/// A struct of CRDTs. [`#[derive(Crdt)]`](macro@super::Crdt) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a struct of CRDTs",
    note = "write `#[derive(Crdt, Clone, Debug, Default)]` above a struct whose fields are CRDTs"
)]
pub trait Product: Clone + Default + std::fmt::Debug + Send + 'static {
    /// Under keys that are all different.
    const FIELDS: &'static [Entry<Self>];
}

/// Where one field of the product `P` is, and the key under which it travels.
pub struct Entry<P> {
    /// In the map that the product is to others.
    pub key: &'static str,
    /// The field.
    pub field: fn(&P) -> &dyn Field,
    /// The same, to be changed.
    pub field_mut: fn(&mut P) -> &mut dyn Field,
}

/// A field of a [`Product`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a product of CRDTs",
    label = "expected a CRDT with a `Default`",
    note = "use GCounter, PNCounter, GSet, ORSet, LWWRegister, Flag, ORMap, Vote or another product"
)]
pub trait Field {
    #[doc(hidden)]
    fn state(&self) -> Delta;
    #[doc(hidden)]
    fn unsent(&self) -> Option<Delta>;
    #[doc(hidden)]
    fn has_changed(&self) -> bool;
    #[doc(hidden)]
    fn is_known(&self) -> bool;
    #[doc(hidden)]
    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError>;
    /// Takes the state of another in place of its own; `None` empties it.
    #[doc(hidden)]
    fn replace(&mut self, state: Option<Delta>) -> Result<(), CrdtError>;
    #[doc(hidden)]
    fn mark_sent(&mut self);
    #[doc(hidden)]
    fn roll_back(&mut self);
}

#[diagnostic::do_not_recommend]
impl<C: Crdt + Default> Field for C {
    fn state(&self) -> Delta {
        Crdt::state(self)
    }

    fn unsent(&self) -> Option<Delta> {
        Crdt::unsent(self)
    }

    fn has_changed(&self) -> bool {
        Crdt::has_changed(self)
    }

    fn is_known(&self) -> bool {
        Crdt::is_known(self)
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        Crdt::apply(self, delta)
    }

    fn replace(&mut self, state: Option<Delta>) -> Result<(), CrdtError> {
        *self = match state {
            Some(state) => C::from_state(state)?,
            None => C::default(),
        };
        Ok(())
    }

    fn mark_sent(&mut self) {
        Crdt::mark_sent(self);
    }

    fn roll_back(&mut self) {
        Crdt::roll_back(self);
    }
}

/// A field that nobody has changed is not in the map: to send the value it was created with could win over a value that
/// another node has given it. Keys without a field are left alone; a later version of the struct may have them.
#[diagnostic::do_not_recommend]
impl<P: Product> Crdt for P {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        let mut product = Self::default();
        Crdt::apply(&mut product, state)?;
        Ok(product)
    }

    fn state(&self) -> Delta {
        let fields = fields(self).filter(|(_, field)| field.is_known() || field.has_changed());
        let added = fields.map(|(key, field)| entry(key, field.state())).collect();
        Delta(crdt_delta::Delta::Ormap(OrMapDelta { added, ..Default::default() }))
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        let crdt_delta::Delta::Ormap(OrMapDelta { cleared, removed, updated, added }) = delta.0 else {
            return Err(delta.is_not_for("ORMap"));
        };
        let removed: Vec<String> = removed.iter().filter_map(|key| String::from_any(key).ok()).collect();
        for Entry { key, field_mut, .. } in P::FIELDS {
            if cleared || removed.iter().any(|removed| removed == key) {
                field_mut(self).replace(None)?;
            }
        }
        for entry in updated {
            with_field(self, entry, |field, delta| field.apply(delta))?;
        }
        for entry in added {
            with_field(self, entry, |field, delta| field.replace(Some(delta)))?;
        }
        Ok(())
    }

    fn unsent(&self) -> Option<Delta> {
        let (mut updated, mut added) = (Vec::new(), Vec::new());
        for (key, field) in fields(self).filter(|(_, field)| field.has_changed()) {
            match field.unsent() {
                Some(delta) if field.is_known() => updated.push(entry(key, delta)),
                _ => added.push(entry(key, field.state())),
            }
        }
        let delta = OrMapDelta { updated, added, ..Default::default() };
        (delta != OrMapDelta::default()).then_some(Delta(crdt_delta::Delta::Ormap(delta)))
    }

    fn has_changed(&self) -> bool {
        fields(self).any(|(_, field)| field.has_changed())
    }

    fn mark_sent(&mut self) {
        for Entry { field_mut, .. } in P::FIELDS {
            let field = field_mut(self);
            if field.has_changed() {
                field.mark_sent();
            }
        }
    }

    fn roll_back(&mut self) {
        P::FIELDS.iter().for_each(|entry| (entry.field_mut)(self).roll_back());
    }

    fn is_known(&self) -> bool {
        fields(self).any(|(_, field)| field.is_known())
    }
}

fn fields<P: Product>(product: &P) -> impl Iterator<Item = (&'static str, &dyn Field)> {
    P::FIELDS.iter().map(move |entry| (entry.key, (entry.field)(product)))
}

fn entry(key: &str, delta: Delta) -> OrMapEntryDelta {
    OrMapEntryDelta { key: Some(key.to_owned().to_any()), delta: Some(delta.into_proto()) }
}

fn with_field<P: Product>(
    product: &mut P,
    entry: OrMapEntryDelta,
    change: impl FnOnce(&mut dyn Field, Delta) -> Result<(), CrdtError>,
) -> Result<(), CrdtError> {
    let key = entry.key.ok_or_else(|| CrdtError::new(Kind::NoKey))?;
    let Ok(name) = String::from_any(&key) else { return Ok(()) };
    let Some(known) = P::FIELDS.iter().find(|known| known.key == name) else { return Ok(()) };
    Delta::from_proto(entry.delta)
        .and_then(|delta| change((known.field_mut)(product), delta))
        .map_err(|error| error.in_entry(&key))
}
