//! Errors of the compiler, as people expect them of one: `file:line:column: reason`, the line, a caret.

use std::{fmt::Write as _, fs, path::Path};

use miette::{Diagnostic, LabeledSpan};

/// Renders everything that `error` says. `proto` is the file being compiled when it occurred.
pub(super) fn render(error: &protox::Error, proto: &Path, includes: &[&Path]) -> String {
    let mut file = match error.file() {
        Some(name) => SourceFile::find(name, includes),
        None => SourceFile::open(proto.display().to_string(), proto),
    };
    if error.is_parse() && error.labels().is_none_or(|mut labels| labels.next().is_none()) {
        // Only the unexpected end of a file has no label.
        file.path.push_str(&file.last_line());
    }
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
    let mut places =
        labels.iter().filter_map(|label| Some((label, file.place(label.offset(), label.len())?)));
    let Some((_, first)) = places.clone().next() else {
        let _ = write!(text, "{}: {error}", file.path);
        write_sources(text, error);
        return;
    };

    let _ = write!(text, "{}:{}:{}: ", file.path, first.line_number, first.column);
    let _ = if first.marked == "edition" {
        write!(text, "protobuf editions are not supported; start the file with `syntax = \"proto3\";`")
    } else {
        write!(text, "{error}")
    };
    let margin =
        places.clone().map(|(_, place)| place.line_number).max().unwrap_or_default().to_string().len();
    let _ = write!(text, "\n{:margin$} |", "");
    for (label, place) in places.by_ref() {
        let indent = " ".repeat(place.column - 1);
        let carets = "^".repeat(place.marked.chars().count().max(1));
        let _ = write!(text, "\n{:margin$} | {}", place.line_number, place.line);
        let _ = write!(text, "\n{:margin$} | {indent}{carets} {}", "", label.label().unwrap_or_default());
    }
    if let Some(help) = error.help() {
        let _ = write!(text, "\n{:margin$} = {help}", "");
    }
}

fn write_sources(text: &mut String, error: &dyn Diagnostic) {
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

/// Where a label points. Line and column count from 1, the column in characters.
struct Place<'a> {
    line: &'a str,
    line_number: usize,
    column: usize,
    /// The part of the line that is meant.
    marked: &'a str,
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

    /// `:12` for a file of 12 lines.
    fn last_line(&self) -> String {
        if self.text.is_empty() { String::new() } else { format!(":{}", self.text.lines().count()) }
    }

    fn place(&self, offset: usize, length: usize) -> Option<Place<'_>> {
        let before = self.text.get(..offset)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text.get(start..)?.lines().next()?;
        let rest = self.text.get(offset..)?.lines().next().unwrap_or_default();
        Some(Place {
            line,
            line_number: before.matches('\n').count() + 1,
            column: before.get(start..)?.chars().count() + 1,
            marked: rest.get(..length).unwrap_or(rest),
        })
    }
}
