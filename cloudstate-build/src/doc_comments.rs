//! Comments of a `.proto` become rustdoc. They were not written for it: an indented example must not become a
//! doctest, `repeated Foo[]` no broken link and `Map<K, V>` no HTML.

use prost_types::FileDescriptorProto;

/// Rewrites all comments in the files.
pub(crate) fn make_safe(files: &mut [FileDescriptorProto]) {
    let infos = files.iter_mut().filter_map(|file| file.source_code_info.as_mut());
    for location in infos.flat_map(|info| &mut info.location) {
        for comment in [&mut location.leading_comments, &mut location.trailing_comments].into_iter().flatten()
        {
            *comment = safe(comment);
        }
        // They would become ordinary comments, between items that have nothing to do with them.
        location.leading_detached_comments.clear();
    }
}

/// Markdown that shows `comment` and holds no doctest, no HTML and only web links. Prose is kept as Markdown;
/// code, fenced or indented, is shown as plain text.
fn safe(comment: &str) -> String {
    let lines: Vec<String> = comment.lines().map(readable).collect();
    let mut lines = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).peekable();
    let mut out = Vec::new();
    let mut after_blank = true;
    while let Some(line) = lines.next() {
        if let Some(fence) = Fence::opening(line) {
            out.push(format!("{}text", fence.marker()));
            out.extend(lines.by_ref().take_while(|line| !fence.is_closed_by(line)).map(str::to_owned));
            out.push(fence.marker());
        } else if after_blank && is_indented(line) {
            let mut code = vec![line];
            while let Some(line) = lines.next_if(|line| is_indented(line)) {
                code.push(line);
            }
            let fence = Fence::around(&code);
            out.push(format!("{}text", fence.marker()));
            out.extend(code.into_iter().map(|line| line[CODE_INDENT..].to_owned()));
            out.push(fence.marker());
        } else {
            out.push(prose(line));
        }
        after_blank = line.trim().is_empty();
    }
    out.join("\n")
}

/// Markdown takes this many spaces for code.
const CODE_INDENT: usize = 4;

fn is_indented(line: &str) -> bool {
    line.starts_with("    ") && !line.trim().is_empty()
}

/// Without what rustc refuses in a doc comment: carriage returns, and marks that change the text's direction.
fn readable(line: &str) -> String {
    line.replace('\t', "    ")
        .chars()
        .filter(|c| !matches!(c, '\r' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect()
}

/// One line outside of code. Runs of spaces are folded, so that no quote or list item holds indented code.
fn prose(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let folded = line.split_whitespace().collect::<Vec<_>>().join(" ").replace("~~~", "\\~~~");
    let mut out = " ".repeat(indent.min(CODE_INDENT - 1));
    let mut rest = folded.as_str();
    while let Some(at) = rest.find(['`', '[', ']', '<']) {
        let (before, special) = rest.split_at(at);
        out.push_str(before);
        let (shown, length) = match kept_markdown(special, out.ends_with('\\')) {
            Some(kept) => kept,
            None => {
                out.push('\\');
                (&special[..1], 1)
            }
        };
        out.push_str(shown);
        rest = &special[length..];
    }
    out.push_str(rest);
    out
}

/// What to show as it is, and how long it was, if `special`, which starts with a special character, starts with
/// `` `code` ``, `[text](https://…)` or `<https://…>`, or the character is escaped already.
fn kept_markdown(special: &str, is_escaped: bool) -> Option<(&str, usize)> {
    if is_escaped {
        return Some((&special[..1], 1));
    }
    let is_web = |text: &str| text.starts_with("https://") || text.starts_with("http://");
    let code = || {
        let length = special.strip_prefix('`')?.find('`').filter(|length| *length > 0)? + 2;
        Some((&special[..length], length))
    };
    let link = || {
        let (text, target) = special.strip_prefix('[')?.split_once("](")?;
        let length = 1 + text.len() + 2 + target.find(')')? + 1;
        (is_web(target) && !text.contains(['[', ']', '`', '<'])).then_some((&special[..length], length))
    };
    // prost puts web addresses in angle brackets.
    let address = || {
        let (address, _) = special.strip_prefix('<')?.split_once('>')?;
        (is_web(address) && !address.contains('<')).then_some((address, address.len() + 2))
    };
    code().or_else(link).or_else(address)
}

/// What stands before and after a block of code: three or more backticks or tildes.
struct Fence {
    character: char,
    length: usize,
}

impl Fence {
    fn opening(line: &str) -> Option<Self> {
        let line = line.trim_start();
        let character = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = line.chars().take_while(|c| *c == character).count();
        // ```` ```code``` ```` in one line is no fence.
        let is_fence = length >= 3 && !(character == '`' && line[length..].contains('`'));
        is_fence.then_some(Self { character, length })
    }

    /// A fence that no line of `code` closes.
    fn around(code: &[&str]) -> Self {
        let longest = code.iter().filter_map(|line| Self::opening(line)).map(|fence| fence.length).max();
        Self { character: '`', length: longest.unwrap_or(2) + 1 }
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.length && line.chars().all(|c| c == self.character)
    }

    fn marker(&self) -> String {
        self.character.to_string().repeat(self.length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

    use super::safe;

    proptest! {
        /// rustdoc makes a doctest of every code block that does not say that it is something else.
        #[test]
        fn no_comment_becomes_a_doctest_or_html(comment in "([ \\t>`~*<\\[\\]()1.\\\\-]|\\n|a|rust|https://a){0,60}") {
            let markdown = safe(&comment);
            for event in Parser::new(&markdown) {
                match event {
                    Event::Start(Tag::CodeBlock(kind)) => {
                        prop_assert_eq!(kind, CodeBlockKind::Fenced("text".into()), "{}", &markdown);
                    }
                    Event::Html(html) | Event::InlineHtml(html) => {
                        prop_assert!(false, "HTML {html:?} in\n{}", &markdown);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn comments_become_harmless_markdown() {
        let cases = [
            ("prose is kept", " Adds *one* item.\n\n - a\n - b\n", "Adds *one* item.\n\n- a\n- b"),
            (
                "indented code",
                " For example:\n\n     let x = 1;\n       y\n",
                "For example:\n\n```text\nlet x = 1;\n  y\n```",
            ),
            ("only indented", "      let x = 1;", "```text\n let x = 1;\n```"),
            ("fenced code", " ```rust\n panic!()\n ```\n after", "```text\npanic!()\n```\nafter"),
            ("unclosed fence", " ~~~~\n panic!()", "~~~~text\npanic!()\n~~~~"),
            ("fence in indented code", "     x\n     ```rust\n     y", "````text\nx\n```rust\ny\n````"),
            ("code in a quote", " >     panic!()", "> panic!()"),
            ("code in a list", " -     panic!()", "- panic!()"),
            ("fence in a quote", " > ```rust", "> \\`\\`\\`rust"),
            ("tilde fence in a quote", " > ~~~", "> \\~~~"),
            ("tab", " \tpanic!()", "```text\npanic!()\n```"),
            ("continuation line", " a\n      b", "a\n   b"),
            (
                "link to an item",
                " see [Cart] or [a](Cart) or [b][Cart]",
                "see \\[Cart\\] or \\[a\\](Cart) or \\[b\\]\\[Cart\\]",
            ),
            ("link to the web", " see [a](https://example.com/a)", "see [a](https://example.com/a)"),
            ("web address", " at <https://example.com>.", "at https://example.com."),
            ("no web address", " <https://a<b>c>", "\\<https://a\\<b>c>"),
            ("already escaped", r" \[Cart\]", r"\[Cart\]"),
            ("html", " Map<K, V> <!-- ", "Map\\<K, V> \\<!--"),
            ("inline code", " `Map<K, V>[0]` and `", "`Map<K, V>[0]` and \\`"),
            ("direction marks", " a\u{202e}b", "ab"),
            ("carriage return", " a\r b\r\n c", "a b\nc"),
        ];
        for (name, comment, expected) in cases {
            assert_eq!(safe(comment), expected, "{name}");
        }
    }
}
