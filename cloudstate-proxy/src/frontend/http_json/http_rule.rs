//! The rules of `google.api.http`, validated against the messages they speak of.

use std::{fmt, sync::Arc};

use cloudstate_proto::google::api::{HttpRule, http_rule::Pattern};
use http::Method as HttpMethod;

use super::{path_template::PathTemplate, route_table::Verb};
use crate::{
    schema::{Field, FieldKind, FieldPath, MessageType, Schema},
    service_catalog::Method,
};

/// One way to call an rpc over HTTP.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) method: Arc<Method>,
    pub(super) verb: Verb,
    /// The template as it was written.
    pub(super) path: String,
    pub(super) template: PathTemplate,
    /// The fields of the template's variables, in their order.
    pub(super) variables: Vec<FieldPath>,
    pub(super) body: BodyRule,
    /// The only field of the reply that is sent; none: all of it.
    pub(super) response_body: Option<Field>,
    pub(super) input: MessageType,
    pub(super) output: MessageType,
}

/// What the body of a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BodyRule {
    /// Nothing: fields come from the query.
    Nothing,
    /// The whole request message.
    Message,
    /// One field of it, which holds a message.
    Field(Field, MessageType),
}

impl BodyRule {
    /// Whether the body decides about the field, so that the query must not.
    pub(super) fn decides(&self, path: &FieldPath) -> bool {
        match self {
            BodyRule::Nothing => false,
            BodyRule::Message => true,
            BodyRule::Field(field, _) => path.first() == *field,
        }
    }
}

/// A rule of `google.api.http` that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHttpRule {
    service: String,
    rpc: String,
    rule: String,
    reason: String,
}

impl fmt::Display for InvalidHttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, rpc, rule, reason } = self;
        write!(f, "the HTTP rule `{rule}` of rpc {rpc} in service {service} is invalid: {reason}")
    }
}

impl std::error::Error for InvalidHttpRule {}

/// All bindings of an rpc: its rule with the additional ones, or the default if it has none.
pub(super) fn bindings_of(method: &Arc<Method>, schema: &Schema) -> Result<Vec<Binding>, InvalidHttpRule> {
    let default = default_rule(method);
    let rule = method.http.as_ref().unwrap_or(&default);
    let additional = rule.additional_bindings.iter().map(|rule| (rule, true));
    [(rule, false)]
        .into_iter()
        .chain(additional)
        .map(|(rule, is_additional)| {
            binding(method, schema, rule, is_additional).map_err(|reason| InvalidHttpRule {
                service: method.service.name.to_string(),
                rpc: method.name.to_string(),
                rule: describe(rule),
                reason,
            })
        })
        .collect()
}

fn default_rule(method: &Method) -> HttpRule {
    HttpRule { pattern: Some(Pattern::Post(method.path())), body: "*".to_owned(), ..HttpRule::default() }
}

fn binding(
    method: &Arc<Method>,
    schema: &Schema,
    rule: &HttpRule,
    is_additional: bool,
) -> Result<Binding, String> {
    if is_additional && !rule.additional_bindings.is_empty() {
        return Err("an additional binding must not have additional bindings itself".to_owned());
    }
    check_selector(method, &rule.selector)?;
    let (verb, path) = verb_and_path(rule)?;
    let template = PathTemplate::parse(&path).map_err(|error| error.to_string())?;
    let input = message_type(schema, &method.input_type)?;
    let output = message_type(schema, &method.output_type)?;
    Ok(Binding {
        variables: variables(&template, &input)?,
        body: body_rule(&rule.body, &input)?,
        response_body: response_body(&rule.response_body, &output)?,
        method: method.clone(),
        verb,
        path,
        template,
        input,
        output,
    })
}

fn check_selector(method: &Method, selector: &str) -> Result<(), String> {
    let name = format!("{}.{}", method.service.name, method.name);
    if selector.is_empty() || selector == name {
        Ok(())
    } else {
        Err(format!("its selector is `{selector}`: leave it out, or make it `{name}`"))
    }
}

fn verb_and_path(rule: &HttpRule) -> Result<(Verb, String), String> {
    let (method, path) = match &rule.pattern {
        Some(Pattern::Get(path)) => (HttpMethod::GET, path),
        Some(Pattern::Put(path)) => (HttpMethod::PUT, path),
        Some(Pattern::Post(path)) => (HttpMethod::POST, path),
        Some(Pattern::Delete(path)) => (HttpMethod::DELETE, path),
        Some(Pattern::Patch(path)) => (HttpMethod::PATCH, path),
        Some(Pattern::Custom(custom)) if custom.kind == "*" => return Ok((Verb::Any, custom.path.clone())),
        Some(Pattern::Custom(custom)) => {
            return Err(format!(
                "the custom kind `{}` is not supported, only `*` for any method",
                custom.kind
            ));
        }
        None => return Err("it has no pattern: one of get, put, post, delete, patch or custom".to_owned()),
    };
    Ok((Verb::One(method), path.clone()))
}

fn message_type(schema: &Schema, name: &str) -> Result<MessageType, String> {
    schema.message_type(name).ok_or_else(|| format!("the descriptor set has no message {name}"))
}

fn variables(template: &PathTemplate, input: &MessageType) -> Result<Vec<FieldPath>, String> {
    let mut variables: Vec<FieldPath> = Vec::with_capacity(template.variables.len());
    for variable in &template.variables {
        let name = &variable.field;
        let path = input.field_path(name).map_err(|error| format!("path variable `{name}`: {error}"))?;
        let leaf = path.leaf();
        let refused = match leaf.kind() {
            _ if leaf.is_map() => "a map",
            _ if leaf.is_list() => "a repeated field",
            FieldKind::Message(_) => "a message",
            FieldKind::Enum(_) => "an enum",
            _ if variables.contains(&path) => return Err(format!("path variable `{name}` occurs twice")),
            _ => {
                variables.push(path);
                continue;
            }
        };
        return Err(format!(
            "path variable `{name}` is {refused}; a path can carry numbers, bool, string and bytes"
        ));
    }
    Ok(variables)
}

fn body_rule(body: &str, input: &MessageType) -> Result<BodyRule, String> {
    match body {
        "" => return Ok(BodyRule::Nothing),
        "*" => return Ok(BodyRule::Message),
        _ => {}
    }
    let field =
        input.field(body).ok_or_else(|| format!("body: {} has no field `{body}`", input.full_name()))?;
    match field.kind() {
        FieldKind::Message(message) if !field.is_list() && !field.is_map() => {
            Ok(BodyRule::Field(field, message))
        }
        _ => Err(format!("body: `{body}` must be a single message field, or `*` for the whole message")),
    }
}

fn response_body(name: &str, output: &MessageType) -> Result<Option<Field>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    match output.field(name) {
        Some(field) => Ok(Some(field)),
        None => Err(format!("response_body: {} has no field `{name}`", output.full_name())),
    }
}

/// The rule as a person would write it on one line.
fn describe(rule: &HttpRule) -> String {
    match &rule.pattern {
        Some(Pattern::Get(path)) => format!("get: {path}"),
        Some(Pattern::Put(path)) => format!("put: {path}"),
        Some(Pattern::Post(path)) => format!("post: {path}"),
        Some(Pattern::Delete(path)) => format!("delete: {path}"),
        Some(Pattern::Patch(path)) => format!("patch: {path}"),
        Some(Pattern::Custom(custom)) => format!("custom {}: {}", custom.kind, custom.path),
        None => "(no pattern)".to_owned(),
    }
}
