//! Which methods consume events and publish replies, by the option `(cloudstate.eventing)`.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use cloudstate_proto::{event_destination::Destination, event_source::Source};

use super::{EntityKind, Method, Rejection};

/// What a method consumes. Methods of one service that consume alike are one consumer, in which the type of an
/// event finds its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Consumption<'a> {
    /// Names the position in the source; consumers of one group would share it.
    pub group: &'a str,
    /// Where the events are.
    pub source: &'a Source,
}

impl Method {
    /// What this method consumes; none: nothing. Without a group of its own it consumes in that of its service, which
    /// has the service's name.
    pub fn consumes(&self) -> Option<Consumption<'_>> {
        let from = self.eventing.as_ref()?.r#in.as_ref()?;
        let group = if from.consumer_group.is_empty() { &*self.service.name } else { &from.consumer_group };
        Some(Consumption { group, source: from.source.as_ref()? })
    }

    /// The topic to which its replies are published; none: they are not.
    pub fn publishes(&self) -> Option<&str> {
        let Destination::Topic(topic) = self.eventing.as_ref()?.out.as_ref()?.destination.as_ref()?;
        Some(topic)
    }
}

/// Every method is clear about what it consumes and publishes, and every event would find one method only.
pub(super) fn check(methods: &[Arc<Method>], warnings: &mut Vec<String>) -> Result<(), Rejection> {
    methods.iter().try_for_each(|method| check_method(method))?;
    check_consumers(methods)?;
    warn_of_unknown_logs(methods, warnings);
    Ok(())
}

fn check_method(method: &Method) -> Result<(), Rejection> {
    let Some(eventing) = &method.eventing else { return Ok(()) };
    let consumed = eventing.r#in.as_ref().map(|from| from.source.as_ref());
    let published = eventing.out.as_ref().map(|to| to.destination.as_ref());
    match (consumed, published) {
        (Some(None), _) => Err(refused(method, "`in` names no source: give it a `topic` or an `event_log`")),
        (_, Some(None)) => Err(refused(method, "`out` names no destination: give it a `topic`")),
        (Some(Some(source)), _) if name(source).is_empty() => {
            Err(refused(method, "`in` has a source with an empty name"))
        }
        (_, Some(Some(Destination::Topic(topic)))) if topic.is_empty() => {
            Err(refused(method, "`out` has a topic with an empty name"))
        }
        (Some(Some(Source::Topic(from))), Some(Some(Destination::Topic(to)))) if from == to => {
            Err(refused(method, &format!("it would consume what it publishes itself to the topic [{to}]")))
        }
        _ => Ok(()),
    }
}

fn check_consumers(methods: &[Arc<Method>]) -> Result<(), Rejection> {
    let mut services = HashMap::new();
    let mut by_type = HashMap::new();
    for method in methods {
        let Some(consumption) = method.consumes() else { continue };
        let Consumption { group, source } = consumption;
        let other = services.entry(consumption).or_insert(&method.service.name);
        if **other != method.service.name {
            return Err(Rejection(format!(
                "Services [{other}] and [{}] both consume {} in the group [{group}], where they would take events \
                 from each other: give them groups of their own",
                method.service.name,
                Described(source),
            )));
        }
        if let Some(other) = by_type.insert((consumption, &method.input_type), method) {
            return Err(Rejection(format!(
                "Service [{}]: [{}] and [{}] both consume events of the type [{}] from {}: only one can",
                method.service.name,
                other.name,
                method.name,
                method.input_type,
                Described(source),
            )));
        }
    }
    Ok(())
}

/// A log may be that of an entity which was served earlier, but more likely its name is mistyped.
fn warn_of_unknown_logs(methods: &[Arc<Method>], warnings: &mut Vec<String>) {
    let event_sourced = methods.iter().filter(|method| method.service.kind == EntityKind::EventSourced);
    let known: HashSet<_> = event_sourced.map(|method| &*method.service.persistence_id).collect();
    for method in methods {
        if let Some(Consumption { source: Source::EventLog(log), .. }) = method.consumes()
            && !known.contains(log.as_str())
        {
            warnings.push(format!(
                "{}.{} consumes the event log [{log}], but no event sourced entity served here has this persistence id",
                method.service.name, method.name
            ));
        }
    }
}

fn refused(method: &Method, why: &str) -> Rejection {
    Rejection(format!("{}/{}: eventing: {why}", method.service.name, method.name))
}

fn name(source: &Source) -> &str {
    let (Source::Topic(name) | Source::EventLog(name)) = source;
    name
}

struct Described<'a>(&'a Source);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::Topic(name) => write!(f, "the topic [{name}]"),
            Source::EventLog(name) => write!(f, "the event log [{name}]"),
        }
    }
}
