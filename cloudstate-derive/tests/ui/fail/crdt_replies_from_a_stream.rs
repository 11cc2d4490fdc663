include!("../parts/crdt_contract.rs");
include!("../parts/crdt_error.rs");

#[crdt_entity(service = presence)]
#[derive(Default)]
pub struct Presence {
    users: ORSet<String>,
}

impl presence::Crdt for Presence {
    fn enter(&mut self, _: Visit, _: &Context) -> Reply<Self, Online> {
        Ok(Effect::reply(Online::default()))
    }

    fn leave(&mut self, _: Visit, _: &Context) -> Reply<Self, Online> {
        Ok(Effect::reply(Online::default()))
    }

    fn stay(&mut self, _: Visit, _: &Context) -> StreamReply<Self, ()> {
        Ok(Effect::stream(()))
    }

    fn watch(&mut self, _: Visit, _: &Context) -> StreamReply<Self, Online> {
        Ok(Replies::from_stream(cloudstate_sdk::action::stream::empty()))
    }

    fn close(&mut self, _: Visit, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }
}

fn main() {}
