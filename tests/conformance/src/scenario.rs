//! Scenarios, and what is said to a user function in its own.

use std::collections::BTreeSet;

use crate::{
    area::Area,
    discovery::Check,
    notation,
    protocol::{Action, Crdt, EventSourced, Protocol, ValueEntity},
    proxy,
};

/// One conversation with what is tested.
pub(crate) struct Scenario<S = Script> {
    /// For example `ES-04`, or `ES-X01` for those that the reference kit does not have.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) area: Area,
    /// The full names of the model services it talks to.
    pub(crate) needs: Vec<String>,
    pub(crate) script: S,
}

impl<S> Scenario<S> {
    pub(crate) fn standing(&self) -> Standing {
        let number = self.id.rsplit('-').next().unwrap_or_default();
        match number.chars().next() {
            Some('X') => Standing::Beyond,
            Some('C') => Standing::Choice,
            _ => Standing::Reference,
        }
    }
}

/// Where a scenario comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The reference kit has it.
    Reference,
    /// A rule that the reference kit does not check.
    Beyond,
    /// A rule that the protocol leaves open, or that the reference gets wrong.
    Choice,
}

impl Standing {
    pub(crate) const ALL: [Self; 3] = [Self::Reference, Self::Beyond, Self::Choice];

    /// The name people type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Beyond => "beyond",
            Self::Choice => "choices",
        }
    }
}

/// What to do, for each of the protocols.
pub(crate) enum Script {
    Discovery(Vec<Check>),
    EventSourced(Vec<Line<EventSourced>>),
    ValueEntity(Vec<Line<ValueEntity>>),
    Crdt(Vec<Line<Crdt>>),
    Action(Vec<Line<Action>>),
}

/// A step, and the text it was read from.
pub(crate) struct Line<P: Protocol> {
    pub(crate) text: String,
    pub(crate) step: Step<P>,
}

pub(crate) enum Step<P: Protocol> {
    /// Begin a call.
    Open(P::Call),
    Send(P::In),
    /// Await one message.
    Expect(Expected<P::Out>),
    /// Await one message, and go on with the steps of the alternative it fits.
    Either(Vec<Vec<Line<P>>>),
    /// Await as many messages, whichever comes first.
    InAnyOrder(Vec<Expected<P::Out>>),
    /// Say that nothing more will be sent.
    HalfClose,
    /// Await the end of the call, with status OK.
    End,
    /// Await the end of the call, whatever its status.
    Closed,
    /// Abandon the call.
    Cancel,
}

/// A message to await.
pub(crate) struct Expected<M> {
    pub(crate) text: String,
    pub(crate) message: M,
    /// Makes equal what may differ; applied to both messages before they are compared.
    pub(crate) forgive: fn(&mut M),
}

impl<M: Clone + PartialEq> Expected<M> {
    pub(crate) fn accepts(&self, received: &M) -> bool {
        let (mut expected, mut received) = (self.message.clone(), received.clone());
        (self.forgive)(&mut expected);
        (self.forgive)(&mut received);
        expected == received
    }
}

/// All scenarios, area by area.
///
/// # Errors
///
/// When a scenario file cannot be read; a test sees to it that this does not happen.
pub(crate) fn all() -> Result<Vec<Scenario>, notation::Error> {
    let mut scenarios = Vec::new();
    for area in Area::ALL {
        scenarios.extend(notation::read(area, area.of_services().unwrap_or_default())?);
    }
    each_once(scenarios)
}

/// All scenarios around a proxy, area by area.
///
/// # Errors
///
/// When a scenario file cannot be read; a test sees to it that this does not happen.
pub(crate) fn around_proxies(
    context: &notation::proxy::Context,
) -> Result<Vec<Scenario<proxy::scenario::Script>>, notation::Error> {
    let mut scenarios = Vec::new();
    for area in Area::ALL {
        scenarios.extend(notation::proxy::read(area, area.of_proxies(), context)?);
    }
    each_once(scenarios)
}

fn each_once<S>(scenarios: Vec<Scenario<S>>) -> Result<Vec<Scenario<S>>, notation::Error> {
    let mut ids = BTreeSet::new();
    match scenarios.iter().find(|scenario| !ids.insert(scenario.id.as_str())) {
        Some(twice) => Err(notation::Error::new(&twice.id, "there are two scenarios of this id")),
        None => Ok(scenarios),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_reference_around_a_proxy_is_there() {
        for scripted in [true, false] {
            let context = notation::proxy::Context { scripted, ..notation::proxy::Context::default() };
            let scenarios = around_proxies(&context).unwrap();
            let of = |area| {
                let is_it = |scenario: &&Scenario<_>| {
                    scenario.area == area && scenario.standing() == Standing::Reference
                };
                scenarios.iter().filter(is_it).count()
            };
            assert_eq!(
                Area::ALL.map(of),
                // discovery, action, value, event sourced, CRDT, reflection, routing, gRPC, HTTP, management, event logs
                [0, 9, 5, 5, 6, 1, 0, 0, 0, 0, 3]
            );
        }
    }

    #[test]
    fn branches_are_played_one_after_the_other_by_a_script() {
        let context = |scripted| notation::proxy::Context { scripted, ..notation::proxy::Context::default() };
        for (scripted, expected) in [(true, 2), (false, 1)] {
            let scenarios = around_proxies(&context(scripted)).unwrap();
            let scenario = scenarios.iter().find(|scenario| scenario.id == "PX-ES-3").unwrap();
            assert_eq!(scenario.script.plays.len(), expected);
        }
    }

    #[test]
    fn every_scenario_of_the_reference_is_there() {
        let scenarios = all().unwrap();
        let of = |area| {
            let mine = scenarios
                .iter()
                .filter(|scenario| scenario.area == area && scenario.standing() == Standing::Reference);
            mine.map(|scenario| scenario.id.as_str()).collect::<Vec<_>>()
        };
        let numbered =
            |prefix: &str, last| (1..=last).map(|n| format!("{prefix}-{n:02}")).collect::<Vec<_>>();
        assert_eq!(of(Area::Discovery), numbered("DISC", 1));
        assert_eq!(of(Area::Action), numbered("ACT", 34));
        assert_eq!(of(Area::ValueEntity), numbered("VE", 19));
        assert_eq!(of(Area::EventSourced), numbered("ES", 21));
        assert_eq!(of(Area::Crdt), numbered("CRDT", 82));
        assert_eq!(
            scenarios.iter().filter(|scenario| scenario.standing() == Standing::Reference).count(),
            157
        );
    }
}
