//! What a CRDT is: `5`, `{a,b}`, `{K: v}`.

use super::data_type::{self, DataType};
use crate::{
    model::crdt::{self as model, state::Value},
    notation::cursor::{Cursor, Problem},
};

pub(super) fn state(crdt: DataType, line: &mut Cursor<'_>) -> Result<model::State, Problem> {
    let value = match crdt {
        DataType::GCounter => Value::Gcounter(model::GCounterValue { value: line.number()? }),
        DataType::PnCounter => Value::Pncounter(model::PnCounterValue { value: line.number()? }),
        DataType::GSet => Value::Gset(model::GSetValue { elements: elements(line)? }),
        DataType::OrSet => Value::Orset(model::OrSetValue { elements: elements(line)? }),
        DataType::LwwRegister => {
            Value::Lwwregister(model::LwwRegisterValue { value: line.text()?.to_owned() })
        }
        DataType::Flag => Value::Flag(model::FlagValue { value: line.boolean()? }),
        DataType::OrMap => {
            let entries = line.list(["{", "}"], |line| {
                let (key, crdt) = data_type::key(line)?;
                Ok(model::OrMapEntryValue { key, value: Some(state(crdt, line)?) })
            })?;
            Value::Ormap(model::OrMapValue { entries })
        }
        DataType::Vote => {
            let (self_vote, votes_for, total_voters) = data_type::vote(line)?;
            Value::Vote(model::VoteValue { self_vote, votes_for, total_voters })
        }
    };
    Ok(model::State { value: Some(value) })
}

fn elements(line: &mut Cursor<'_>) -> Result<Vec<String>, Problem> {
    line.list(["{", "}"], |line| Ok(line.text()?.to_owned()))
}
