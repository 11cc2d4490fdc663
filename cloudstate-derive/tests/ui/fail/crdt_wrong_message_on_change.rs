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
        Ok(Effect::stream(()).on_cancel(|_: &mut Self| ()))
    }

    fn watch(&mut self, _: Visit, _: &Context) -> StreamReply<Self, Online> {
        Ok(Effect::stream(Online::default()).on_change(|_: &Self| Some(Visit::default())))
    }

    fn close(&mut self, _: Visit, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::delete().reply(()))
    }
}

fn main() {}
