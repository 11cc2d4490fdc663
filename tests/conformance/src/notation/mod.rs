//! Reads scenario files. `scenarios/README.md` explains how they are written.
//!
//! This module knows what all areas have in common: scenarios, steps and alternatives. What stands after `>` and `<` is
//! a matter of each protocol, and so has a module of its own.

mod action;
mod command;
mod crdt;
mod cursor;
mod discovery;
mod event_sourced;
mod eventing;
mod value_entity;

use std::fmt;

use crate::{
    area::Area,
    protocol::Protocol,
    scenario::{Expected, Line, Scenario, Script, Step},
};
use cursor::{Cursor, Problem};

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
    for block in blocks(text) {
        let mut block = Block { header: block.0, lines: block.1 };
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

fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("#")) {
        match blocks.last_mut() {
            Some((_, lines)) if line.starts_with(' ') => lines.push(line.trim()),
            _ => blocks.push((line.trim(), Vec::new())),
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
    let lines = steps_of_lines(&block.lines);
    let first = block.lines.first().copied().unwrap_or_default();
    // `entity-4` for `ES-04`: the reference counts as well.
    let entity_id = |prefix: &str| format!("{prefix}-{}", number.trim_start_matches('0').to_lowercase());
    Ok(match (area, entity_type) {
        (_, None) if first.starts_with("check ") => Script::Discovery(discovery::checks(area, &block.lines)?),
        (Area::EventSourced, None) => {
            Script::EventSourced(entity_script(&event_sourced::Notation::new(entity_id("entity")), &lines)?)
        }
        (Area::ValueEntity, None) => {
            Script::ValueEntity(entity_script(&value_entity::Notation::new(entity_id("entity")), &lines)?)
        }
        (Area::Crdt, Some(name)) => {
            let notation = crdt::Notation::new(name, entity_id(name))?;
            Script::Crdt(entity_script(&notation, &lines)?)
        }
        (Area::Action, None) => Script::Action(call_script(&action::Notation, &lines)?),
        (Area::Eventing, None) => Script::Action(call_script(&eventing::Subscriber, &lines)?),
        (Area::Eventing, Some(service)) => {
            let notation = eventing::Emitter::new(service, entity_id("entity"))?;
            Script::EventSourced(entity_script(&notation, &lines)?)
        }
        _ => return Err("there is nothing here that this area can do".to_owned()),
    })
}

/// How a protocol's messages are written.
trait Notation {
    type Protocol: Protocol;

    /// What `> …` means.
    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<Self::Protocol>, Problem>;

    /// What `< …` means.
    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<Out<Self>>, Problem>;
}

type Out<N> = <<N as Notation>::Protocol as Protocol>::Out;
type Lines<N> = Vec<Line<<N as Notation>::Protocol>>;

/// Both halves of `> … < …` as lines of their own.
fn steps_of_lines<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    lines
        .iter()
        .flat_map(|line| match line.find(" < ") {
            Some(at) if line.starts_with('>') => vec![line[..at].trim(), line[at..].trim()],
            _ => vec![*line],
        })
        .collect()
}

/// Entities: one stream, open from the start, which at last is half-closed and must then end.
fn entity_script<N>(notation: &N, lines: &[&str]) -> Result<Lines<N>, Problem>
where
    N: Notation<Protocol: Protocol<Call = ()>>,
{
    let mut script = vec![Line { text: "open a stream".to_owned(), step: Step::Open(()) }];
    let mut lines = lines.iter().copied().peekable();
    while let Some(line) = lines.next() {
        script.extend(entity_line(notation, line, &mut lines)?);
    }
    if !matches!(script.last(), Some(Line { step: Step::End | Step::Closed, .. })) {
        script.extend(end_of_stream());
    }
    Ok(script)
}

fn entity_line<'a, N>(
    notation: &N,
    line: &'a str,
    lines: &mut impl Iterator<Item = &'a str>,
) -> Result<Lines<N>, Problem>
where
    N: Notation<Protocol: Protocol<Call = ()>>,
{
    if line == "-- end, new stream" {
        let mut script = end_of_stream();
        script.push(Line { text: line.to_owned(), step: Step::Open(()) });
        return Ok(script);
    }
    if line == "either {" {
        let mut alternatives = vec![Vec::new()];
        loop {
            let inner = lines.next().ok_or("`}` is missing at the end")?;
            match inner {
                "}" => break,
                "} or {" => alternatives.push(Vec::new()),
                _ => {
                    let steps = entity_line(notation, inner, lines)?;
                    if let Some(alternative) = alternatives.last_mut() {
                        alternative.extend(steps);
                    }
                }
            }
        }
        let can_be_told_apart =
            |steps: &Lines<N>| matches!(steps.first(), Some(Line { step: Step::Expect(_), .. }));
        if !alternatives.iter().all(can_be_told_apart) {
            return Err("each alternative must begin with a message to expect".to_owned());
        }
        return Ok(vec![Line { text: line.to_owned(), step: Step::Either(alternatives) }]);
    }
    Ok(vec![one_line(notation, line, lines)?])
}

fn end_of_stream<P: Protocol>() -> Vec<Line<P>> {
    vec![
        Line { text: "> half-close".to_owned(), step: Step::HalfClose },
        Line { text: "< end".to_owned(), step: Step::End },
    ]
}

/// Actions: calls that the script opens itself, and that must have ended at last.
fn call_script<N: Notation>(notation: &N, lines: &[&str]) -> Result<Lines<N>, Problem> {
    let mut script = Vec::new();
    let mut lines = lines.iter().copied();
    while let Some(line) = lines.next() {
        script.push(one_line(notation, line, &mut lines)?);
    }
    if !matches!(script.last(), Some(Line { step: Step::End | Step::Closed | Step::Cancel, .. })) {
        script.push(Line { text: "< end".to_owned(), step: Step::End });
    }
    Ok(script)
}

fn one_line<'a, N: Notation>(
    notation: &N,
    line: &'a str,
    lines: &mut impl Iterator<Item = &'a str>,
) -> Result<Line<N::Protocol>, Problem> {
    let step = match line {
        "< end" => Step::End,
        "< closed" => Step::Closed,
        "> half-close" => Step::HalfClose,
        "> cancel the call" => Step::Cancel,
        "in any order {" => {
            let group = lines.take_while(|line| *line != "}");
            Step::InAnyOrder(group.map(|line| expected(notation, line)).collect::<Result<_, _>>()?)
        }
        _ => match line.strip_prefix('>') {
            Some(sent) => {
                let mut cursor = Cursor::new(sent);
                let step = notation.send(&mut cursor);
                step.and_then(|step| cursor.end().map(|()| step))
                    .map_err(|problem| format!("`{line}`: {problem}"))?
            }
            None => Step::Expect(expected(notation, line)?),
        },
    };
    Ok(Line { text: line.to_owned(), step })
}

fn expected<N: Notation>(notation: &N, line: &str) -> Result<Expected<Out<N>>, Problem> {
    let explain = |problem| format!("`{line}`: {problem}");
    let rest = line.strip_prefix('<').ok_or_else(|| explain("neither `>` nor `<`".to_owned()))?;
    let mut cursor = Cursor::new(rest);
    let mut expected = notation.expect(&mut cursor).map_err(explain)?;
    cursor.end().map_err(explain)?;
    expected.text = line.to_owned();
    Ok(expected)
}

#[cfg(test)]
mod tests;
