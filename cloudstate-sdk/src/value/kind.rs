use super::{Handler, ValueEntity};
use crate::registration::{Component, Create, Host};
use crate::{Entity, EntityKind};

/// Value entity, as [`Entity::Kind`].
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    _no_values: std::convert::Infallible,
}

impl<E: Entity + ValueEntity + Handler + Send> EntityKind<E> for Kind {
    fn component(create: Create<E>) -> Component {
        Component::of::<E>(Host::Value(Box::new(create)))
    }
}
