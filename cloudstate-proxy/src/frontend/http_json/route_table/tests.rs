use proptest::prelude::*;

use super::*;

/// A table of routes such as `GET /carts/{id}`; `*` stands for any method.
fn table(routes: &[&str]) -> RouteTable {
    let mut table = RouteTable::default();
    for (index, route) in routes.iter().enumerate() {
        let (verb, template) = route.split_once(' ').unwrap();
        let verb = if verb == "*" { Verb::Any } else { Verb::One(verb.parse().unwrap()) };
        table.insert(verb, &PathTemplate::parse(template).unwrap(), index);
    }
    table
}

/// The route that serves a request such as `GET /carts/u1`; `405 GET, POST` or `404` if there is none.
fn find(routes: &[&str], request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    match table(routes).find(&method.parse().unwrap(), path) {
        Found::Route(index) => routes[index].to_owned(),
        Found::OtherMethods(methods) => {
            format!("405 {}", methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", "))
        }
        Found::Nothing => "404".to_owned(),
    }
}

#[track_caller]
fn check(routes: &[&str], expected: &[(&str, &str)]) {
    for (request, route) in expected {
        assert_eq!(find(routes, request), *route, "{request} among {routes:?}");
    }
}

#[test]
fn templates_match_whole_paths() {
    check(
        &["GET /carts/{id}", "GET /carts", "GET /files/{path=**}", "GET /v1/{name=shelves/*}/books"],
        &[
            ("GET /carts", "GET /carts"),
            ("GET /carts/", "GET /carts/{id}"),
            ("GET /carts/u1", "GET /carts/{id}"),
            ("GET /carts/u1:x", "GET /carts/{id}"),
            ("GET /carts/u1/", "404"),
            ("GET /carts/u1/items", "404"),
            ("GET /Carts", "404"),
            ("GET /cart", "404"),
            ("GET /files", "404"),
            ("GET /files/", "GET /files/{path=**}"),
            ("GET /files/a//b/", "GET /files/{path=**}"),
            ("GET /v1/shelves/1/books", "GET /v1/{name=shelves/*}/books"),
            ("GET /v1/tables/1/books", "404"),
            ("GET carts", "404"),
            ("GET *", "404"),
        ],
    );
}

#[test]
fn the_more_literal_route_is_first_and_then_the_last_declared() {
    check(
        &["GET /a/{x}/c", "GET /a/b/{y}", "GET /{z=**}", "GET /a/*", "GET /{q}/b"],
        &[
            ("GET /a/b/c", "GET /a/b/{y}"),
            ("GET /a/x/c", "GET /a/{x}/c"),
            ("GET /a/x/d", "GET /{z=**}"),
            ("GET /a/b", "GET /a/*"),
            ("GET /x/b", "GET /{q}/b"),
            ("GET /a", "GET /{z=**}"),
        ],
    );
    check(&["GET /carts/{id}", "GET /carts/{other}"], &[("GET /carts/1", "GET /carts/{other}")]);
}

#[test]
fn a_verb_is_part_of_the_route() {
    check(
        &["POST /carts/{id}:clear", "POST /carts/{id}", "POST /{all=**}:count"],
        &[
            ("POST /carts/u1:clear", "POST /carts/{id}:clear"),
            ("POST /carts/u1:count", "POST /{all=**}:count"),
            ("POST /carts/u1:other", "POST /carts/{id}"),
            // In a template with a verb, a variable ends at the colon.
            ("POST /carts/u:1:clear", "POST /carts/{id}"),
            ("POST /carts/u%3A1:clear", "POST /carts/{id}:clear"),
            ("POST /carts:clear/u1", "404"),
            ("POST /a:b/c:count", "POST /{all=**}:count"),
        ],
    );
}

#[test]
fn methods_choose_among_routes_of_one_path() {
    check(
        &["GET /carts/{id}", "DELETE /carts/{id}", "POST /carts/special", "* /any/{id}", "PUT /any/{id}"],
        &[
            ("DELETE /carts/1", "DELETE /carts/{id}"),
            ("PUT /carts/1", "405 GET, DELETE"),
            ("OPTIONS /carts/1", "405 GET, DELETE"),
            ("GET /carts/special", "GET /carts/{id}"),
            ("PUT /carts/special", "405 POST, GET, DELETE"),
            ("HEAD /carts/1", "GET /carts/{id}"),
            ("PATCH /any/1", "* /any/{id}"),
            ("HEAD /any/1", "* /any/{id}"),
            ("PUT /any/1", "PUT /any/{id}"),
        ],
    );
}

/// Slow and plain: whether a template matches a path, by the definition.
fn matches(template: &PathTemplate, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let path = match &template.verb {
        None => path,
        Some(verb) => match path.rsplit_once(':') {
            Some((path, suffix)) if suffix == verb => path,
            _ => return false,
        },
    };
    let mut parts = path.split('/');
    for segment in &template.segments {
        let Some(part) = parts.next() else { return false };
        match segment {
            Segment::Literal(literal) if literal != part => return false,
            Segment::One if template.verb.is_some() && part.contains(':') => return false,
            Segment::Rest => return true,
            _ => {}
        }
    }
    parts.next().is_none()
}

proptest! {
    #[test]
    fn a_route_is_found_exactly_when_some_template_matches(
        templates in prop::collection::vec("(/(a|b|\\*)){1,3}(/\\*\\*)?(:v)?", 1..8),
        path in "(/(a|b|c|a:v|)){0,5}(:v|:w)?",
    ) {
        let routes: Vec<String> = templates.iter().map(|template| format!("GET {template}")).collect();
        let routes: Vec<&str> = routes.iter().map(String::as_str).collect();
        let parsed: Vec<PathTemplate> =
            templates.iter().map(|template| PathTemplate::parse(template).unwrap()).collect();
        match table(&routes).find(&Method::GET, &path) {
            Found::Route(index) => prop_assert!(matches(&parsed[index], &path)),
            found => {
                prop_assert_eq!(found, Found::Nothing);
                prop_assert!(!parsed.iter().any(|template| matches(template, &path)));
            }
        }
    }

    #[test]
    fn no_path_is_too_strange(path in any::<String>(), slashes in 0_usize..10_000) {
        let table = table(&["GET /a/{x}/c", "GET /{q}/b:v", "GET /a/*/*/*"]);
        table.find(&Method::GET, &path);
        prop_assert_eq!(table.find(&Method::GET, &"/".repeat(slashes + 5)), Found::Nothing);
    }
}
