//! Reads one line, from left to right.

/// What is left of a line.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a str,
}

/// Why a line cannot be read.
pub(crate) type Problem = String;

impl<'a> Cursor<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Self { rest: line.trim() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn starts_with(&self, token: &str) -> bool {
        self.rest.starts_with(token)
    }

    /// Takes `token` if it comes next. A token that ends in a letter must not go on as a longer word.
    pub(crate) fn eat(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        if token.ends_with(is_word) && rest.starts_with(is_word) {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }

    pub(crate) fn need(&mut self, token: &str) -> Result<(), Problem> {
        if self.eat(token) { Ok(()) } else { Err(format!("`{token}` is missing before `{}`", self.rest)) }
    }

    pub(crate) fn end(&self) -> Result<(), Problem> {
        if self.is_empty() { Ok(()) } else { Err(format!("cannot read `{}`", self.rest)) }
    }

    /// Letters, digits, and what names are joined with.
    pub(crate) fn word(&mut self) -> Result<&'a str, Problem> {
        self.take_while(is_word, "a word")
    }

    pub(crate) fn number<N: std::str::FromStr>(&mut self) -> Result<N, Problem> {
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '-' || c == '+', "a number")?;
        digits.parse().map_err(|_| format!("`{digits}` is not a number that fits here"))
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, Problem> {
        match self.word()? {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("`{other}` is neither true nor false")),
        }
    }

    /// A word, or anything in quotes.
    pub(crate) fn text(&mut self) -> Result<&'a str, Problem> {
        match self.rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((text, rest)) => {
                self.rest = rest.trim_start();
                Ok(text)
            }
            None => self.word(),
        }
    }

    /// Items between two brackets, separated by commas.
    pub(crate) fn list<T>(
        &mut self,
        brackets: [&str; 2],
        mut item: impl FnMut(&mut Self) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        self.need(brackets[0])?;
        let mut items = Vec::new();
        while !self.eat(brackets[1]) {
            if !items.is_empty() {
                self.need(",")?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// From `{` to the `}` that belongs to it, both included.
    pub(crate) fn braces(&mut self) -> Result<&'a str, Problem> {
        let (mut depth, mut quoted) = (0_usize, false);
        for (at, c) in self.rest.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '{' if !quoted => depth += 1,
                '}' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                let (taken, rest) = self.rest.split_at(at + c.len_utf8());
                if taken.starts_with('{') {
                    self.rest = rest.trim_start();
                    return Ok(taken);
                }
                break;
            }
        }
        Err(format!("a text in braces is missing before `{}`", self.rest))
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a str {
        std::mem::take(&mut self.rest)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool, what: &str) -> Result<&'a str, Problem> {
        let length = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        if length == 0 {
            return Err(format!("{what} is missing before `{}`", self.rest));
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest.trim_start();
        Ok(taken)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
