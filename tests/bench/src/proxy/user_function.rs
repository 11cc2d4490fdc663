//! The user function behind both sides: a counter with one event per command.

use cloudstate_sdk::{CloudState, event_sourced::*};

use crate::{
    Error,
    contract::{By, Increased, durable_counter},
};

#[event_sourced_entity(service = durable_counter, persistence_id = "durable-counter")]
#[derive(Default)]
struct Counter {
    value: i64,
}

impl EventSourcedEntity for Counter {
    type Event = Increased;
    type Error = Failure;

    fn apply(&mut self, event: Increased) {
        self.value += event.amount;
    }
}

impl durable_counter::EventSourced for Counter {
    fn increase(&self, by: By, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::persist(Increased { amount: by.amount }).reply(()))
    }
}

/// Serves on any free port, which it prints, until killed.
pub(super) async fn serve() -> Result<(), Error> {
    let server = CloudState::new().register::<Counter>().address("127.0.0.1", 0).bind().await?;
    println!("{}", server.address().port());
    Ok(server.serve().await?)
}
