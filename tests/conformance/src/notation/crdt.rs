use cloudstate_proto::{
    Any, StreamCancelled,
    crdt::{
        CrdtClock, CrdtDelete, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse,
        CrdtStreamIn, CrdtStreamOut, CrdtStreamedMessage, CrdtWriteConsistency, FlagDelta, GCounterDelta,
        GSetDelta, LwwRegisterDelta, OrMapDelta, OrMapEntryDelta, OrSetDelta, PnCounterDelta, VoteDelta,
        crdt_delta::Delta, crdt_state_action, crdt_stream_in, crdt_stream_out,
    },
};

use super::{
    command::{self, Entity, Target},
    cursor::{Cursor, Problem},
    script,
};
use crate::{
    area::Area,
    model::{crdt as model, pack},
    protocol::Crdt,
    scenario::{Expected, Step},
};
use model::{request_action, state::Value, update::Update as UpdateOf};

/// Conversations with `CrdtTckModel`.
pub(super) struct Notation {
    crdt: DataType,
    entity: Entity,
    target: Target,
}

/// The CRDT that an entity id or a map key selects.
#[derive(Clone, Copy)]
enum DataType {
    GCounter,
    PnCounter,
    GSet,
    OrSet,
    LwwRegister,
    Flag,
    OrMap,
    Vote,
}

impl DataType {
    /// Of an entity or an entry: what stands before the first hyphen.
    fn of(name: &str) -> Result<Self, Problem> {
        let name = name.split('-').next().unwrap_or_default();
        Ok(match name {
            "GCounter" => Self::GCounter,
            "PNCounter" => Self::PnCounter,
            "GSet" => Self::GSet,
            "ORSet" => Self::OrSet,
            "LWWRegister" => Self::LwwRegister,
            "Flag" => Self::Flag,
            "ORMap" => Self::OrMap,
            "Vote" => Self::Vote,
            _ => return Err(format!("there is no CRDT of the name `{name}`")),
        })
    }
}

impl Notation {
    pub(super) fn new(name: &str, id: String) -> Result<Self, Problem> {
        let service = |name| Area::Crdt.service(name);
        Ok(Self {
            crdt: DataType::of(name)?,
            entity: Entity { service: service("CrdtTckModel"), id },
            target: Target {
                service: service("CrdtTwo"),
                request: |id| pack(&model::Request { id, actions: vec![] }),
            },
        })
    }

    fn init(&self, line: &mut Cursor<'_>) -> Result<CrdtInit, Problem> {
        let service_name = self.entity.service_of_init(line)?;
        let delta = if line.eat("Δ") { Some(delta(self.crdt, line)?) } else { None };
        Ok(CrdtInit { service_name, entity_id: self.entity.id.clone(), delta })
    }

    fn command(&self, line: &mut Cursor<'_>) -> Result<cloudstate_proto::Command, Problem> {
        self.entity.command(line, |line| {
            let actions = line.list(["[", "]"], |line| self.request_action(line))?;
            Ok(pack(&model::Request { id: self.entity.id.clone(), actions }))
        })
    }

    fn request_action(&self, line: &mut Cursor<'_>) -> Result<model::RequestAction, Problem> {
        use request_action::Action;
        let action = if line.eat("delete") {
            Action::Delete(model::Delete {})
        } else if line.eat("fwd") {
            Action::Forward(model::Forward { id: self.entity.resolve(line)? })
        } else if line.eat("fx!") {
            Action::Effect(model::Effect { id: self.entity.resolve(line)?, synchronous: true })
        } else if line.eat("fx") {
            Action::Effect(model::Effect { id: self.entity.resolve(line)?, synchronous: false })
        } else if line.eat("fail") {
            Action::Fail(model::Fail { message: line.text()?.to_owned() })
        } else {
            let mut update = update(self.crdt, line)?;
            if line.eat("@") {
                update.write_consistency = write_consistency(line)?;
            }
            Action::Update(update)
        };
        Ok(model::RequestAction { action: Some(action) })
    }

    /// `[end=3, cancel=-42, initial=+1, effects=one/!two, empty]`
    fn streamed_request(&self, line: &mut Cursor<'_>) -> Result<Any, Problem> {
        let mut request = model::StreamedRequest { id: self.entity.id.clone(), ..Default::default() };
        line.list(["[", "]"], |line| {
            if line.eat("end=") {
                request.end_state = Some(state(self.crdt, line)?);
            } else if line.eat("cancel=") {
                request.cancel_update = Some(update(self.crdt, line)?);
            } else if line.eat("initial=") {
                request.initial_update = Some(update(self.crdt, line)?);
            } else if line.eat("effects=") {
                loop {
                    let synchronous = line.eat("!");
                    request.effects.push(model::Effect { id: self.entity.resolve(line)?, synchronous });
                    if !line.eat("/") {
                        break;
                    }
                }
            } else {
                line.need("empty")?;
                request.empty = true;
            }
            Ok(())
        })?;
        Ok(pack(&request))
    }

    /// `none`: no client action; `empty`: a response without state, as of `CrdtTwo`.
    fn response(&self, line: &mut Cursor<'_>) -> Result<Option<Any>, Problem> {
        if line.eat("none") {
            return Ok(None);
        }
        let state = if line.eat("empty") { None } else { Some(state(self.crdt, line)?) };
        Ok(Some(pack(&model::Response { state })))
    }

    fn state_action(&self, line: &mut Cursor<'_>) -> Result<Option<CrdtStateAction>, Problem> {
        let action = if line.eat("delete") {
            crdt_state_action::Action::Delete(CrdtDelete {})
        } else if line.eat("Δ") {
            crdt_state_action::Action::Update(delta_from_service(self.crdt, line)?)
        } else {
            return Ok(None);
        };
        let write_consistency = if line.eat("@") { write_consistency(line)? } else { 0 };
        Ok(Some(CrdtStateAction { action: Some(action), write_consistency }))
    }

    fn side_effects(&self, line: &mut Cursor<'_>) -> Result<Vec<cloudstate_proto::SideEffect>, Problem> {
        line.need("fx")?;
        self.target.side_effects(line, |line| self.entity.resolve(line))
    }

    fn reply(&self, command_id: i64, line: &mut Cursor<'_>) -> Result<CrdtReply, Problem> {
        let response = |line: &mut Cursor<'_>| self.response(line);
        let client_action = self.target.client_action(line, &self.entity, command_id, response)?;
        let mut reply = CrdtReply { command_id, client_action, ..CrdtReply::default() };
        while line.eat(";") {
            if let Some(action) = self.state_action(line)? {
                reply.state_action = Some(action);
            } else if line.eat("streamed") {
                reply.streamed = true;
            } else {
                reply.side_effects = self.side_effects(line)?;
            }
        }
        Ok(reply)
    }

    fn streamed_message(
        &self,
        command_id: i64,
        line: &mut Cursor<'_>,
    ) -> Result<CrdtStreamedMessage, Problem> {
        let client_action = self.response(line)?.map(command::reply);
        let mut message = CrdtStreamedMessage { command_id, client_action, ..CrdtStreamedMessage::default() };
        while line.eat(";") {
            if line.eat("end") {
                message.end_stream = true;
            } else {
                message.side_effects = self.side_effects(line)?;
            }
        }
        Ok(message)
    }

    fn cancelled(
        &self,
        command_id: i64,
        line: &mut Cursor<'_>,
    ) -> Result<CrdtStreamCancelledResponse, Problem> {
        let mut response =
            CrdtStreamCancelledResponse { command_id, ..CrdtStreamCancelledResponse::default() };
        while line.eat(";") {
            match self.state_action(line)? {
                Some(action) => response.state_action = Some(action),
                None => response.side_effects = self.side_effects(line)?,
            }
        }
        Ok(response)
    }
}

impl script::Notation for Notation {
    type Protocol = Crdt;

    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<Crdt>, Problem> {
        use crdt_stream_in::Message;
        let message = if line.eat("init") {
            Message::Init(self.init(line)?)
        } else if line.eat("Δ") {
            // `Δ of Flag true`: of a type that the entity has not.
            let crdt = if line.eat("of") { DataType::of(line.word()?)? } else { self.crdt };
            Message::Delta(delta(crdt, line)?)
        } else if line.eat("delete") {
            Message::Delete(CrdtDelete {})
        } else if line.eat("cancel") {
            Message::StreamCancelled(StreamCancelled {
                entity_id: self.entity.id.clone(),
                id: line.number()?,
            })
        } else {
            Message::Command(self.any_command(line)?)
        };
        Ok(Step::Send(CrdtStreamIn { message: Some(message) }))
    }

    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<CrdtStreamOut>, Problem> {
        use crdt_stream_out::Message;
        let message = if line.eat("failure") {
            Message::Failure(command::any_failure())
        } else {
            let command_id = line.number()?;
            if line.eat("msg") {
                Message::StreamedMessage(self.streamed_message(command_id, line)?)
            } else if line.eat("cancelled") {
                Message::StreamCancelledResponse(self.cancelled(command_id, line)?)
            } else {
                Message::Reply(self.reply(command_id, line)?)
            }
        };
        Ok(Expected { text: String::new(), message: CrdtStreamOut { message: Some(message) }, forgive })
    }
}

impl Notation {
    /// `2 stream [..]` is a command of `ProcessStreamed`; `2 unmarked [..]` is the same without the flag.
    fn any_command(&self, line: &mut Cursor<'_>) -> Result<cloudstate_proto::Command, Problem> {
        let mut ahead = line.clone();
        let id = ahead.number()?;
        let streamed = ahead.eat("stream");
        if !streamed && !ahead.eat("unmarked stream") {
            return self.command(line);
        }
        *line = ahead;
        Ok(cloudstate_proto::Command {
            entity_id: self.entity.id.clone(),
            id,
            name: "ProcessStreamed".to_owned(),
            payload: Some(self.streamed_request(line)?),
            streamed,
            ..Default::default()
        })
    }
}

fn update(crdt: DataType, line: &mut Cursor<'_>) -> Result<model::Update, Problem> {
    let update = match crdt {
        DataType::GCounter => UpdateOf::Gcounter(model::GCounterUpdate { increment: line.number()? }),
        DataType::PnCounter => UpdateOf::Pncounter(model::PnCounterUpdate { change: line.number()? }),
        DataType::GSet => {
            line.need("add")?;
            UpdateOf::Gset(model::GSetUpdate { add: line.text()?.to_owned() })
        }
        DataType::OrSet => UpdateOf::Orset(model::OrSetUpdate { action: Some(or_set_update(line)?) }),
        DataType::LwwRegister => {
            line.need("set")?;
            let value = line.text()?.to_owned();
            let (clock, custom_clock_value) = clock(line)?;
            let clock = Some(model::LwwRegisterClock { clock_type: clock, custom_clock_value });
            UpdateOf::Lwwregister(model::LwwRegisterUpdate { value, clock })
        }
        DataType::Flag => {
            line.need("enable")?;
            UpdateOf::Flag(model::FlagUpdate {})
        }
        DataType::OrMap => {
            UpdateOf::Ormap(Box::new(model::OrMapUpdate { action: Some(or_map_update(line)?) }))
        }
        DataType::Vote => {
            line.need("vote")?;
            UpdateOf::Vote(model::VoteUpdate { self_vote: line.boolean()? })
        }
    };
    Ok(model::Update { update: Some(update), ..Default::default() })
}

fn or_set_update(line: &mut Cursor<'_>) -> Result<model::or_set_update::Action, Problem> {
    use model::or_set_update::Action;
    Ok(if line.eat("clear") {
        Action::Clear(true)
    } else if line.eat("rm") {
        Action::Remove(line.text()?.to_owned())
    } else {
        line.need("add")?;
        Action::Add(line.text()?.to_owned())
    })
}

fn or_map_update(line: &mut Cursor<'_>) -> Result<model::or_map_update::Action, Problem> {
    use model::or_map_update::Action;
    Ok(if line.eat("clear") {
        Action::Clear(true)
    } else if line.eat("rm") {
        Action::Remove(line.text()?.to_owned())
    } else if line.eat("add") {
        Action::Add(line.text()?.to_owned())
    } else {
        let key = line.word()?;
        line.need("/")?;
        let update = Some(Box::new(update(DataType::of(key)?, line)?));
        Action::Update(Box::new(model::OrMapEntryUpdate { key: key.to_owned(), update }))
    })
}

fn state(crdt: DataType, line: &mut Cursor<'_>) -> Result<model::State, Problem> {
    let value = match crdt {
        DataType::GCounter => Value::Gcounter(model::GCounterValue { value: line.number()? }),
        DataType::PnCounter => Value::Pncounter(model::PnCounterValue { value: line.number()? }),
        DataType::GSet => Value::Gset(model::GSetValue { elements: elements(line)? }),
        DataType::OrSet => Value::Orset(model::OrSetValue { elements: elements(line)? }),
        DataType::LwwRegister => {
            Value::Lwwregister(model::LwwRegisterValue { value: line.text()?.to_owned() })
        }
        DataType::Flag => Value::Flag(model::FlagValue { value: line.boolean()? }),
        DataType::OrMap => {
            let entries = line.list(["{", "}"], |line| {
                let (key, crdt) = key(line)?;
                Ok(model::OrMapEntryValue { key, value: Some(state(crdt, line)?) })
            })?;
            Value::Ormap(model::OrMapValue { entries })
        }
        DataType::Vote => {
            let (self_vote, votes_for, total_voters) = vote(line)?;
            Value::Vote(model::VoteValue { self_vote, votes_for, total_voters })
        }
    };
    Ok(model::State { value: Some(value) })
}

fn elements(line: &mut Cursor<'_>) -> Result<Vec<String>, Problem> {
    line.list(["{", "}"], |line| Ok(line.text()?.to_owned()))
}

/// `Flag-1:`
fn key(line: &mut Cursor<'_>) -> Result<(String, DataType), Problem> {
    let key = line.word()?;
    line.need(":")?;
    Ok((key.to_owned(), DataType::of(key)?))
}

/// `(true,2,3)`
fn vote(line: &mut Cursor<'_>) -> Result<(bool, i32, i32), Problem> {
    line.need("(")?;
    let self_vote = line.boolean()?;
    line.need(",")?;
    let votes_for = line.number()?;
    line.need(",")?;
    let total_voters = line.number()?;
    line.need(")")?;
    Ok((self_vote, votes_for, total_voters))
}

/// What follows `Δ`. Of a vote, a service says only its own.
fn delta_from_service(crdt: DataType, line: &mut Cursor<'_>) -> Result<CrdtDelta, Problem> {
    match crdt {
        DataType::Vote => {
            let vote = VoteDelta { self_vote: line.boolean()?, ..VoteDelta::default() };
            Ok(CrdtDelta { delta: Some(Delta::Vote(vote)) })
        }
        _ => delta(crdt, line),
    }
}

fn delta(crdt: DataType, line: &mut Cursor<'_>) -> Result<CrdtDelta, Problem> {
    let delta = match crdt {
        DataType::GCounter => Delta::Gcounter(GCounterDelta { increment: line.number()? }),
        DataType::PnCounter => Delta::Pncounter(PnCounterDelta { change: line.number()? }),
        DataType::GSet => Delta::Gset(GSetDelta { added: strings(line)? }),
        DataType::OrSet => Delta::Orset(or_set_delta(line)?),
        DataType::LwwRegister => {
            let value = Some(string(line.text()?));
            let (clock, custom_clock_value) = clock(line)?;
            Delta::Lwwregister(LwwRegisterDelta { value, clock, custom_clock_value })
        }
        DataType::Flag => Delta::Flag(FlagDelta { value: line.boolean()? }),
        DataType::OrMap => Delta::Ormap(or_map_delta(line)?),
        DataType::Vote => {
            let (self_vote, votes_for, total_voters) = vote(line)?;
            Delta::Vote(VoteDelta { self_vote, votes_for, total_voters })
        }
    };
    Ok(CrdtDelta { delta: Some(delta) })
}

/// `(clear rm{a} add{b})`
fn or_set_delta(line: &mut Cursor<'_>) -> Result<OrSetDelta, Problem> {
    let mut delta = OrSetDelta::default();
    line.need("(")?;
    delta.cleared = line.eat("clear");
    if line.eat("rm") {
        delta.removed = strings(line)?;
    }
    if line.eat("add") {
        delta.added = strings(line)?;
    }
    line.need(")")?;
    Ok(delta)
}

/// `(clear rm{K} upd{K: Δd} add{K: Δd})`
fn or_map_delta(line: &mut Cursor<'_>) -> Result<OrMapDelta, Problem> {
    let mut delta = OrMapDelta::default();
    line.need("(")?;
    delta.cleared = line.eat("clear");
    if line.eat("rm") {
        delta.removed = strings(line)?;
    }
    if line.eat("upd") {
        delta.updated = line.list(["{", "}"], entry_delta)?;
    }
    if line.eat("add") {
        delta.added = line.list(["{", "}"], entry_delta)?;
    }
    line.need(")")?;
    Ok(delta)
}

fn entry_delta(line: &mut Cursor<'_>) -> Result<OrMapEntryDelta, Problem> {
    let (key, crdt) = key(line)?;
    line.need("Δ")?;
    Ok(OrMapEntryDelta { key: Some(string(&key)), delta: Some(delta(crdt, line)?) })
}

fn strings(line: &mut Cursor<'_>) -> Result<Vec<Any>, Problem> {
    line.list(["{", "}"], |line| Ok(string(line.text()?)))
}

/// A string as the protocol puts primitives into payloads: field 1, and nothing at all for the empty one.
fn string(text: &str) -> Any {
    // `google.protobuf.StringValue` has the same bytes.
    let value = prost::Message::encode_to_vec(&text.to_owned());
    Any { type_url: "p.cloudstate.io/string".to_owned(), value: value.into() }
}

/// `@CUSTOM 123`; nothing means the default clock.
fn clock(line: &mut Cursor<'_>) -> Result<(i32, i64), Problem> {
    // `@LOCAL` and its like speak of write consistency, which only whole commands have.
    if !line.eat("@") {
        return Ok((CrdtClock::Default as i32, 0));
    }
    let name = line.word()?;
    let clock = CrdtClock::from_str_name(name).ok_or_else(|| format!("there is no clock `{name}`"))?;
    let custom = matches!(clock, CrdtClock::Custom | CrdtClock::CustomAutoIncrement);
    Ok((clock as i32, if custom { line.number()? } else { 0 }))
}

fn write_consistency(line: &mut Cursor<'_>) -> Result<i32, Problem> {
    let name = line.word()?;
    let consistency = CrdtWriteConsistency::from_str_name(name);
    consistency.map(i32::from).ok_or_else(|| format!("there is no write consistency `{name}`"))
}

/// The order inside the lists of a delta is free, and so are the words of a failure of the stream.
fn forgive(message: &mut CrdtStreamOut) {
    use crdt_stream_out::Message;
    let action = match &mut message.message {
        Some(Message::Failure(failure)) => return command::forgive_words(failure),
        Some(Message::Reply(reply)) => reply.state_action.as_mut(),
        Some(Message::StreamCancelledResponse(response)) => response.state_action.as_mut(),
        Some(Message::StreamedMessage(_)) | None => None,
    };
    if let Some(CrdtStateAction { action: Some(crdt_state_action::Action::Update(delta)), .. }) = action {
        sort(delta);
    }
}

fn sort(delta: &mut CrdtDelta) {
    match &mut delta.delta {
        Some(Delta::Gset(delta)) => delta.added.sort_by(in_order),
        Some(Delta::Orset(delta)) => {
            delta.removed.sort_by(in_order);
            delta.added.sort_by(in_order);
        }
        Some(Delta::Ormap(delta)) => {
            delta.removed.sort_by(in_order);
            sort_entries(&mut delta.updated);
            sort_entries(&mut delta.added);
        }
        _ => {}
    }
}

fn sort_entries(entries: &mut [OrMapEntryDelta]) {
    entries.iter_mut().filter_map(|entry| entry.delta.as_mut()).for_each(sort);
    entries.sort_by(|a, b| match (&a.key, &b.key) {
        (Some(a), Some(b)) => in_order(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
}

fn in_order(a: &Any, b: &Any) -> std::cmp::Ordering {
    (&a.value, &a.type_url).cmp(&(&b.value, &b.type_url))
}
