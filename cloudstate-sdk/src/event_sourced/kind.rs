use super::{EventSourcedEntity, Handler};
use crate::registration::{Component, Create, Host};
use crate::{Entity, EntityKind};

/// Event sourced, as [`Entity::Kind`].
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    _no_values: std::convert::Infallible,
}

impl<E: Entity + EventSourcedEntity + Handler + Send> EntityKind<E> for Kind {
    fn component(create: Create<E>) -> Component {
        Component::of::<E>(Host::EventSourced(Box::new(create)))
    }
}
