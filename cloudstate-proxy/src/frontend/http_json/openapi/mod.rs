//! The routes as an OpenAPI 3.0 document.

mod parameters;
mod schemas;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    HttpJson,
    http_rule::{Binding, BodyRule},
    is_http_body,
    path_template::Segment,
    route_table::Verb,
};
use crate::{
    schema::{Comments, Schema},
    service_catalog::ServiceCatalog,
};
use schemas::Schemas;

/// The newest version that most tools read.
const VERSION: &str = "3.0.3";
/// When its routes take so many bytes, the others are left out. Each may repeat the comments of the fields that it takes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The operations under which a route for any method is listed.
const ANY: [&str; 5] = ["delete", "get", "patch", "post", "put"];

impl HttpJson {
    /// Describes all routes as an OpenAPI 3.0 document in JSON. `title` and `version` are those of the user function.
    pub fn openapi(&self, catalog: &ServiceCatalog, title: &str, version: &str) -> Vec<u8> {
        let comments = catalog.schema().comments();
        let mut document = Document {
            schema: catalog.schema(),
            schemas: Schemas::new(&comments),
            comments: &comments,
            paths: BTreeMap::new(),
            bytes: 0,
        };
        let mut described = 0;
        for of_rpc in self.bindings.chunk_by(|one, next| Arc::ptr_eq(&one.method, &next.method)) {
            for (count, binding) in (1..).zip(of_rpc) {
                if document.bytes < MAX_BYTES {
                    document.add(binding, count);
                    described += 1;
                }
            }
        }
        let left_out = self.bindings.len() - described;
        document.write(catalog, title, version, left_out).to_string().into_bytes()
    }
}

struct Document<'a> {
    schema: &'a Schema,
    schemas: Schemas<'a>,
    comments: &'a Comments,
    /// By the path without the names of its placeholders.
    paths: BTreeMap<String, PathItem>,
    /// How long the operations are.
    bytes: usize,
}

/// The operations of all routes that match the same paths.
struct PathItem {
    text: String,
    /// Of its placeholders.
    names: Vec<String>,
    operations: Map<String, Value>,
}

/// A path as OpenAPI writes it.
struct Path {
    text: String,
    /// What stands in braces, from left to right.
    placeholders: Vec<Placeholder>,
}

struct Placeholder {
    name: String,
    /// Its index among the variables of the template; none: a bare `*` or `**`.
    variable: Option<usize>,
}

impl Document<'_> {
    /// Adds the `count`th route of its rpc.
    fn add(&mut self, binding: &Binding, count: usize) {
        let mut path = path(binding);
        // Two paths that differ in the names of their variables only must not both be listed.
        let shape = path.placeholders.iter().fold(path.text.clone(), |shape, placeholder| {
            shape.replacen(&format!("{{{}}}", placeholder.name), "{}", 1)
        });
        let known = self.paths.get(&shape);
        for (own, known) in path.placeholders.iter_mut().zip(known.iter().flat_map(|item| &item.names)) {
            own.name.clone_from(known);
        }
        let mut operations = Vec::new();
        let verbs: Vec<String> = match &binding.verb {
            Verb::One(method) => vec![method.as_str().to_ascii_lowercase()],
            Verb::Any => ANY.map(str::to_owned).into(),
        };
        for verb in verbs {
            let mut id = binding.method.path().trim_start_matches('/').replace(['.', '/'], "_");
            if count > 1 {
                id = format!("{id}_{count}");
            }
            if binding.verb == Verb::Any {
                id = format!("{id}_{verb}");
            }
            let operation = self.operation(binding, &path.placeholders, id);
            self.bytes += operation.to_string().len();
            operations.push((verb, operation));
        }
        let item = self.paths.entry(shape).or_insert_with(|| PathItem {
            text: path.text,
            names: path.placeholders.into_iter().map(|placeholder| placeholder.name).collect(),
            operations: Map::new(),
        });
        item.operations.extend(operations);
    }

    fn operation(&mut self, binding: &Binding, placeholders: &[Placeholder], id: String) -> Value {
        let method = &binding.method;
        let mut operation = json!({
            "operationId": id,
            "tags": [&*method.service.name],
            "summary": format!("{}/{}", method.service.name, method.name),
            "parameters": parameters::of(binding, placeholders, &mut self.schemas, self.comments),
            "responses": self.responses(binding),
        });
        if let Some(comment) = self.comments.of_rpc(self.schema, &method.service.name, &method.name) {
            operation["description"] = comment.into();
        }
        if let Some(body) = self.request_body(binding) {
            operation["requestBody"] = body;
        }
        operation
    }

    fn request_body(&mut self, binding: &Binding) -> Option<Value> {
        let message = match &binding.body {
            BodyRule::Nothing => return None,
            BodyRule::Message => &binding.input,
            BodyRule::Field(_, message) => message,
        };
        Some(match is_http_body(message) {
            true => json!({ "content": raw() }),
            false => {
                json!({ "content": { "application/json": { "schema": self.schemas.message(message) } } })
            }
        })
    }

    fn responses(&mut self, binding: &Binding) -> Value {
        let method = &binding.method;
        let schema = match &binding.response_body {
            Some(field) => self.schemas.field(field),
            None => self.schemas.message(&binding.output),
        };
        let is_raw = binding.response_body.is_none() && is_http_body(&binding.output);
        let (description, content) = match (method.server_streaming, is_raw) {
            (false, false) => ("The reply.", json!({ "application/json": { "schema": schema } })),
            (true, false) => (
                "The replies as they come: one on each line, or one in each event.",
                json!({
                    "application/json": { "schema": schema.clone() },
                    "text/event-stream": { "schema": schema },
                }),
            ),
            (_, true) => ("The reply's own bytes and content type.", raw()),
        };
        json!({
            "200": { "description": description, "content": content },
            "default": {
                "description": "Why the call failed, in a sentence.",
                "content": { "text/plain": { "schema": { "type": "string" } } },
            },
        })
    }

    fn write(self, catalog: &ServiceCatalog, title: &str, version: &str, left_out: usize) -> Value {
        let tags = catalog.services().map(|service| {
            let mut tag = json!({ "name": &*service.name });
            if let Some(comment) = self.comments.of_service(self.schema, &service.name) {
                tag["description"] = comment.into();
            }
            tag
        });
        let tags: Vec<Value> = tags.collect();
        let paths = self.paths.into_values().map(|item| (item.text, Value::Object(item.operations)));
        let mut info = json!({ "title": title, "version": version });
        if left_out > 0 {
            info["description"] = format!("{left_out} more routes are left out: there are too many.").into();
        }
        json!({
            "openapi": VERSION,
            "info": info,
            "tags": tags,
            "paths": paths.collect::<Map<_, _>>(),
            "components": { "schemas": self.schemas.describe_all() },
        })
    }
}

/// Bytes with a content type of their own.
fn raw() -> Value {
    json!({ "*/*": { "schema": { "type": "string", "format": "binary" } } })
}

/// `/shelves/{shelf}/books/{book}:archive`
fn path(binding: &Binding) -> Path {
    let template = &binding.template;
    let mut path = Path { text: String::new(), placeholders: Vec::new() };
    let mut last = None;
    for (index, segment) in template.segments.iter().enumerate() {
        let variable = template.variables.iter().position(|variable| variable.segments.contains(&index));
        if variable.is_some() && variable == last {
            continue;
        }
        last = variable;
        path.text.push('/');
        let name = match (segment, variable) {
            (_, Some(variable)) => template.variables[variable].field.clone(),
            (Segment::Literal(literal), None) => {
                path.text.push_str(literal);
                continue;
            }
            (_, None) => format!("any{}", path.placeholders.len() + 1),
        };
        path.text.push_str(&format!("{{{name}}}"));
        path.placeholders.push(Placeholder { name, variable });
    }
    if let Some(verb) = &template.verb {
        path.text.push(':');
        path.text.push_str(verb);
    }
    path
}
