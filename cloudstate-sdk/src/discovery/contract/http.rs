//! The rules by which an rpc is called over HTTP: the option `google.api.http`.

use std::collections::{HashMap, HashSet};

use cloudstate_proto::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, Label, ServiceDescriptorProto, Type,
};
use cloudstate_proto::google::api::{HttpRule, http_rule::Pattern};

use super::path_template::{PathTemplate, Shape};
use super::{Contract, field, full_name};

/// What the rules of an rpc may name fields of.
pub(super) struct Messages<'a> {
    pub(super) contract: &'a Contract<'a>,
    pub(super) input: &'a DescriptorProto,
    pub(super) output: Option<&'a DescriptorProto>,
}

/// By which routes rpcs are reached already.
#[derive(Default)]
pub(super) struct Routes<'a>(HashMap<Shape<'a>, Vec<Taken<'a>>>);

struct Taken<'a> {
    /// `*` is every one.
    method: &'a str,
    rpc: String,
}

impl<'a> Routes<'a> {
    /// Adds those of a service, and finds the ones that lead to another rpc: a request cannot be for both.
    pub(super) fn add(
        &mut self,
        file: &FileDescriptorProto,
        service: &'a ServiceDescriptorProto,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        let service_name = full_name(&file.package, &service.name);
        for method in &service.method {
            let Some(rule) = method.options.as_ref().and_then(|options| options.http.as_ref()) else {
                continue;
            };
            let rpc = format!("{service_name}.{}", method.name);
            for binding in std::iter::once(rule).chain(&rule.additional_bindings) {
                if let Some(other) = self.take(binding, &rpc) {
                    let route = format!("{} {}", http_method(binding), path_of(binding));
                    problems.push(format!(
                        "{}: {rpc}: its HTTP route `{route}` is that of {other} already; a request cannot be for both",
                        file.name
                    ));
                }
            }
        }
        problems
    }

    /// Who has it already. A rule that cannot be read has a problem of its own.
    fn take(&mut self, binding: &'a HttpRule, rpc: &str) -> Option<String> {
        let shape = PathTemplate::parse(path_of(binding)).ok()?.shape;
        let method = http_method(binding);
        let taken = self.0.entry(shape).or_default();
        let other = taken.iter().find(|taken| taken.method == method || taken.method == "*" || method == "*");
        let other = other.map(|taken| taken.rpc.clone());
        taken.push(Taken { method, rpc: rpc.to_owned() });
        other
    }
}

impl Messages<'_> {
    /// Of the rule of an rpc and its additional bindings.
    pub(super) fn rule_problems(&self, rule: &HttpRule) -> Vec<String> {
        let mut problems = self.binding_problems(rule);
        for additional in &rule.additional_bindings {
            problems.extend(self.binding_problems(additional));
            if !additional.additional_bindings.is_empty() {
                problems.push(format!(
                    "the additional HTTP binding `{}` has additional bindings itself; list them beside it",
                    path_of(additional)
                ));
            }
        }
        problems
    }

    fn binding_problems(&self, rule: &HttpRule) -> Vec<String> {
        let mut problems: Vec<String> = pattern_problem(rule).into_iter().collect();
        if rule.pattern.is_some() {
            problems.extend(self.path_problems(path_of(rule)));
        }
        problems.extend(self.body_problem(&rule.body));
        problems.extend(self.response_body_problem(&rule.response_body));
        problems
    }

    fn path_problems(&self, path: &str) -> Vec<String> {
        let template = match PathTemplate::parse(path) {
            Ok(template) => template,
            Err(problem) => return vec![format!("the HTTP path `{path}` {problem}")],
        };
        let mut bound = HashSet::new();
        let problem = |variable| {
            if !bound.insert(variable) {
                return Some(format!("the HTTP path `{path}` binds `{variable}` twice"));
            }
            let reason = self.scalar_at(self.input, variable).err()?;
            Some(format!("the HTTP path `{path}` binds `{variable}`, {reason}"))
        };
        template.variables.into_iter().filter_map(problem).collect()
    }

    /// A path variable is one scalar field, or one inside messages: `a.b`.
    fn scalar_at(&self, message: &DescriptorProto, path: &str) -> Result<(), String> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let found = field(message, name).ok_or_else(|| format!("which is no field of `{}`", message.name))?;
        if is_repeated(found) {
            return Err("which is a repeated field".into());
        }
        if found.r#type == Type::Enum as i32 {
            return Err("which is an enum, not a scalar".into());
        }
        let is_message = found.r#type == Type::Message as i32;
        let nested = is_message.then(|| self.contract.message(&found.type_name)).flatten();
        match (rest, nested) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err("which is a message, not a scalar".into()),
            (Some(rest), Some(nested)) => self.scalar_at(nested, rest),
            (Some(_), None) => Err(format!("but `{name}` is not a message")),
        }
    }

    fn body_problem(&self, body: &str) -> Option<String> {
        if body.is_empty() || body == "*" {
            return None;
        }
        match field(self.input, body) {
            None => Some(format!(
                "the HTTP body is `{body}`, which is no field of the request `{}`",
                self.input.name
            )),
            Some(field) if is_repeated(field) => {
                Some(format!("the HTTP body is `{body}`, which is a repeated field"))
            }
            Some(_) => None,
        }
    }

    fn response_body_problem(&self, response_body: &str) -> Option<String> {
        let output = self.output?;
        if response_body.is_empty() || field(output, response_body).is_some() {
            return None;
        }
        Some(format!(
            "the HTTP response body is `{response_body}`, which is no field of the reply `{}`",
            output.name
        ))
    }
}

fn pattern_problem(rule: &HttpRule) -> Option<String> {
    let path = path_of(rule);
    match &rule.pattern {
        None => Some("an HTTP rule has no path; write, for example, `get: \"/things/{id}\"`".into()),
        Some(Pattern::Custom(custom)) if custom.kind != "*" => Some(format!(
            "the HTTP rule for `{path}` is for the method `{}`; other than get, put, post, delete and patch only \
             `*`, which is any, can be served",
            custom.kind
        )),
        Some(_) => None,
    }
}

fn http_method(rule: &HttpRule) -> &str {
    match &rule.pattern {
        Some(Pattern::Get(_)) => "GET",
        Some(Pattern::Put(_)) => "PUT",
        Some(Pattern::Post(_)) => "POST",
        Some(Pattern::Delete(_)) => "DELETE",
        Some(Pattern::Patch(_)) => "PATCH",
        Some(Pattern::Custom(custom)) => &custom.kind,
        None => "",
    }
}

fn is_repeated(field: &FieldDescriptorProto) -> bool {
    field.label == Label::Repeated as i32
}

fn path_of(rule: &HttpRule) -> &str {
    match &rule.pattern {
        Some(
            Pattern::Get(path)
            | Pattern::Put(path)
            | Pattern::Post(path)
            | Pattern::Delete(path)
            | Pattern::Patch(path),
        ) => path,
        Some(Pattern::Custom(custom)) => &custom.path,
        None => "",
    }
}
