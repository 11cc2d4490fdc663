//! What a service consumes, and which of its methods gets what.

use std::{collections::HashMap, sync::Arc};

use cloudstate_proto::{Any, event_source};

use crate::{
    service_catalog::{Consumption, Method},
    storage::{Consumer, Source},
};

/// The method that gets what no other takes, in whatever encoding it is.
const CATCH_ALL: &str = "google.protobuf.Any";
/// Payloads under these prefixes have no message type: only the catch-all takes them.
const WITHOUT_MESSAGE_TYPE: [&str; 2] = ["p.cloudstate.io/", "json.cloudstate.io/"];

/// The methods of one service that read one source as one consumer group.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) consumer: Consumer,
    /// The methods by the full name of the message they take.
    by_input: HashMap<String, Arc<Method>>,
}

impl Subscription {
    /// The method for a payload; none if no method takes it.
    pub(crate) fn method_for(&self, payload: &Any) -> Option<&Arc<Method>> {
        let typed = !WITHOUT_MESSAGE_TYPE.iter().any(|prefix| payload.type_url.starts_with(prefix));
        let name = payload.type_url.split_once('/').map(|(_, name)| name).filter(|_| typed);
        name.and_then(|name| self.by_input.get(name)).or_else(|| self.by_input.get(CATCH_ALL))
    }
}

/// All subscriptions of a validated contract, in the order of declaration.
pub(super) fn subscriptions(methods: &[Arc<Method>]) -> Vec<Subscription> {
    let mut subscriptions: Vec<(Arc<str>, Subscription)> = Vec::new();
    for method in methods {
        let Some(consumer) = method.consumes().map(Consumer::from) else { continue };
        let service = &method.service.name;
        let known = subscriptions.iter_mut().find(|(of, it)| of == service && it.consumer == consumer);
        let subscription = match known {
            Some((_, subscription)) => subscription,
            None => {
                let subscription = Subscription { consumer, by_input: HashMap::new() };
                subscriptions.push((Arc::clone(service), subscription));
                let Some((_, last)) = subscriptions.last_mut() else { continue };
                last
            }
        };
        subscription.by_input.insert(method.input_type.clone(), Arc::clone(method));
    }
    subscriptions.into_iter().map(|(_, subscription)| subscription).collect()
}

impl From<Consumption<'_>> for Consumer {
    fn from(Consumption { group, source }: Consumption<'_>) -> Self {
        let source = match source {
            event_source::Source::Topic(topic) => Source::Topic(topic.as_str().into()),
            event_source::Source::EventLog(log) => Source::EventLog(log.as_str().into()),
        };
        Consumer { group: group.into(), source }
    }
}
