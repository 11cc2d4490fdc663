//! Path templates of HTTP rules: `/shop/{id}/items/{name=a/*}:verb`.

/// What a template says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PathTemplate<'a> {
    /// Which paths it matches, whatever its variables are called.
    pub(super) shape: Shape<'a>,
    /// The fields that it binds.
    pub(super) variables: Vec<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape<'a> {
    segments: Vec<Segment<'a>>,
    verb: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Segment<'a> {
    Literal(&'a str),
    /// `*`
    One,
    /// `**`
    Rest,
}

impl<'a> PathTemplate<'a> {
    /// The error is what follows "the HTTP path ..".
    pub(super) fn parse(template: &'a str) -> Result<Self, String> {
        let mut rest = template.strip_prefix('/').ok_or("does not begin with `/`")?;
        let (mut segments, mut variables, mut verb) = (Vec::new(), Vec::new(), None);
        loop {
            rest = match rest.strip_prefix('{') {
                Some(variable) => {
                    let (variable, rest) = variable.split_once('}').ok_or("has a `{` without a `}`")?;
                    variables.push(parse_variable(variable, &mut segments)?);
                    rest
                }
                None => {
                    let (segment, rest) = rest.split_at(rest.find(['/', ':']).unwrap_or(rest.len()));
                    segments.push(Segment::parse(segment)?);
                    rest
                }
            };
            match rest.split_at_checked(1) {
                None => break,
                Some(("/", next)) => rest = next,
                Some((":", last)) => {
                    verb = Some(parse_verb(last)?);
                    break;
                }
                Some(_) => return Err(format!("goes on with `{rest}` after a variable; a `/` comes first")),
            }
        }
        if segments.iter().rev().skip(1).any(|segment| *segment == Segment::Rest) {
            return Err("goes on after `**`, which stands for all the rest".into());
        }
        Ok(Self { shape: Shape { segments, verb }, variables })
    }
}

/// `a.b`, or `a.b=c/*`.
fn parse_variable<'a>(variable: &'a str, segments: &mut Vec<Segment<'a>>) -> Result<&'a str, String> {
    if variable.contains('{') {
        return Err("has a variable inside a variable".into());
    }
    let (name, pattern) = variable.split_once('=').unwrap_or((variable, "*"));
    if !name.split('.').all(is_identifier) {
        return Err(format!("binds `{name}`, which is no name of a field"));
    }
    for segment in pattern.split('/') {
        segments.push(Segment::parse(segment)?);
    }
    Ok(name)
}

fn parse_verb(verb: &str) -> Result<&str, String> {
    if verb.is_empty() || verb.contains(['*', '{', '}', '/', ':', '\n']) {
        return Err(format!("ends in `:{verb}`, which is no verb"));
    }
    Ok(verb)
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl<'a> Segment<'a> {
    fn parse(segment: &'a str) -> Result<Self, String> {
        match segment {
            "*" => Ok(Self::One),
            "**" => Ok(Self::Rest),
            _ if segment.contains('*') => {
                Err(format!("has `{segment}`; a `*` or `**` stands alone between two `/`"))
            }
            _ => match segment.chars().find(|c| ['{', '}', ':', '\n'].contains(c)) {
                Some(character) => Err(format!("has {character:?} in `{segment}`")),
                None => Ok(Self::Literal(segment)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_those_of_the_protocol() {
        for (template, variables) in [
            ("/", &[][..]),
            ("/a/b/", &[]),
            ("/{id}", &["id"]),
            ("/a/{id}/{to.city}:buy", &["id", "to.city"]),
            ("/{id=shops/*}/x", &["id"]),
            ("/a/{rest=b/**}", &["rest"]),
            ("/a/**", &[]),
            ("/*/b:c", &[]),
            ("/h\u{e9}llo", &[]),
        ] {
            assert_eq!(PathTemplate::parse(template).map(|parsed| parsed.variables), Ok(variables.to_vec()));
        }
    }

    #[test]
    fn what_is_none_is_explained() {
        for (template, problem) in [
            ("", "does not begin with `/`"),
            ("a/b", "does not begin with `/`"),
            ("/{id", "has a `{` without a `}`"),
            ("/id}", "has '}' in `id}`"),
            ("/x{id}", "has '{' in `x{id}`"),
            ("/{a{b}}", "has a variable inside a variable"),
            ("/{}", "binds ``, which is no name of a field"),
            ("/{1a}", "binds `1a`, which is no name of a field"),
            ("/{a.}", "binds `a.`, which is no name of a field"),
            ("/{a}b", "goes on with `b` after a variable; a `/` comes first"),
            ("/{a=b:c}", "has ':' in `b:c`"),
            ("/a*", "has `a*`; a `*` or `**` stands alone between two `/`"),
            ("/{a=***}", "has `***`; a `*` or `**` stands alone between two `/`"),
            ("/**/a", "goes on after `**`, which stands for all the rest"),
            ("/{a=**}/b", "goes on after `**`, which stands for all the rest"),
            ("/a:", "ends in `:`, which is no verb"),
            ("/a:b/c", "ends in `:b/c`, which is no verb"),
        ] {
            assert_eq!(PathTemplate::parse(template), Err(problem.to_owned()), "{template}");
        }
    }

    #[test]
    fn names_of_variables_do_not_make_another_path() {
        let shape = |template| PathTemplate::parse(template).unwrap().shape;
        assert_eq!(shape("/a/{id}"), shape("/a/{other=*}"));
        assert_eq!(shape("/a/{id=b/*}"), shape("/a/b/*"));
        assert_ne!(shape("/a/{id}"), shape("/a/{id}:b"));
        assert_ne!(shape("/a/{id}"), shape("/a/{id=**}"));
    }
}
