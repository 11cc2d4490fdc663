use http_path_template::{Grammar, PathTemplate as Oracle, Segment as OracleSegment};
use proptest::prelude::*;

use super::{InvalidTemplate::*, *};

#[test]
fn what_is_no_template_is_refused() {
    let cases = [
        ("", NoLeadingSlash),
        ("carts", NoLeadingSlash),
        ("/carts/{id", UnclosedVariable),
        ("/{", UnclosedVariable),
        ("/{a={b}}", NestedVariable),
        ("/carts/x{id}", InvalidLiteral),
        ("/carts/{id}x", PartialVariable),
        ("/carts/{id}{name}", PartialVariable),
        ("/carts/{}", InvalidFieldName),
        ("/carts/{1d}", InvalidFieldName),
        ("/carts/{a..b}", InvalidFieldName),
        ("/carts/{a.}", InvalidFieldName),
        ("/carts/{user-id}", InvalidFieldName),
        ("/carts/{id=}", EmptyVariable),
        ("/**/items", RestNotLast),
        ("/{id=**}/items", RestNotLast),
        ("/{id=**/items}", RestNotLast),
        ("/**/**", RestNotLast),
        ("/carts/a*", InvalidLiteral),
        ("/carts/***", InvalidLiteral),
        ("/carts/a}", InvalidLiteral),
        ("/carts?all", InvalidLiteral),
        ("/carts#all", InvalidLiteral),
        ("/carts\n", InvalidLiteral),
        ("/{id=a:b}", InvalidLiteral),
        ("/carts:", InvalidVerb),
        ("/carts:clear/items", InvalidVerb),
        ("/carts:clear:all", InvalidVerb),
        ("/carts:{id}", InvalidVerb),
        ("/carts:*", InvalidVerb),
    ];
    for (template, expected) in cases {
        assert_eq!(PathTemplate::parse(template), Err(expected), "{template:?}");
    }
    assert!(PathTemplate::parse(&"/a".repeat(100)).is_ok());
    assert_eq!(PathTemplate::parse(&"/a".repeat(101)), Err(TooLong));
}

#[test]
fn variables_capture_what_their_segments_match() {
    type Captures = &'static [(&'static str, &'static str)];
    let cases: &[(&str, &str, Captures)] = &[
        ("/carts", "/carts", &[]),
        ("/carts/{user_id}", "/carts/u1", &[("user_id", "u1")]),
        ("/carts/{user_id}", "/carts/", &[("user_id", "")]),
        ("/carts/{user_id}", "/carts/a+b%20c:d", &[("user_id", "a+b%20c:d")]),
        ("/{a}/x/{b}", "/1/x/2", &[("a", "1"), ("b", "2")]),
        ("/{a}/*/{b}", "/1/any/2", &[("a", "1"), ("b", "2")]),
        ("/{a.b.c}", "/deep", &[("a.b.c", "deep")]),
        ("/{name=shelves/*}", "/shelves/s1", &[("name", "shelves/s1")]),
        (
            "/v1/{name=shelves/*/books/*}/{id}",
            "/v1/shelves/s/books/b/9",
            &[("name", "shelves/s/books/b"), ("id", "9")],
        ),
        ("/files/{path=**}", "/files/a/b/c", &[("path", "a/b/c")]),
        ("/files/{path=**}", "/files/", &[("path", "")]),
        ("/files/{path=home/**}", "/files/home/a/b", &[("path", "home/a/b")]),
        ("/carts/{id}:clear", "/carts/u1:clear", &[("id", "u1")]),
        ("/files/{path=**}:read", "/files/a:b/c:read", &[("path", "a:b/c")]),
        ("/", "/", &[]),
        ("/{all}", "/", &[("all", "")]),
        ("/carts/{id}/", "/carts/u1/", &[("id", "u1")]),
    ];
    for (template, path, expected) in cases {
        let parsed = PathTemplate::parse(template).unwrap();
        let names = parsed.variables.iter().map(|variable| variable.field.as_str());
        let captures: Vec<(&str, &str)> = names.zip(parsed.captures(path)).collect();
        assert_eq!(captures, *expected, "{template} on {path}");
    }
}

#[test]
fn literals_are_kept_as_clients_send_them() {
    let literal = |template| PathTemplate::parse(template).unwrap().segments.remove(0);
    assert_eq!(literal("/café"), Segment::Literal("caf%C3%A9".to_owned()));
    assert_eq!(literal("/a b"), Segment::Literal("a%20b".to_owned()));
    assert_eq!(literal("/a%20b"), Segment::Literal("a%20b".to_owned()));
    assert_eq!(
        literal("/com.example.Cart@~!$&'()+,;="),
        Segment::Literal("com.example.Cart@~!$&'()+,;=".to_owned())
    );
}

/// The oracle's reading of a template, in our form; none if it refuses the template.
fn oracle(template: &str) -> Option<PathTemplate> {
    let oracle = Oracle::parse(template, Grammar::default()).ok()?;
    let mut segments = Vec::new();
    let mut variables = Vec::new();
    for segment in oracle.segments() {
        match segment {
            OracleSegment::Variable(variable) => {
                let start = segments.len();
                segments.extend(variable.segments().map(plain));
                variables.push(Variable {
                    field: variable.field_path().to_owned(),
                    segments: start..segments.len(),
                });
            }
            plain_segment => segments.push(plain(*plain_segment)),
        }
    }
    Some(PathTemplate { segments, variables, verb: oracle.verb().map(str::to_owned) })
}

fn plain(segment: OracleSegment<'_>) -> Segment {
    match segment {
        OracleSegment::Literal(literal) => Segment::Literal(literal.to_owned()),
        OracleSegment::Single => Segment::One,
        OracleSegment::Rest => Segment::Rest,
        other => panic!("not in the strict grammar: {other:?}"),
    }
}

/// We accept more than the oracle in one respect: empty segments, which the reference proxy has, too.
fn has_empty_segment(template: &PathTemplate) -> bool {
    template.segments.contains(&Segment::Literal(String::new()))
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z][a-z0-9.]{0,5}",
        1 => Just("*".to_owned()),
        1 => Just("**".to_owned()),
        2 => "[a-z_]{1,4}(\\.[a-z]{1,3})?".prop_map(|field| format!("{{{field}}}")),
        1 => ("[a-z]{1,4}", "(([a-z]{1,3}|\\*)/){0,2}([a-z]{1,3}|\\*|\\*\\*)")
            .prop_map(|(field, inner)| format!("{{{field}={inner}}}")),
    ]
}

fn template() -> impl Strategy<Value = String> {
    (prop::collection::vec(segment(), 1..6), prop::option::of("[a-z]{1,5}")).prop_map(|(segments, verb)| {
        let verb = verb.map_or(String::new(), |verb| format!(":{verb}"));
        format!("/{}{verb}", segments.join("/"))
    })
}

proptest! {
    #[test]
    fn templates_are_read_as_by_an_independent_parser(template in template()) {
        prop_assert_eq!(PathTemplate::parse(&template).ok(), oracle(&template));
    }

    #[test]
    fn so_are_strings_that_are_nearly_templates(text in "/?([a-z/*{}=.:]|\\*\\*|\\{a\\}|\\{a=){0,12}") {
        match PathTemplate::parse(&text) {
            Ok(ours) if has_empty_segment(&ours) => {}
            ours => prop_assert_eq!(ours.ok(), oracle(&text)),
        }
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>(), path in any::<String>()) {
        if let Ok(template) = PathTemplate::parse(&text) {
            // Only paths that match are promised captures, but no path may do harm.
            let path = format!("/{path}{}", template.verb.as_ref().map_or(String::new(), |verb| format!(":{verb}")));
            prop_assert_eq!(template.captures(&path).count(), template.variables.len());
        }
    }
}
