//! The CRDT models.

use cloudstate_sdk::crdt::*;

use crate::cloudstate::tck::model::crdt::{
    self as api, Delete, Fail, Forward, LwwRegisterClockType, OrMapEntryValue, Request, Response, State,
    StreamedRequest, Update, UpdateWriteConsistency, crdt_configured, crdt_tck_model, crdt_two,
    or_map_update, or_set_update, request_action, state, update,
};

/// A CRDT whose type is the part of the entity id before the first `-`.
#[crdt_entity(service = crdt_tck_model)]
pub(crate) struct CrdtTckModel {
    crdt: AnyCrdt,
}

impl CrdtTckModel {
    pub(crate) fn new(context: &Context) -> Self {
        Self { crdt: empty(context.entity_id()) }
    }
}

fn empty(id: &str) -> AnyCrdt {
    match id.split('-').next().unwrap_or_default() {
        "GCounter" => GCounter::new().into(),
        "PNCounter" => PNCounter::new().into(),
        "GSet" => GSet::new().into(),
        "ORSet" => ORSet::new().into(),
        "LWWRegister" => LWWRegister::new(text("")).into(),
        "Flag" => Flag::new().into(),
        "ORMap" => ORMap::new().into(),
        "Vote" => Vote::new().into(),
        other => panic!("no CRDT is called {other}"),
    }
}

fn text(text: &str) -> Any {
    text.to_owned().to_any()
}

fn from_text(any: &Any) -> String {
    String::from_any(any).unwrap_or_default()
}

impl CrdtEntity for CrdtTckModel {
    type Error = Failure;
}

impl crdt_tck_model::Crdt for CrdtTckModel {
    fn process(&mut self, request: Request, _: &Context) -> Reply<Self, Response> {
        let mut consistency = WriteConsistency::Local;
        let (mut forward, mut effects, mut delete) = (None, Vec::new(), false);
        for action in request.actions.into_iter().filter_map(|action| action.action) {
            match action {
                request_action::Action::Update(update) => {
                    consistency = write_consistency(&update);
                    apply(&mut self.crdt, update);
                }
                request_action::Action::Delete(Delete {}) => delete = true,
                request_action::Action::Forward(Forward { id }) => forward = Some(call_two(id)),
                request_action::Action::Effect(effect) => effects.push(effect),
                request_action::Action::Fail(Fail { message }) => return Err(Failure::new(message)),
            }
        }
        let mut effect = match (forward, delete) {
            (None, false) => Effect::reply(self.response()),
            (None, true) => Effect::delete().reply(self.response()),
            (Some(call), false) => Effect::forward(call),
            (Some(call), true) => Effect::delete().forward(call),
        };
        for api::Effect { id, synchronous } in effects {
            effect = if synchronous {
                effect.synchronous_side_effect(call_two(id))
            } else {
                effect.side_effect(call_two(id))
            };
        }
        Ok(effect.write_consistency(consistency))
    }

    fn process_streamed(&mut self, request: StreamedRequest, _: &Context) -> StreamReply<Self, Response> {
        let StreamedRequest { end_state, cancel_update, effects, initial_update, empty, .. } = request;
        if let Some(update) = initial_update {
            apply(&mut self.crdt, update);
        }
        let mut stream = Effect::stream(self.response()).on_change(move |now: &Self| {
            let message = if empty { StreamMessage::none() } else { StreamMessage::reply(now.response()) };
            let message = effects.iter().fold(message, |message, effect| {
                let call = call_two(effect.id.clone());
                if effect.synchronous {
                    message.synchronous_side_effect(call)
                } else {
                    message.side_effect(call)
                }
            });
            let ends = end_state.is_some() && end_state.as_ref() == now.response().state.as_ref();
            if ends { message.and_end() } else { message }
        });
        if let Some(update) = cancel_update {
            stream = stream.on_cancel(|now: &mut Self| apply(&mut now.crdt, update));
        }
        Ok(if empty { stream.silent_at_first() } else { stream })
    }
}

impl CrdtTckModel {
    fn response(&self) -> Response {
        Response { state: Some(state_of(&self.crdt)) }
    }
}

fn call_two(id: String) -> ServiceCall<Response> {
    crdt_two::call(Request { id, actions: Vec::new() })
}

fn write_consistency(update: &Update) -> WriteConsistency {
    match update.write_consistency() {
        UpdateWriteConsistency::Local => WriteConsistency::Local,
        UpdateWriteConsistency::Majority => WriteConsistency::Majority,
        UpdateWriteConsistency::All => WriteConsistency::All,
    }
}

fn apply(crdt: &mut AnyCrdt, update: Update) {
    use update::Update as U;
    match (crdt, update.update) {
        (AnyCrdt::GCounter(counter), Some(U::Gcounter(update))) => counter.increment(update.increment),
        (AnyCrdt::PNCounter(counter), Some(U::Pncounter(update))) => counter.increment(update.change),
        (AnyCrdt::GSet(set), Some(U::Gset(update))) => {
            set.insert(text(&update.add));
        }
        (AnyCrdt::ORSet(set), Some(U::Orset(update))) => match update.action {
            Some(or_set_update::Action::Add(element)) => {
                set.insert(text(&element));
            }
            Some(or_set_update::Action::Remove(element)) => {
                set.remove(&text(&element));
            }
            Some(or_set_update::Action::Clear(true)) => set.clear(),
            _ => {}
        },
        (AnyCrdt::LWWRegister(register), Some(U::Lwwregister(update))) => {
            let clock = update.clock.unwrap_or_default();
            let custom = clock.custom_clock_value;
            let clock = match clock.clock_type() {
                LwwRegisterClockType::Default => Clock::Default,
                LwwRegisterClockType::Reverse => Clock::Reverse,
                LwwRegisterClockType::Custom => Clock::Custom(custom),
                LwwRegisterClockType::CustomAutoIncrement => Clock::CustomAutoIncrement(custom),
            };
            register.set_with(text(&update.value), clock);
        }
        (AnyCrdt::Flag(flag), Some(U::Flag(_))) => flag.enable(),
        (AnyCrdt::ORMap(map), Some(U::Ormap(update))) => match update.action {
            Some(or_map_update::Action::Add(key)) => {
                map.get_or_insert_with(text(&key), || empty(&key));
            }
            Some(or_map_update::Action::Update(entry)) => {
                let value = map.get_or_insert_with(text(&entry.key), || empty(&entry.key));
                apply(value, *entry.update.unwrap_or_default());
            }
            Some(or_map_update::Action::Remove(key)) => {
                map.remove(&text(&key));
            }
            Some(or_map_update::Action::Clear(true)) => map.clear(),
            _ => {}
        },
        (AnyCrdt::Vote(vote), Some(U::Vote(update))) => vote.vote(update.self_vote),
        (crdt, update) => panic!("{update:?} is no update of {crdt:?}"),
    }
}

fn state_of(crdt: &AnyCrdt) -> State {
    use state::Value;
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let value = match crdt {
        AnyCrdt::GCounter(counter) => Value::Gcounter(api::GCounterValue { value: counter.value() }),
        AnyCrdt::PNCounter(counter) => Value::Pncounter(api::PnCounterValue { value: counter.value() }),
        AnyCrdt::GSet(set) => Value::Gset(api::GSetValue { elements: set.iter().map(from_text).collect() }),
        AnyCrdt::ORSet(set) => {
            Value::Orset(api::OrSetValue { elements: set.iter().map(from_text).collect() })
        }
        AnyCrdt::LWWRegister(register) => {
            Value::Lwwregister(api::LwwRegisterValue { value: from_text(register.get()) })
        }
        AnyCrdt::Flag(flag) => Value::Flag(api::FlagValue { value: flag.is_enabled() }),
        AnyCrdt::ORMap(map) => {
            let entry = |(key, value)| OrMapEntryValue { key: from_text(key), value: Some(state_of(value)) };
            Value::Ormap(api::OrMapValue { entries: map.iter().map(entry).collect() })
        }
        AnyCrdt::Vote(vote) => Value::Vote(api::VoteValue {
            self_vote: vote.self_vote(),
            votes_for: number(vote.votes_for()),
            total_voters: number(vote.voters()),
        }),
    };
    State { value: Some(value) }
}

/// Can be called, and deleted.
#[crdt_entity(service = crdt_two)]
#[derive(Default)]
pub(crate) struct CrdtTwo(GCounter);

impl CrdtEntity for CrdtTwo {
    type Error = Failure;
}

impl crdt_two::Crdt for CrdtTwo {
    fn call(&mut self, request: Request, _: &Context) -> Reply<Self, Response> {
        let is_delete = |action: &api::RequestAction| {
            matches!(action.action, Some(request_action::Action::Delete(Delete {})))
        };
        let delete = request.actions.iter().any(is_delete);
        Ok(if delete {
            Effect::delete().reply(Response::default())
        } else {
            Effect::reply(Response::default())
        })
    }
}

/// Is there, and passivated soon.
#[crdt_entity(service = crdt_configured, passivate_after = "100ms")]
#[derive(Default)]
pub(crate) struct CrdtConfigured(GCounter);

impl CrdtEntity for CrdtConfigured {
    type Error = Failure;
}

impl crdt_configured::Crdt for CrdtConfigured {
    fn call(&mut self, _: Request, _: &Context) -> Reply<Self, Response> {
        Ok(Effect::reply(Response::default()))
    }
}
