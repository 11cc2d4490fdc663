//! Which events come to an rpc, and where its replies are published: the option `cloudstate.eventing`.

use std::collections::BTreeMap;

use cloudstate_proto::descriptor::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};
use cloudstate_proto::event_destination::Destination;
use cloudstate_proto::event_source::Source;
use cloudstate_proto::{EventSource, Eventing};

use super::full_name;

/// Takes events of every type.
const ANY: &str = ".google.protobuf.Any";

/// What is wrong with one rpc.
pub(super) fn method_problems(method: &MethodDescriptorProto) -> Vec<String> {
    let Some(Eventing { r#in, out }) = eventing(method) else { return Vec::new() };
    let source = r#in.as_ref().map(|source| source.source.as_ref());
    let destination = out.as_ref().map(|out| out.destination.as_ref());
    let mut problems = Vec::new();
    if let Some(None) = source {
        problems.push(
            "its `eventing.in` names no source; write `topic: \"..\"`, or `event_log: \"..\"` with the persistence \
             id of an event sourced entity",
        );
    }
    if let Some(Some(source)) = source
        && name(source).is_empty()
    {
        problems.push("the source in its `eventing.in` has an empty name");
    }
    match destination {
        None => {}
        Some(None) => problems.push("its `eventing.out` names no destination; write `topic: \"..\"`"),
        Some(Some(Destination::Topic(topic))) if topic.is_empty() => {
            problems.push("the topic in its `eventing.out` has an empty name");
        }
        Some(Some(Destination::Topic(to))) => {
            if let Some(Some(Source::Topic(from))) = source
                && from == to
            {
                problems.push(
                    "it publishes to the topic that its events come from, so that every reply would come back as an \
                     event; publish to another",
                );
            }
        }
    }
    problems.into_iter().map(Into::into).collect()
}

/// Rpcs that take the same events: nobody could say which of them an event is for.
pub(super) fn service_problems(file: &FileDescriptorProto, service: &ServiceDescriptorProto) -> Vec<String> {
    let name_of_service = full_name(&file.package, &service.name);
    let taken = |(index, method): (usize, &MethodDescriptorProto)| {
        let subscription = subscription(method)?;
        let source = subscription.source.as_ref()?;
        let same = |earlier: &&MethodDescriptorProto| {
            earlier.input_type == method.input_type
                && consumer(earlier, &name_of_service) == consumer(method, &name_of_service)
        };
        let earlier = service.method[..index].iter().find(same)?;
        Some(format!(
            "{}: {name_of_service}.{}: it takes `{}` from {} as `{}` does; let one of them take it, or give them \
             different consumer groups",
            file.name,
            method.name,
            method.input_type.trim_start_matches('.'),
            described(source),
            earlier.name,
        ))
    };
    service.method.iter().enumerate().filter_map(taken).collect()
}

/// What works, but not as one might think.
pub(super) fn warnings(file: &FileDescriptorProto, service: &ServiceDescriptorProto) -> Vec<String> {
    let mut warnings = without_catch_all(file, service);
    warnings.extend(only_published(file, service));
    warnings
}

/// Rpcs that publish what clients call them for.
fn only_published(
    file: &FileDescriptorProto,
    service: &ServiceDescriptorProto,
) -> impl Iterator<Item = String> {
    let name_of_service = full_name(&file.package, &service.name);
    let is_only_published = |method: &&MethodDescriptorProto| {
        eventing(method).is_some_and(|eventing| eventing.out.is_some() && eventing.r#in.is_none())
    };
    service.method.iter().filter(is_only_published).map(move |method| {
        format!(
            "{}: {name_of_service}.{}: it has an `eventing.out` and no `eventing.in`: the original proxy then starts no \
             consumer of any service, so that nobody gets events; publish from an rpc that an event comes to",
            file.name, method.name
        )
    })
}

/// For each source whose subscribers take certain messages only: an event of another type stops all of them.
fn without_catch_all(file: &FileDescriptorProto, service: &ServiceDescriptorProto) -> Vec<String> {
    let mut takes_any: BTreeMap<&str, bool> = BTreeMap::new();
    for method in &service.method {
        if let Some(source) = subscription(method).and_then(|subscription| subscription.source.as_ref()) {
            *takes_any.entry(name(source)).or_default() |= method.input_type == ANY;
        }
    }
    let service = full_name(&file.package, &service.name);
    let sources = takes_any.into_iter().filter(|(_, takes_any)| !takes_any);
    sources
        .map(|(source, _)| {
            format!(
                "{}: no rpc of {service} takes every event of `{source}`: one of a type that none takes is skipped, or \
                 stops the subscription, as the proxy decides; add an rpc that takes `google.protobuf.Any`",
                file.name
            )
        })
        .collect()
}

/// Source and group: rpcs of one service that share them take turns by the type of the event.
fn consumer<'a>(method: &'a MethodDescriptorProto, service: &'a str) -> Option<(&'a Source, &'a str)> {
    let EventSource { consumer_group, source } = subscription(method)?;
    // The default of the protocol.
    let group = if consumer_group.is_empty() { service } else { consumer_group };
    Some((source.as_ref()?, group))
}

fn eventing(method: &MethodDescriptorProto) -> Option<&Eventing> {
    method.options.as_ref()?.eventing.as_ref()
}

fn subscription(method: &MethodDescriptorProto) -> Option<&EventSource> {
    eventing(method)?.r#in.as_ref()
}

fn name(source: &Source) -> &str {
    match source {
        Source::Topic(name) | Source::EventLog(name) => name,
    }
}

fn described(source: &Source) -> String {
    match source {
        Source::Topic(topic) => format!("the topic `{topic}`"),
        Source::EventLog(log) => format!("the event log `{log}`"),
    }
}
