//! Errors of the compiler, as people expect them of one: `file:line:column: reason`, the line, a caret.

use std::{fmt::Write as _, fs, path::Path};

use miette::{Diagnostic, LabeledSpan};

/// Renders everything that `error` says. `proto` is the file being compiled when it occurred.
pub(super) fn render(error: &protox::Error, proto: &Path, includes: &[&Path]) -> String {
    let file = match error.file() {
        Some(name) => SourceFile::find(name, includes),
        None => SourceFile::open(proto.display().to_string(), proto),
    };
    let mut text = String::new();
    write_one(&mut text, error, &file);
    if error.is_file_not_found() {
        let folders: Vec<_> = includes.iter().map(|include| include.display().to_string()).collect();
        let _ = write!(
            text,
            "\nlooked in {}, and among the bundled cloudstate/*.proto, google/api/*.proto and google/protobuf/*.proto",
            folders.join(", ")
        );
    }
    for related in error.related().into_iter().flatten() {
        text.push_str("\n\n");
        write_one(&mut text, related, &file);
    }
    text
}

fn write_one(text: &mut String, error: &dyn Diagnostic, file: &SourceFile) {
    let labels: Vec<LabeledSpan> = error.labels().into_iter().flatten().collect();
    let place = labels.first().and_then(|label| file.place(label.offset(), label.len()));
    let Some(place) = place else {
        let _ = write!(text, "{}: {error}", file.path);
        write_source(text, error);
        return;
    };

    if place.line.trim_start().starts_with("edition") {
        let _ = write!(
            text,
            "{}:{}:{}: protobuf editions are not supported; start the file with `syntax = \"proto3\";`",
            file.path, place.line_number, place.column
        );
    } else {
        let _ = write!(text, "{}:{}:{}: {error}", file.path, place.line_number, place.column);
    }
    let number = place.line_number.to_string();
    let margin = " ".repeat(number.len());
    let carets = "^".repeat(place.width);
    let label = labels.first().and_then(LabeledSpan::label).unwrap_or_default();
    let indent = " ".repeat(place.column - 1);
    let _ = write!(text, "\n{margin} |\n{number} | {}\n{margin} | {indent}{carets} {label}", place.line);
    if let Some(help) = error.help() {
        let _ = write!(text, "\n{margin} = {help}");
    }
}

fn write_source(text: &mut String, error: &dyn Diagnostic) {
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
}

struct SourceFile {
    /// As one can open it from here; for a bundled file its import path.
    path: String,
    text: String,
}

/// Where a label points. Line and column count from 1, the column and width in characters.
struct Place<'a> {
    line: &'a str,
    line_number: usize,
    column: usize,
    width: usize,
}

impl SourceFile {
    fn find(name: &str, includes: &[&Path]) -> Self {
        let found = includes.iter().map(|include| include.join(name)).find(|path| path.is_file());
        match found {
            Some(path) => Self::open(path.display().to_string(), &path),
            None => Self { path: name.to_owned(), text: String::new() },
        }
    }

    fn open(name: String, path: &Path) -> Self {
        Self { path: name, text: fs::read_to_string(path).unwrap_or_default() }
    }

    fn place(&self, offset: usize, length: usize) -> Option<Place<'_>> {
        let before = self.text.get(..offset)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text.get(start..)?.lines().next()?;
        let marked = self.text.get(offset..)?.lines().next().unwrap_or_default();
        Some(Place {
            line,
            line_number: before.matches('\n').count() + 1,
            column: before.get(start..)?.chars().count() + 1,
            width: marked.get(..length.min(marked.len())).map_or(1, |marked| marked.chars().count()).max(1),
        })
    }
}
