//! What a request says in its path and in its query.

use serde_json::{Value, json};

use super::{Placeholder, schemas::Schemas};
use crate::{
    frontend::http_json::{
        http_rule::{Binding, BodyRule},
        path_template::{Segment, Variable},
    },
    schema::{Comments, Field, FieldKind, MessageType},
};

/// Messages in messages offer a lot of names; a document that lists more helps nobody.
const MAX_QUERY_PARAMETERS: usize = 100;

/// The parameters of a route.
pub(super) fn of(
    binding: &Binding,
    placeholders: &[Placeholder],
    schemas: &mut Schemas<'_>,
    comments: &Comments,
) -> Vec<Value> {
    let in_path = placeholders.iter().map(|placeholder| in_path(binding, placeholder, schemas, comments));
    let mut parameters: Vec<Value> = in_path.collect();
    if binding.body != BodyRule::Message {
        let mut query = Query { binding, schemas, comments, within: Vec::new(), found: Vec::new() };
        query.add_fields_of(&binding.input, "", "");
        parameters.append(&mut query.found);
    }
    parameters
}

fn in_path(
    binding: &Binding,
    placeholder: &Placeholder,
    schemas: &mut Schemas<'_>,
    comments: &Comments,
) -> Value {
    let mut schema = json!({ "type": "string" });
    let mut sentences = Vec::new();
    if let Some(variable) = placeholder.variable {
        let field = binding.variables[variable].leaf();
        schema = schemas.element(&field);
        sentences.extend(comments.of_field(&field).map(str::to_owned));
        sentences.extend(more_than_a_segment(binding, &binding.template.variables[variable]));
    }
    let mut parameter = json!({ "name": placeholder.name, "in": "path", "required": true, "schema": schema });
    if !sentences.is_empty() {
        parameter["description"] = sentences.join("\n\n").into();
    }
    parameter
}

/// OpenAPI has no words for a variable with slashes.
fn more_than_a_segment(binding: &Binding, variable: &Variable) -> Option<String> {
    let segments = &binding.template.segments[variable.segments.clone()];
    if segments == [Segment::One] {
        return None;
    }
    let segments = segments.iter().map(|segment| match segment {
        Segment::Literal(literal) => literal.as_str(),
        Segment::One => "*",
        Segment::Rest => "**",
    });
    Some(format!("Of the form `{}`, with its slashes.", segments.collect::<Vec<_>>().join("/")))
}

/// Collects the names that the query may use.
struct Query<'a, 'b> {
    binding: &'a Binding,
    schemas: &'a mut Schemas<'b>,
    comments: &'a Comments,
    /// The messages that the search is in, so that it does not go round in circles.
    within: Vec<MessageType>,
    found: Vec<Value>,
}

impl Query<'_, '_> {
    /// `path` and `name` are what stands before the fields' names, in the `.proto`'s form and in JSON's.
    fn add_fields_of(&mut self, message: &MessageType, path: &str, name: &str) {
        if self.within.contains(message) {
            return;
        }
        self.within.push(message.clone());
        for field in message.fields() {
            let path = format!("{path}{}", field.name());
            let name = format!("{name}{}", field.json_name());
            self.add(&field, &path, &name);
        }
        self.within.pop();
    }

    fn add(&mut self, field: &Field, path: &str, name: &str) {
        let is_in_path = self.binding.variables.iter().any(|variable| variable.to_string() == path);
        let is_body = matches!(&self.binding.body, BodyRule::Field(body, _) if body == field);
        if is_in_path || is_body || field.is_map() || self.found.len() >= MAX_QUERY_PARAMETERS {
            return;
        }
        match field.kind() {
            FieldKind::Message(inner) if !inner.has_text_form() => {
                if !field.is_list() {
                    self.add_fields_of(&inner, &format!("{path}."), &format!("{name}."));
                }
            }
            _ => {
                let mut parameter =
                    json!({ "name": name, "in": "query", "schema": self.schemas.field(field) });
                if let Some(comment) = self.comments.of_field(field) {
                    parameter["description"] = comment.into();
                }
                self.found.push(parameter);
            }
        }
    }
}
