//! What all areas have in common: steps, alternatives, the ends of calls.

use super::cursor::{Cursor, Problem};
use crate::{
    protocol::Protocol,
    scenario::{Expected, Line, Step},
};

/// How a protocol's messages are written.
pub(super) trait Notation {
    type Protocol: Protocol;

    /// What `> …` means.
    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<Self::Protocol>, Problem>;

    /// What `< …` means.
    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<Out<Self>>, Problem>;
}

type Out<N> = <<N as Notation>::Protocol as Protocol>::Out;
type Script<N> = Vec<Line<<N as Notation>::Protocol>>;

/// Entities: one stream, open from the start, which at last is half-closed and must then end.
pub(super) fn of_entity<N>(notation: &N, lines: &[&str]) -> Result<Script<N>, Problem>
where
    N: Notation<Protocol: Protocol<Call = ()>>,
{
    let mut script = vec![Line { text: "open a stream".to_owned(), step: Step::Open(()) }];
    let mut lines = halves(lines);
    while let Some(line) = lines.next() {
        script.extend(entity_line(notation, line, &mut lines)?);
    }
    if !matches!(script.last(), Some(Line { step: Step::End | Step::Closed, .. })) {
        script.extend(end_of_stream());
    }
    Ok(script)
}

/// Actions: calls that the script opens itself, the last of which must have ended at last.
pub(super) fn of_calls<N: Notation>(notation: &N, lines: &[&str]) -> Result<Script<N>, Problem> {
    let mut script = Vec::new();
    let mut lines = halves(lines);
    while let Some(line) = lines.next() {
        script.push(one_line(notation, line, &mut lines)?);
    }
    if !matches!(script.last(), Some(Line { step: Step::End | Step::Closed | Step::Cancel, .. })) {
        script.push(Line { text: "< end".to_owned(), step: Step::End });
    }
    Ok(script)
}

/// Both halves of `> … < …` as lines of their own.
fn halves<'a>(lines: &[&'a str]) -> impl Iterator<Item = &'a str> {
    lines.iter().flat_map(|line| match line.split_once(" < ") {
        Some((sent, _)) if line.starts_with('>') => vec![sent.trim(), line[sent.len()..].trim()],
        _ => vec![*line],
    })
}

fn entity_line<'a, N>(
    notation: &N,
    line: &'a str,
    lines: &mut dyn Iterator<Item = &'a str>,
) -> Result<Script<N>, Problem>
where
    N: Notation<Protocol: Protocol<Call = ()>>,
{
    match line {
        "-- end, new stream" => {
            let mut script = end_of_stream();
            script.push(Line { text: line.to_owned(), step: Step::Open(()) });
            Ok(script)
        }
        "either {" => {
            let step = Step::Either(alternatives(notation, lines)?);
            Ok(vec![Line { text: line.to_owned(), step }])
        }
        _ => Ok(vec![one_line(notation, line, lines)?]),
    }
}

/// What follows `either {`.
fn alternatives<N>(notation: &N, lines: &mut dyn Iterator<Item = &str>) -> Result<Vec<Script<N>>, Problem>
where
    N: Notation<Protocol: Protocol<Call = ()>>,
{
    let mut alternatives = Vec::new();
    let mut current = Vec::new();
    loop {
        let line = lines.next().ok_or("`}` is missing at the end")?;
        if !line.starts_with('}') {
            current.extend(entity_line(notation, line, lines)?);
            continue;
        }
        if !matches!(current.first(), Some(Line { step: Step::Expect(_), .. })) {
            return Err("each alternative must begin with a message to expect".to_owned());
        }
        alternatives.push(std::mem::take(&mut current));
        if line == "}" {
            return Ok(alternatives);
        }
    }
}

fn end_of_stream<P: Protocol>() -> Vec<Line<P>> {
    vec![
        Line { text: "> half-close".to_owned(), step: Step::HalfClose },
        Line { text: "< end".to_owned(), step: Step::End },
    ]
}

fn one_line<'a, N: Notation>(
    notation: &N,
    line: &'a str,
    lines: &mut dyn Iterator<Item = &'a str>,
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
            Some(sent) => read_all(line, sent, |cursor| notation.send(cursor))?,
            None => Step::Expect(expected(notation, line)?),
        },
    };
    Ok(Line { text: line.to_owned(), step })
}

/// What `< …` expects.
pub(super) fn expected<N: Notation>(notation: &N, line: &str) -> Result<Expected<Out<N>>, Problem> {
    let Some(rest) = line.strip_prefix('<') else { return Err(format!("`{line}`: neither `>` nor `<`")) };
    let expected = read_all(line, rest, |cursor| notation.expect(cursor))?;
    Ok(Expected { text: line.to_owned(), ..expected })
}

/// Reads the rest of a line, to its end.
pub(super) fn read_all<T>(
    line: &str,
    rest: &str,
    read: impl FnOnce(&mut Cursor<'_>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut cursor = Cursor::new(rest);
    let outcome = read(&mut cursor).and_then(|value| cursor.end().map(|()| value));
    outcome.map_err(|problem| format!("`{line}`: {problem}"))
}
