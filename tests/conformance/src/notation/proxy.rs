//! Reads the scenarios around a proxy. `scenarios/proxy/README.md` explains how they are written.

mod client;
mod function;
mod speech;

use std::{sync::LazyLock, time::Duration};

use super::{
    Block, Error, any_message, blocks,
    cursor::{Cursor, Problem},
    script::read_all,
};
use crate::{
    area::Area,
    proxy::scenario::{DiscoveryCheck, Line, Requires, Script, Step},
    scenario::Scenario,
};
use speech::{Speech, Who};

/// What scenarios may speak about without knowing it in advance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    /// Makes the entities of this run different from those of others.
    pub(crate) run: String,
    /// The host that clients call.
    pub(crate) host: String,
    /// The names of the services that the user function offers.
    pub(crate) services: Vec<String>,
    /// The kit is the user function, and tries every branch.
    pub(crate) scripted: bool,
}

/// A long text.
static MEGABYTE: LazyLock<String> = LazyLock::new(|| "cloudstate ".repeat(100_000));

/// Reads the scenarios of an area.
///
/// # Errors
///
/// Names the scenario and the line that cannot be read.
pub(crate) fn read(area: Area, text: &str, context: &Context) -> Result<Vec<Scenario<Script>>, Error> {
    let mut scenarios = Vec::new();
    let mut needs_of_all = Vec::new();
    let mut requires_of_all = Requires::default();
    for mut block in blocks(text) {
        if let Some(services) = block.header.strip_prefix("needs ") {
            needs_of_all = full_names(area, services);
        } else if let Some(what) = block.header.strip_prefix("only ") {
            requires_of_all = Requires::default();
            require(&mut requires_of_all, what).map_err(|problem| Error::new(what, problem))?;
        } else {
            scenarios.push(scenario(area, &needs_of_all, requires_of_all.clone(), &mut block, context)?);
        }
    }
    Ok(scenarios)
}

fn full_names(area: Area, services: &str) -> Vec<String> {
    services.split_whitespace().map(|name| Who::full_name(area, name)).collect()
}

fn require(requires: &mut Requires, what: &str) -> Result<(), Problem> {
    match what {
        "scripted" => requires.script = true,
        "with status codes" => requires.status_codes = Some(true),
        "without status codes" => requires.status_codes = Some(false),
        "with management" => requires.management = true,
        "anywhere" => *requires = Requires::default(),
        _ => return Err("is nothing that can be required".to_owned()),
    }
    Ok(())
}

fn scenario(
    area: Area,
    needs_of_all: &[String],
    mut requires: Requires,
    block: &mut Block<'_>,
    context: &Context,
) -> Result<Scenario<Script>, Error> {
    let (id, title) = block.header.split_once(' ').unwrap_or((block.header, ""));
    let prefix = format!("PX-{}-", area.prefix());
    let Some(number) = id.strip_prefix(&prefix).filter(|number| !number.is_empty()) else {
        return Err(Error::new(id, format!("the ids of this file begin with {prefix}")));
    };
    let needs = match block.directive("needs") {
        Some("nothing") => Vec::new(),
        Some(services) => full_names(area, services),
        None => needs_of_all.to_vec(),
    };
    while let Some(what) = block.directive("only") {
        require(&mut requires, what).map_err(|problem| Error::new(id, problem))?;
    }
    let entity = block.directive("entity");
    let branches =
        if context.scripted { 1 + block.lines.iter().filter(|line| **line == "} or {").count() } else { 1 };
    let plays = (0..branches).map(|branch| {
        let number = number.trim_start_matches('0').to_lowercase();
        let again = if branch == 0 { String::new() } else { format!("-{branch}") };
        // As in the reference kit, event sourced entities and value entities have the same ids.
        let kind = match area {
            Area::EventSourced | Area::ValueEntity => "entity".to_owned(),
            _ => area.prefix().to_lowercase(),
        };
        let id = format!("{}-{number}{again}{}", entity.unwrap_or(&kind), context.run);
        let reader = Reader {
            area,
            data_type: entity.unwrap_or("GCounter"),
            branch: context.scripted.then_some(branch),
            context,
            id,
        };
        reader.play(&block.lines)
    });
    let plays = plays.collect::<Result<_, _>>().map_err(|problem| Error::new(id, problem))?;
    Ok(Scenario {
        id: id.to_owned(),
        title: title.trim().to_owned(),
        area,
        needs,
        script: Script { requires, plays },
    })
}

/// Reads one play of a scenario.
struct Reader<'a> {
    area: Area,
    /// What `entity` says: for CRDTs their type.
    data_type: &'a str,
    /// The alternative to take; none to let the user function decide.
    branch: Option<usize>,
    context: &'a Context,
    /// The id of the scenario's entity.
    id: String,
}

/// What the names of clients and of calls behind the proxy stand for, as far as the lines have been read.
#[derive(Default)]
struct Known {
    clients: std::collections::BTreeMap<String, (Speech, String)>,
    calls: std::collections::BTreeMap<String, Speech>,
}

impl Reader<'_> {
    fn play(&self, lines: &[&str]) -> Result<Vec<Line>, Problem> {
        let texts: Vec<_> = lines.iter().map(|line| self.substituted(line)).collect();
        let mut known = Known::default();
        let mut lines = texts.iter().map(String::as_str);
        self.until(&mut lines, &mut known, None)
    }

    fn substituted(&self, line: &str) -> String {
        let services: String = {
            let mut names = self.context.services.clone();
            names.sort();
            names.iter().map(|name| format!(" service {{name: \"{name}\"}}")).collect()
        };
        line.replace("<id>", &self.id)
            .replace("<run>", &self.context.run)
            .replace("<megabyte>", if line.contains("<megabyte>") { &MEGABYTE } else { "" })
            .replace("<host>", &self.context.host)
            .replace("<services>", &services)
    }

    /// Reads to the end, or to the line that begins so.
    fn until(
        &self,
        lines: &mut dyn Iterator<Item = &str>,
        known: &mut Known,
        end: Option<&str>,
    ) -> Result<Vec<Line>, Problem> {
        let mut play = Vec::new();
        while let Some(line) = lines.next() {
            if end.is_some_and(|end| line.starts_with(end)) {
                return Ok(play);
            }
            let (name, rest) = named(line);
            if rest == "either {" {
                self.either(name, lines, known, &mut play)?;
            } else if let Some(rest) = rest.strip_prefix("until answered, at most ") {
                let at_most = rest
                    .trim_end_matches('{')
                    .trim()
                    .parse()
                    .map_err(|_| format!("`{line}`: a number is missing"))?;
                // Each of the calls has this name.
                known.calls.insert("again".to_owned(), self.new_call("")?);
                let steps = self.until(lines, known, Some("}"))?;
                let step = Step::UntilAnswered { client: name.to_owned(), at_most, steps };
                play.push(Line { text: line.to_owned(), step });
            } else {
                for part in parts(rest) {
                    let step =
                        self.step(name, part, known).map_err(|problem| format!("`{line}`: {problem}"))?;
                    let text = if name.is_empty() { part.to_owned() } else { format!("{name}: {part}") };
                    play.push(Line { text, step });
                }
            }
        }
        match end {
            None => Ok(play),
            Some(end) => Err(format!("`{end}` is missing at the end")),
        }
    }

    fn either(
        &self,
        name: &str,
        lines: &mut dyn Iterator<Item = &str>,
        known: &mut Known,
        play: &mut Vec<Line>,
    ) -> Result<(), Problem> {
        let mut alternatives = Vec::new();
        loop {
            let mut last = "";
            let mut inside = Vec::new();
            for line in &mut *lines {
                last = line;
                if line.starts_with('}') {
                    break;
                }
                inside.push(line);
            }
            alternatives.push(self.until(&mut inside.into_iter(), known, None)?);
            match last {
                "}" => break,
                "} or {" => {}
                _ => return Err("`}` is missing at the end".to_owned()),
            }
        }
        match self.branch {
            Some(branch) => play.extend(alternatives.into_iter().nth(branch).into_iter().flatten()),
            None => {
                let step = Step::Either(name.to_owned(), alternatives);
                play.push(Line { text: "either".to_owned(), step });
            }
        }
        Ok(())
    }

    fn step(&self, name: &str, part: &str, known: &mut Known) -> Result<Step, Problem> {
        if let Some(rest) = part.strip_prefix("reported ") {
            return read_all(part, rest, |line| Ok(Step::Reported(line.text()?.replace("\\n", "\n"))));
        }
        if let Some(rest) = part.strip_prefix("quiet for ") {
            return read_all(part, rest, |line| {
                let time = line.number()?;
                line.need("ms")?;
                Ok(Step::Quiet(Duration::from_millis(time)))
            });
        }
        if part == "break connections" {
            return Ok(Step::BreakConnections);
        }
        if let Some(check) = part.strip_prefix("check ") {
            return Ok(Step::Discovery(match check {
                "proxy" => DiscoveryCheck::Proxy,
                "services are described" => DiscoveryCheck::ServicesAreDescribed,
                "discovery was retried" => DiscoveryCheck::Retried,
                _ => return Err("there is no such check".to_owned()),
            }));
        }
        if part.starts_with(['>', '<']) || part == "closed" || part.starts_with("new ") {
            let step = self.function_step(name, part, known)?;
            return Ok(Step::Function(name.to_owned(), step));
        }
        let step = self.client_step(name, part, known)?;
        Ok(Step::Client(name.to_owned(), step))
    }

    fn who(&self, name: &str, id: Option<&str>) -> Result<Speech, Problem> {
        let service = Who::full_name(self.area, name);
        Speech::of(&service, id.unwrap_or(&self.id), self.data_type)
    }
}

/// `name: rest`
fn named(line: &str) -> (&str, &str) {
    match line.split_once(": ") {
        Some((name, rest)) if name.chars().all(char::is_alphanumeric) => (name, rest.trim()),
        _ => ("", line),
    }
}

/// What the user function and the proxy say may stand on one line.
fn parts(line: &str) -> Vec<&str> {
    if !line.starts_with(['>', '<']) && !line.starts_with("new ") {
        return vec![line];
    }
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, c) in line.char_indices() {
        quoted ^= c == '"';
        let begins =
            matches!(c, '>' | '<') && at > 0 && line[..at].ends_with(' ') && line[at + 1..].starts_with(' ');
        if begins && !quoted {
            parts.push(line[start..at].trim());
            start = at;
        }
    }
    parts.push(line[start..].trim());
    parts
}

fn read_rest<T>(
    part: &str,
    word: &str,
    read: impl FnOnce(&mut Cursor<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    read_all(part, part.strip_prefix(word).unwrap_or(part), read)
}
