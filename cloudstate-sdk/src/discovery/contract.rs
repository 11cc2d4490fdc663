//! The checks that a proxy makes after discovery, made before: each problem names file, service and rpc.

mod eventing;
mod http;
mod imports;
mod path_template;

use std::collections::{HashMap, HashSet};

use cloudstate_proto::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};

use crate::registration::{Component, Host};

/// Everything that is wrong, in the order of the components.
pub(super) fn problems(components: &[Component], descriptors: &FileDescriptorSet) -> Vec<String> {
    let contract = Contract::index(descriptors);
    let mut problems = imports::problems(contract.files);
    let mut routes = http::Routes::default();
    for (index, component) in components.iter().enumerate() {
        problems.extend(storage_problems(component, &components[..index]));
        match contract.services.get(component.service) {
            Some((file, service)) => {
                problems.extend(contract.service_problems(component, file, service));
                problems.extend(routes.add(file, service));
            }
            None => problems.push(format!(
                "{}: its descriptor set has no service `{}`",
                component.type_name, component.service
            )),
        }
    }
    problems
}

/// Services of the user's own files that nothing serves.
pub(super) fn services_without_entity(
    components: &[Component],
    descriptors: &FileDescriptorSet,
) -> Vec<String> {
    let served: HashSet<&str> = components.iter().map(|component| component.service).collect();
    let declared = descriptors
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(|service| full_name(&file.package, &service.name)));
    declared.filter(|name| !served.contains(name.as_str())).collect()
}

/// What a proxy accepts, and what then comes as a surprise.
pub(super) fn warnings(components: &[Component], descriptors: &FileDescriptorSet) -> Vec<String> {
    let contract = Contract::index(descriptors);
    let services = components.iter().filter_map(|component| contract.services.get(component.service));
    services.flat_map(|(file, service)| eventing::warnings(file, service)).collect()
}

fn storage_problems(component: &Component, earlier: &[Component]) -> Vec<String> {
    let Component { persistence_id: id, type_name, .. } = component;
    let mut problems = Vec::new();
    if id.is_empty() {
        problems.push(format!("{type_name}: the persistence id is empty; it names where the data is stored"));
    }
    if id.contains('|') {
        problems.push(format!(
            "{type_name}: the persistence id `{id}` contains `|`, which separates it from the entity id in storage"
        ));
    }
    // The reference proxy knows event sourced and value entities by this id alone, so it is one name for both kinds.
    let meet = |other: &Component| {
        other.entity_type() == component.entity_type() || (other.is_stored() && component.is_stored())
    };
    let taken = |other: &&Component| other.persistence_id == *id && meet(other);
    if let Some(other) = earlier.iter().find(taken) {
        problems.push(format!(
            "{type_name}: the persistence id `{id}` is also that of {}; they would share their data",
            other.type_name
        ));
    }
    if component.passivate_after.is_some_and(|idle| idle.as_millis() == 0) {
        problems.push(format!("{type_name}: it must be passivated after at least 1 ms, not 0"));
    }
    problems
}

/// The descriptors by full name.
struct Contract<'a> {
    files: &'a [FileDescriptorProto],
    services: HashMap<String, (&'a FileDescriptorProto, &'a ServiceDescriptorProto)>,
    messages: HashMap<String, &'a DescriptorProto>,
}

impl<'a> Contract<'a> {
    fn index(descriptors: &'a FileDescriptorSet) -> Self {
        let mut contract =
            Self { files: &descriptors.file, services: HashMap::new(), messages: HashMap::new() };
        for file in &descriptors.file {
            for service in &file.service {
                contract.services.insert(full_name(&file.package, &service.name), (file, service));
            }
            contract.index_messages(&file.package, &file.message_type);
        }
        contract
    }

    fn index_messages(&mut self, parent: &str, messages: &'a [DescriptorProto]) {
        for message in messages {
            let name = full_name(parent, &message.name);
            self.index_messages(&name, &message.nested_type);
            self.messages.insert(name, message);
        }
    }

    fn service_problems(
        &self,
        component: &Component,
        file: &FileDescriptorProto,
        service: &ServiceDescriptorProto,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        for method in &service.method {
            let rpc = format!("{}: {}.{}", file.name, component.service, method.name);
            let mut found = self.method_problems(component, method);
            found.extend(eventing::method_problems(method));
            problems.extend(found.into_iter().map(|problem| format!("{rpc}: {problem}")));
        }
        problems.extend(eventing::service_problems(file, service));
        problems
    }

    fn method_problems(&self, component: &Component, method: &MethodDescriptorProto) -> Vec<String> {
        let mut problems = Vec::new();
        // An action may stream, and there is only one of it.
        let is_action = matches!(component.host, Host::Action(_));
        let is_crdt = matches!(component.host, Host::Crdt(_));
        if is_crdt && method.client_streaming {
            problems.push("it has a stream of requests; CRDT entities take one at a time".into());
        }
        if !is_action && !is_crdt && (method.client_streaming || method.server_streaming) {
            problems.push("it is streamed; event sourced and value entities have unary rpcs only".into());
        }
        let Some(input) = self.message(&method.input_type) else {
            problems.push(format!("its request `{}` is not in the descriptor set", method.input_type));
            return problems;
        };
        if !is_action && !input.field.iter().any(FieldDescriptorProto::is_entity_key) {
            problems.push(format!(
                "no field of its request `{}` says which entity is meant; mark one with \
                 `[(.cloudstate.entity_key) = true]`",
                input.name
            ));
        }
        if let Some(rule) = method.options.as_ref().and_then(|options| options.http.as_ref()) {
            let messages =
                http::Messages { contract: self, input, output: self.message(&method.output_type) };
            problems.extend(messages.rule_problems(rule));
        }
        problems
    }

    /// By a descriptor's type name, which begins with a dot.
    fn message(&self, type_name: &str) -> Option<&'a DescriptorProto> {
        self.messages.get(type_name.strip_prefix('.').unwrap_or(type_name)).copied()
    }
}

fn full_name(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.into() } else { format!("{parent}.{name}") }
}

fn field<'a>(message: &'a DescriptorProto, name: &str) -> Option<&'a FieldDescriptorProto> {
    message.field.iter().find(|field| field.name == name)
}

#[cfg(test)]
mod tests;
