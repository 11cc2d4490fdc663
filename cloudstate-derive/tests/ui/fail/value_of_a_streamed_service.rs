include!("../parts/value_contract.rs");

use com::example::sums::{Number, sums};

#[value_entity(service = sums, persistence_id = "sums")]
#[derive(Default)]
pub struct Sums(Number);

impl ValueEntity for Sums {
    type Error = Failure;
}

impl sums::Value for Sums {
    fn square(&self, number: Number, _: &Context) -> Reply<Self, Number> {
        Ok(Effect::update(Number { value: number.value * number.value }).reply(number))
    }
}

fn main() {}
