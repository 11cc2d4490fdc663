//! What an action does to a CRDT: `+5`, `add a`, `K/u`.

use super::data_type::{self, DataType};
use crate::{
    model::crdt::{self as model, update::Update as UpdateOf},
    notation::cursor::{Cursor, Problem},
};

pub(super) fn update(crdt: DataType, line: &mut Cursor<'_>) -> Result<model::Update, Problem> {
    let update = match crdt {
        DataType::GCounter => UpdateOf::Gcounter(model::GCounterUpdate { increment: line.number()? }),
        DataType::PnCounter => UpdateOf::Pncounter(model::PnCounterUpdate { change: line.number()? }),
        DataType::GSet => {
            line.need("add")?;
            UpdateOf::Gset(model::GSetUpdate { add: line.text()?.to_owned() })
        }
        DataType::OrSet => UpdateOf::Orset(model::OrSetUpdate { action: Some(or_set_update(line)?) }),
        DataType::LwwRegister => {
            line.need("set")?;
            let value = line.text()?.to_owned();
            let (clock, custom_clock_value) = data_type::clock(line)?;
            let clock = Some(model::LwwRegisterClock { clock_type: clock, custom_clock_value });
            UpdateOf::Lwwregister(model::LwwRegisterUpdate { value, clock })
        }
        DataType::Flag => {
            line.need("enable")?;
            UpdateOf::Flag(model::FlagUpdate {})
        }
        DataType::OrMap => {
            UpdateOf::Ormap(Box::new(model::OrMapUpdate { action: Some(or_map_update(line)?) }))
        }
        DataType::Vote => {
            line.need("vote")?;
            UpdateOf::Vote(model::VoteUpdate { self_vote: line.boolean()? })
        }
    };
    Ok(model::Update { update: Some(update), ..Default::default() })
}

fn or_set_update(line: &mut Cursor<'_>) -> Result<model::or_set_update::Action, Problem> {
    use model::or_set_update::Action;
    Ok(if line.eat("clear") {
        Action::Clear(true)
    } else if line.eat("rm") {
        Action::Remove(line.text()?.to_owned())
    } else {
        line.need("add")?;
        Action::Add(line.text()?.to_owned())
    })
}

fn or_map_update(line: &mut Cursor<'_>) -> Result<model::or_map_update::Action, Problem> {
    use model::or_map_update::Action;
    Ok(if line.eat("clear") {
        Action::Clear(true)
    } else if line.eat("rm") {
        Action::Remove(line.text()?.to_owned())
    } else if line.eat("add") {
        Action::Add(line.text()?.to_owned())
    } else {
        let key = line.word()?;
        line.need("/")?;
        let update = Some(Box::new(update(DataType::of(key)?, line)?));
        Action::Update(Box::new(model::OrMapEntryUpdate { key: key.to_owned(), update }))
    })
}
