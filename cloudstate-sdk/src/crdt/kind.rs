use super::{CrdtEntity, Handler};
use crate::registration::{Component, Create, Host};
use crate::{Entity, EntityKind};

/// CRDT entity, as [`Entity::Kind`].
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    _no_values: std::convert::Infallible,
}

impl<E: Entity + CrdtEntity + Handler + Send> EntityKind<E> for Kind {
    fn component(create: Create<E>) -> Component {
        Component::of::<E>(Host::Crdt(Box::new(create)))
    }
}
