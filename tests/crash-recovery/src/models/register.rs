//! A value: all marks and their number, written anew with each.

use cloudstate_sdk::value::*;

use crate::crash::{Mark, Marks, Which, register};

#[value_entity(service = register, persistence_id = "register")]
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Register(Marks);

impl ValueEntity for Register {
    type Error = Failure;
}

impl register::Value for Register {
    fn put(&self, Mark { id, .. }: Mark, _: &Context) -> Reply<Self, ()> {
        let Marks { mut ids, count } = self.0.clone();
        ids.push(id);
        Ok(Effect::update(Marks { ids, count: count + 1 }).reply(()))
    }

    fn read(&self, _: Which, _: &Context) -> Reply<Self, Marks> {
        Ok(Effect::reply(self.0.clone()))
    }
}
