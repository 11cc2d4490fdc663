// Who is in a room. Included where `com` and `crdt::*` are in scope.

use com::example::presence::{Online, Visit, presence};

/// The users in one room, wherever they came in.
#[crdt_entity(service = presence)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presence {
    users: ORSet<String>,
}

impl Presence {
    fn online(&self) -> Online {
        Online { users: self.users.iter().cloned().collect() }
    }
}

impl CrdtEntity for Presence {
    type Error = Failure;
}

impl presence::Crdt for Presence {
    fn enter(&mut self, visit: Visit, _: &Context) -> Reply<Self, Online> {
        self.users.insert(visit.user);
        Ok(Effect::reply(self.online()))
    }

    fn leave(&mut self, visit: Visit, context: &Context) -> Reply<Self, Online> {
        if !self.users.remove(&visit.user) {
            return Err(Failure::not_found(format!("{} is not in {}", visit.user, context.entity_id())));
        }
        Ok(Effect::reply(self.online()))
    }

    fn stay(&mut self, visit: Visit, _: &Context) -> StreamReply<Self, ()> {
        self.users.insert(visit.user.clone());
        Ok(Effect::stream(()).on_cancel(move |room: &mut Self| {
            room.users.remove(&visit.user);
        }))
    }

    fn watch(&mut self, _: Visit, _: &Context) -> StreamReply<Self, Online> {
        Ok(Effect::stream(self.online()).on_change(|now: &Self| Some(now.online())))
    }

    fn close(&mut self, _: Visit, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()).write_consistency(WriteConsistency::All))
    }
}
