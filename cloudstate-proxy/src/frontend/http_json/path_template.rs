//! Path templates of `google.api.http`: `/shelves/{shelf}/books/{book=**}:archive`.
//!
//! ```text
//! template = "/" segment { "/" segment } [ ":" verb ]
//! segment  = "*" | "**" | literal | "{" field { "." field } [ "=" segment { "/" segment } ] "}"
//! ```

use std::ops::Range;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// How many segments a template may have: far more than people write, and few enough to be walked recursively.
const MAX_SEGMENTS: usize = 100;

/// A parsed template. Its segments are those that a path is made of: a variable spans one or more of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathTemplate {
    pub(super) segments: Vec<Segment>,
    pub(super) variables: Vec<Variable>,
    pub(super) verb: Option<String>,
}

/// What one segment of a path must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly this, in its percent-encoded form.
    Literal(String),
    /// `*`: anything, also nothing, up to the next slash.
    One,
    /// `**`: all the rest of the path. Always the last segment.
    Rest,
}

/// A field that is bound to a part of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    /// The field's name, with dots if it stands in a nested message.
    pub(super) field: String,
    /// The segments it spans.
    pub(super) segments: Range<usize>,
}

/// Why a template is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidTemplate {
    #[error("the path must start with `/`")]
    NoLeadingSlash,
    #[error("a `{{` is not closed by `}}`")]
    UnclosedVariable,
    #[error("a variable stands in another one")]
    NestedVariable,
    #[error(
        "a variable must fill the space between two slashes, or give its own segments as in `{{name=shelves/*}}`"
    )]
    PartialVariable,
    #[error("a variable must name a field, such as `{{user_id}}` or `{{user.id}}`")]
    InvalidFieldName,
    #[error("a variable has no segments after its `=`")]
    EmptyVariable,
    #[error("`**` matches all the rest of the path, so nothing but a verb can follow it")]
    RestNotLast,
    #[error("a literal must not hold any of `*`, `{{`, `}}`, `:`, `?`, `#` and line breaks")]
    InvalidLiteral,
    #[error("a path has at most {MAX_SEGMENTS} segments")]
    TooLong,
    #[error("only a verb follows a `:`: one word, at the very end")]
    InvalidVerb,
}

impl PathTemplate {
    pub(super) fn parse(template: &str) -> Result<Self, InvalidTemplate> {
        let path = template.strip_prefix('/').ok_or(InvalidTemplate::NoLeadingSlash)?;
        let mut parser = Parser { rest: path, segments: Vec::new(), variables: Vec::new() };
        loop {
            parser.segment_or_variable()?;
            match parser.next_delimiter() {
                Some('/') => {}
                Some(':') => {
                    let verb = Some(parser.verb()?);
                    return Ok(Self { segments: parser.segments, variables: parser.variables, verb });
                }
                Some(_) => return Err(InvalidTemplate::PartialVariable),
                None => {
                    return Ok(Self { segments: parser.segments, variables: parser.variables, verb: None });
                }
            }
        }
    }

    /// The text that each variable stands for in `path`, which must match this template: still encoded, in the order
    /// of the variables.
    pub(super) fn captures<'p>(&self, path: &'p str) -> impl Iterator<Item = &'p str> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let verb_length = self.verb.as_ref().map_or(0, |verb| verb.len() + 1);
        let mut rest = &path[..path.len() - verb_length];
        let mut at = 0;
        self.variables.iter().map(move |Variable { segments, .. }| {
            rest = &rest[start_of_segment(rest, segments.start - at)..];
            at = segments.start;
            match self.segments[segments.end - 1] {
                Segment::Rest => rest,
                _ => &rest[..end_of_segments(rest, segments.len())],
            }
        })
    }
}

/// Where the segment begins that comes `skipped` after the first one.
fn start_of_segment(path: &str, skipped: usize) -> usize {
    match skipped {
        0 => 0,
        _ => path.match_indices('/').nth(skipped - 1).map_or(path.len(), |(slash, _)| slash + 1),
    }
}

/// Where the last of the first `count` segments ends.
fn end_of_segments(path: &str, count: usize) -> usize {
    path.match_indices('/').nth(count - 1).map_or(path.len(), |(slash, _)| slash)
}

struct Parser<'t> {
    rest: &'t str,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl<'t> Parser<'t> {
    fn segment_or_variable(&mut self) -> Result<(), InvalidTemplate> {
        match self.rest.strip_prefix('{') {
            Some(rest) => {
                self.rest = rest;
                self.variable()
            }
            None => {
                let segment = self.take_while(|c| !matches!(c, '/' | ':'));
                self.segment(segment)
            }
        }
    }

    fn variable(&mut self) -> Result<(), InvalidTemplate> {
        let inside = self.take_while(|c| c != '}');
        self.rest = self.rest.strip_prefix('}').ok_or(InvalidTemplate::UnclosedVariable)?;
        if inside.contains('{') {
            return Err(InvalidTemplate::NestedVariable);
        }
        let (field, segments) = inside.split_once('=').unwrap_or((inside, "*"));
        if !field.split('.').all(is_identifier) {
            return Err(InvalidTemplate::InvalidFieldName);
        }
        if segments.is_empty() {
            return Err(InvalidTemplate::EmptyVariable);
        }
        let start = self.segments.len();
        segments.split('/').try_for_each(|segment| self.segment(segment))?;
        self.variables.push(Variable { field: field.to_owned(), segments: start..self.segments.len() });
        Ok(())
    }

    fn segment(&mut self, text: &str) -> Result<(), InvalidTemplate> {
        if self.segments.last() == Some(&Segment::Rest) {
            return Err(InvalidTemplate::RestNotLast);
        }
        if self.segments.len() == MAX_SEGMENTS {
            return Err(InvalidTemplate::TooLong);
        }
        self.segments.push(match text {
            "*" => Segment::One,
            "**" => Segment::Rest,
            literal => Segment::Literal(as_in_paths(literal)?),
        });
        Ok(())
    }

    fn verb(&mut self) -> Result<String, InvalidTemplate> {
        if self.rest.is_empty() || self.rest.contains('/') {
            return Err(InvalidTemplate::InvalidVerb);
        }
        as_in_paths(self.rest).map_err(|_| InvalidTemplate::InvalidVerb)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn next_delimiter(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let delimiter = rest.next();
        self.rest = rest.as_str();
        delimiter
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The literal in the form that clients send: what cannot stand in a path is percent-encoded.
fn as_in_paths(literal: &str) -> Result<String, InvalidTemplate> {
    const NOT_IN_PATHS: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'|');
    if literal.contains(['*', '{', '}', ':', '?', '#', '\n', '\r']) {
        return Err(InvalidTemplate::InvalidLiteral);
    }
    Ok(utf8_percent_encode(literal, NOT_IN_PATHS).to_string())
}

#[cfg(test)]
mod tests;
