//! An action: forwards each mark of a ledger to the echo of the same name.

use cloudstate_sdk::action::*;

use crate::crash::{Mark, Marked, echo, follower};

#[action(service = follower)]
pub(crate) struct Follower;

impl ActionService for Follower {
    type Error = Failure;
}

impl follower::Action for Follower {
    async fn on_marked(&self, Marked { id }: Marked, context: &Context) -> Reply<Self, ()> {
        let ledger = context.metadata().cloud_event().subject();
        let entity = ledger.ok_or_else(|| Failure::internal("whose event this is, is not said"))?.to_owned();
        Ok(Effect::forward(echo::put(Mark { entity, id })))
    }

    async fn on_other(&self, _: Any, _: &Context) -> Reply<Self, ()> {
        Ok(().into())
    }
}
