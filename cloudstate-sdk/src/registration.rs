//! Which entities are served: those registered by hand, and those found in the link-time registry.

use std::any::type_name;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Kind};
use crate::{Context, Entity, EntityKind, Service, action, conversation, crdt, event_sourced, value};

/// Makes a new entity.
pub(crate) type Create<E> = Arc<dyn Fn(&Context) -> E + Send + Sync>;

/// An entity type that can be served.
pub struct Component {
    pub(crate) service: &'static str,
    pub(crate) descriptors: &'static [u8],
    pub(crate) persistence_id: &'static str,
    pub(crate) passivate_after: Option<Duration>,
    pub(crate) package: Option<(&'static str, &'static str)>,
    pub(crate) type_name: &'static str,
    pub(crate) host: Host,
}

/// What runs the entity; each kind has its own.
pub(crate) enum Host {
    EventSourced(Box<dyn conversation::Host<event_sourced::Kind>>),
    Value(Box<dyn conversation::Host<value::Kind>>),
    Crdt(Box<dyn conversation::Host<crdt::Kind>>),
    Action(action::host::Start),
}

impl Component {
    pub(crate) fn of<E: Entity>(host: Host) -> Self {
        Self {
            service: E::Service::NAME,
            descriptors: E::Service::DESCRIPTORS,
            persistence_id: E::PERSISTENCE_ID,
            passivate_after: E::PASSIVATE_AFTER,
            package: E::PACKAGE,
            type_name: type_name::<E>(),
            host,
        }
    }

    pub(crate) fn created_by<E: Entity<Kind: EntityKind<E>>>(
        create: impl Fn(&Context) -> E + Send + Sync + 'static,
    ) -> Self {
        E::Kind::component(Arc::new(create))
    }

    /// Whether a proxy keeps its data under the persistence id.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.host, Host::EventSourced(_) | Host::Value(_))
    }

    pub(crate) fn entity_type(&self) -> &'static str {
        match self.host {
            Host::EventSourced(_) => cloudstate_proto::entity_type::EVENT_SOURCED,
            Host::Value(_) => cloudstate_proto::entity_type::VALUE_ENTITY,
            Host::Crdt(_) => cloudstate_proto::entity_type::CRDT,
            Host::Action(_) => cloudstate_proto::entity_type::ACTION,
        }
    }
}

/// An entry of the link-time registry. The attributes submit one per entity type.
pub struct Registration {
    discovered: fn() -> Discovered,
}

/// An annotated entity type.
pub struct Discovered {
    service: &'static str,
    type_name: &'static str,
    /// Absent for a type without `Default`.
    component: Option<Component>,
}

inventory::collect!(Registration);

impl Registration {
    /// The function is called when the registry is read.
    #[must_use]
    pub const fn new(discovered: fn() -> Discovered) -> Self {
        Self { discovered }
    }
}

impl Discovered {
    /// For an annotated type, with its `Default::default` if it has one.
    #[must_use]
    pub fn of<E: Entity<Kind: EntityKind<E>>>(default: Option<fn() -> E>) -> Self {
        let component = default.map(|default| Component::created_by(move |_| default()));
        Self { service: E::Service::NAME, type_name: type_name::<E>(), component }
    }
}

/// All annotated types that are linked into this program.
pub(crate) fn linked() -> Vec<Discovered> {
    inventory::iter::<Registration>().map(|registration| (registration.discovered)()).collect()
}

/// An annotation that has no effect is likely a mistake in `main`.
pub(crate) fn warn_of_unregistered(registered: &[Component], linked: &[Discovered]) {
    for Discovered { service, type_name, .. } in linked {
        if !registered.iter().any(|component| component.service == *service) {
            tracing::warn!("{type_name} is annotated for {service}, and neither registered nor discovered");
        }
    }
}

/// Merges what was registered with what was discovered; `None` if discovery was not asked for. What was
/// registered wins.
pub(crate) fn resolve(
    registered: Vec<Component>,
    discovered: Option<Vec<Discovered>>,
) -> Result<Vec<Component>, Error> {
    let mut components: Vec<Component> = Vec::new();
    for component in registered {
        push(&mut components, component)?;
    }
    let by_hand: Vec<&str> = components.iter().map(|component| component.service).collect();
    for Discovered { service, type_name, component } in discovered.unwrap_or_default() {
        if by_hand.contains(&service) {
            continue;
        }
        push(&mut components, component.ok_or(Kind::NoConstructor { type_name, service })?)?;
    }
    if components.is_empty() { Err(Kind::NothingRegistered.into()) } else { Ok(components) }
}

fn push(components: &mut Vec<Component>, component: Component) -> Result<(), Error> {
    if let Some(earlier) = components.iter().find(|earlier| earlier.service == component.service) {
        let Component { service, type_name: second, .. } = component;
        return Err(Kind::RegisteredTwice { service, first: earlier.type_name, second }.into());
    }
    components.push(component);
    Ok(())
}
