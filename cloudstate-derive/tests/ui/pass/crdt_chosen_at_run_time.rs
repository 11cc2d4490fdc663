include!("../parts/crdt_contract.rs");
include!("../parts/crdt_error.rs");
include!("../parts/crdt_commands.rs");

/// Without `Default`: it is registered with `register_with`.
#[crdt_entity(service = presence)]
pub struct Presence(AnyCrdt);

fn main() {
    let of = |context: &Context| -> AnyCrdt {
        if context.entity_id().starts_with("count") { GCounter::new().into() } else { Flag::new().into() }
    };
    let _ = cloudstate_sdk::CloudState::new().register_with(move |context| Presence(of(context)));
}
