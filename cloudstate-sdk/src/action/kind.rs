use std::sync::Arc;

use super::host::Host as _;
use super::{ActionService, Handler};
use crate::registration::{Component, Create, Host};
use crate::{Context, Entity, EntityKind};

/// An action, as [`Entity::Kind`].
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    _no_values: std::convert::Infallible,
}

impl<A: Entity + ActionService + Handler> EntityKind<A> for Kind {
    fn component(create: Create<A>) -> Component {
        // One instance for all calls, made when serving begins.
        Component::of::<A>(Host::Action(Box::new(move || Arc::new(create(&Context::default())).hosted())))
    }
}

/// An action that was made by the user.
pub(crate) fn component<A: Entity + ActionService + Handler>(action: A) -> Component {
    Component::of::<A>(Host::Action(Box::new(move || Arc::new(action).hosted())))
}
