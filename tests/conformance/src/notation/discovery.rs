//! `check …` lines.

use super::{
    cursor::{Cursor, Problem},
    script,
};
use crate::{area::Area, discovery::Check};

pub(super) fn checks(area: Area, lines: &[&str]) -> Result<Vec<Check>, Problem> {
    lines.iter().map(|line| script::read_all(line, line, |cursor| check(area, cursor))).collect()
}

fn check(area: Area, line: &mut Cursor<'_>) -> Result<Check, Problem> {
    line.need("check")?;
    if line.eat("protocol version") {
        return Ok(Check::ProtocolVersion(line.text()?.to_owned()));
    }
    if line.eat("services are described") {
        return Ok(Check::ServicesAreDescribed);
    }
    if line.eat("descriptors are complete") {
        return Ok(Check::DescriptorsAreComplete);
    }
    if line.eat("persistence ids differ") {
        return Ok(Check::PersistenceIdsDiffer);
    }
    if line.eat("entity key") {
        let service = area.service(line.word()?);
        return Ok(Check::EntityKey {
            service,
            method: line.word()?.to_owned(),
            field: line.word()?.to_owned(),
        });
    }
    if line.eat("http") {
        let service = area.service(line.word()?);
        return Ok(Check::Http { service, method: line.word()?.to_owned(), path: line.text()?.to_owned() });
    }
    if line.eat("event log") {
        let service = area.service(line.word()?);
        return Ok(Check::EventLog {
            service,
            method: line.word()?.to_owned(),
            name: line.text()?.to_owned(),
        });
    }
    let service = area.service(line.word()?);
    line.need("is")?;
    let entity_type = line.word()?.to_owned();
    let persistence_id = if line.eat("; persistence id") { Some(line.text()?.to_owned()) } else { None };
    let passivation = if line.eat("; passivation") { Some(line.number()?) } else { None };
    Ok(Check::Entity { service, entity_type, persistence_id, passivation })
}
