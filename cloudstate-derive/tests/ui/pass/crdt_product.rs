include!("../parts/crdt_contract.rs");

/// A room, by its parts.
#[derive(Crdt, Clone, Debug, Default)]
pub struct Room {
    members: ORSet<String>,
    #[crdt(key = "closed")]
    is_closed: Flag,
}

#[crdt_entity(service = presence, passivate_after = "30s")]
#[derive(Default)]
pub struct Presence {
    room: Room,
    #[cloudstate(dependency)]
    limit: Option<usize>,
}

include!("../parts/crdt_error.rs");

impl presence::Crdt for Presence {
    fn enter(&mut self, visit: Visit, _: &Context) -> Reply<Self, Online> {
        if self.room.is_closed.is_enabled() || self.limit == Some(self.room.members.len()) {
            return Err(Failure::failed_precondition("nobody may enter"));
        }
        self.room.members.insert(visit.user);
        Ok(Effect::reply(Online { users: self.room.members.iter().cloned().collect() }))
    }

    fn leave(&mut self, _: Visit, _: &Context) -> Reply<Self, Online> {
        Ok(Effect::forward(presence::enter(Visit::default())))
    }

    fn stay(&mut self, _: Visit, _: &Context) -> StreamReply<Self, ()> {
        Ok(Effect::reply(()).write_consistency(WriteConsistency::Majority).streamed())
    }

    fn watch(&mut self, _: Visit, _: &Context) -> StreamReply<Self, Online> {
        Ok(Effect::stream(Online::default()).silent_at_first().on_change(|_: &Self| StreamMessage::none()))
    }

    fn close(&mut self, _: Visit, _: &Context) -> Reply<Self, ()> {
        self.room.is_closed.enable();
        Ok(Effect::reply(()))
    }
}

fn main() {
    use cloudstate_sdk::crdt::testkit::TestKit;
    let visit = |user: &str| Visit { user: user.into(), ..Default::default() };
    let mut room = TestKit::<Presence>::created_by("kitchen", |_| Presence { limit: Some(1), ..Default::default() });
    room.changed_elsewhere(|room| room.members.insert("ada".to_string()));
    assert_eq!(room.call(presence::enter(visit("bob"))).failure().message, "nobody may enter");
    assert!(room.call(presence::close(visit(""))).has_changed());
    assert!(room.restarted().room.is_closed.is_enabled());
}
