//! Reads scenario files. `scenarios/README.md` explains how they are written.
//!
//! Here a file becomes scenarios; `script` reads their lines, and what stands after `>` and `<` is a matter of each
//! protocol, and so has a module of its own.

mod action;
mod any_message;
mod command;
mod crdt;
mod cursor;
mod discovery;
mod event_sourced;
mod eventing;
pub(crate) mod proxy;
mod script;
mod value_entity;

use std::fmt;

use crate::{
    area::Area,
    scenario::{Scenario, Script},
};
use cursor::Problem;

/// A scenario file that cannot be read.
#[derive(Debug)]
pub(crate) struct Error {
    place: String,
    problem: Problem,
}

impl Error {
    pub(crate) fn new(place: impl fmt::Display, problem: impl Into<Problem>) -> Self {
        Self { place: place.to_string(), problem: problem.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for Error {}

/// Reads the scenarios of an area.
///
/// # Errors
///
/// Names the scenario and the line that cannot be read.
pub(crate) fn read(area: Area, text: &str) -> Result<Vec<Scenario>, Error> {
    let mut scenarios = Vec::new();
    let mut needs_of_all = Vec::new();
    for mut block in blocks(text) {
        match block.header.strip_prefix("needs ") {
            Some(services) => needs_of_all = full_names(area, services),
            None => scenarios.push(scenario(area, &needs_of_all, &mut block)?),
        }
    }
    Ok(scenarios)
}

/// A line at the margin, and the indented lines below it.
struct Block<'a> {
    header: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        match blocks.last_mut() {
            Some(block) if line.starts_with(' ') => block.lines.push(line.trim()),
            _ => blocks.push(Block { header: line.trim(), lines: Vec::new() }),
        }
    }
    blocks
}

impl<'a> Block<'a> {
    /// Takes the first line if it begins with `word`.
    fn directive(&mut self, word: &str) -> Option<&'a str> {
        let value = self.lines.first()?.strip_prefix(word)?.strip_prefix(' ')?;
        self.lines.remove(0);
        Some(value.trim())
    }
}

fn full_names(area: Area, services: &str) -> Vec<String> {
    services.split_whitespace().map(|name| area.service(name)).collect()
}

fn scenario(area: Area, needs_of_all: &[String], block: &mut Block<'_>) -> Result<Scenario, Error> {
    let (id, title) = block.header.split_once(' ').unwrap_or((block.header, ""));
    let number = id.strip_prefix(area.prefix()).and_then(|rest| rest.strip_prefix('-'));
    let Some(number) = number.filter(|number| !number.is_empty()) else {
        return Err(Error::new(id, format!("the ids of this file begin with {}-", area.prefix())));
    };
    let needs = match block.directive("needs") {
        Some(services) => full_names(area, services),
        None => needs_of_all.to_vec(),
    };
    let script = script(area, number, block).map_err(|problem| Error::new(id, problem))?;
    Ok(Scenario { id: id.to_owned(), title: title.trim().to_owned(), area, needs, script })
}

fn script(area: Area, number: &str, block: &mut Block<'_>) -> Result<Script, Problem> {
    let entity_type = block.directive("entity");
    let lines = block.lines.as_slice();
    let is_about_discovery = lines.first().is_some_and(|line| line.starts_with("check "));
    // `entity-4` for `ES-04`: the reference counts as well.
    let entity_id = |prefix: &str| format!("{prefix}-{}", number.trim_start_matches('0').to_lowercase());
    Ok(match (area, entity_type) {
        (_, None) if is_about_discovery => Script::Discovery(discovery::checks(area, lines)?),
        (Area::EventSourced, None) => Script::EventSourced(script::of_entity(
            &event_sourced::Notation::new(area.service("EventSourcedTckModel"), entity_id("entity")),
            lines,
        )?),
        (Area::ValueEntity, None) => Script::ValueEntity(script::of_entity(
            &value_entity::Notation::new(area.service("ValueEntityTckModel"), entity_id("entity")),
            lines,
        )?),
        (Area::Crdt, Some(name)) => {
            let notation = crdt::Notation::new(area.service("CrdtTckModel"), name, entity_id(name))?;
            Script::Crdt(script::of_entity(&notation, lines)?)
        }
        (Area::Action, None) => Script::Action(script::of_calls(&action::Notation, lines)?),
        (Area::Eventing, None) => Script::Action(script::of_calls(&eventing::Subscriber, lines)?),
        (Area::Eventing, Some(service)) => {
            let notation = eventing::Emitter::new(area.service(service), entity_id("entity"));
            Script::EventSourced(script::of_entity(&notation, lines)?)
        }
        _ => return Err("there is nothing here that this area can do".to_owned()),
    })
}

#[cfg(test)]
mod tests;
