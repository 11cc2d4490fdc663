//! From a method and a path to the route that serves them: a tree whose edges are path segments.

use std::collections::HashMap;

use http::Method;

use super::path_template::{PathTemplate, Segment};

/// Routes by method and path. Where several match, a literal segment goes before `*`, and `*` before `**`; among
/// equals the route that was added last.
#[derive(Debug, Default)]
pub(super) struct RouteTable {
    without_verb: Node,
    /// `:verb` is the last edge, so it is the first to be looked at: `/carts/{id}:clear` goes before `/carts/{id}`.
    by_verb: HashMap<String, Node>,
}

/// Which HTTP methods a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    One(Method),
    Any,
}

/// What a method and a path lead to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The index under which the route was added.
    Route(usize),
    /// The path is known, but only with these methods.
    OtherMethods(Vec<Method>),
    Nothing,
}

/// A place in the tree. Every node is reached by one way only, so that a lookup visits none twice: its cost is
/// bounded by the templates, whatever the path.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    one: Option<Box<Node>>,
    /// Routes that end with `**` here.
    rest: Leaf,
    /// Routes that end here.
    end: Leaf,
}

type Leaf = Vec<(Verb, usize)>;

impl RouteTable {
    /// Adds a route; returns the one that it replaces, because both match the same requests.
    pub(super) fn insert(&mut self, verb: Verb, template: &PathTemplate, route: usize) -> Option<usize> {
        let mut node = match &template.verb {
            None => &mut self.without_verb,
            Some(verb) => self.by_verb.entry(verb.clone()).or_default(),
        };
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::One => node.one.get_or_insert_default(),
                Segment::Rest => return replace(&mut node.rest, verb, route),
            };
        }
        replace(&mut node.end, verb, route)
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Found {
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let mut search = Search { method, others: Vec::new(), colon_ends_segment: true };
        let with_verb = path
            .rsplit_once(':')
            .and_then(|(path, verb)| self.by_verb.get(verb)?.find(Some(path), &mut search));
        search.colon_ends_segment = false;
        match with_verb.or_else(|| self.without_verb.find(Some(path), &mut search)) {
            Some(route) => Found::Route(route),
            None if search.others.is_empty() => Found::Nothing,
            None => Found::OtherMethods(search.others),
        }
    }
}

fn replace(leaf: &mut Leaf, verb: Verb, route: usize) -> Option<usize> {
    let replaced = leaf.iter().position(|(earlier, _)| *earlier == verb).map(|at| leaf.remove(at).1);
    leaf.push((verb, route));
    replaced
}

struct Search<'a> {
    method: &'a Method,
    /// The methods of routes that match but for their method.
    others: Vec<Method>,
    /// In templates with a verb, a variable stops at a colon.
    colon_ends_segment: bool,
}

impl Node {
    /// The route below this node that matches `rest`, the path after the last slash; none: the path is used up.
    fn find(&self, rest: Option<&str>, search: &mut Search<'_>) -> Option<usize> {
        let Some(rest) = rest else { return search.choose(&self.end) };
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        if let Some(route) = self.literals.get(segment).and_then(|node| node.find(after, search)) {
            return Some(route);
        }
        if let Some(node) = &self.one
            && !(search.colon_ends_segment && segment.contains(':'))
            && let Some(route) = node.find(after, search)
        {
            return Some(route);
        }
        search.choose(&self.rest)
    }
}

impl Search<'_> {
    /// The route for the method: its own, or one for any method, or, for HEAD, that of GET.
    fn choose(&mut self, leaf: &Leaf) -> Option<usize> {
        let own = |method: &Method| route_of(leaf, |verb| matches!(verb, Verb::One(one) if one == method));
        let found = own(self.method)
            .or_else(|| route_of(leaf, |verb| *verb == Verb::Any))
            .or_else(|| if self.method == Method::HEAD { own(&Method::GET) } else { None });
        if found.is_none() {
            self.note_methods(leaf);
        }
        found
    }

    fn note_methods(&mut self, leaf: &Leaf) {
        for (verb, _) in leaf {
            if let Verb::One(method) = verb
                && !self.others.contains(method)
            {
                self.others.push(method.clone());
            }
        }
    }
}

fn route_of(leaf: &Leaf, matches: impl Fn(&Verb) -> bool) -> Option<usize> {
    leaf.iter().find(|(verb, _)| matches(verb)).map(|(_, route)| *route)
}

#[cfg(test)]
mod tests;
