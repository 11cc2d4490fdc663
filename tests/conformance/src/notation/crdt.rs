mod data_type;
mod delta;
mod state;
mod update;

use cloudstate_proto::{
    Any, StreamCancelled,
    crdt::{
        CrdtDelete, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse,
        CrdtStreamIn, CrdtStreamOut, CrdtStreamedMessage, CrdtWriteConsistency, crdt_state_action,
        crdt_stream_in, crdt_stream_out,
    },
};

use super::{
    command::{self, Entity, Target},
    cursor::{Cursor, Problem},
    script,
};
use crate::{
    area::Area,
    model::{
        crdt::{self as model, request_action},
        pack,
    },
    protocol::Crdt,
    scenario::{Expected, Step},
};
use data_type::DataType;
use delta::{delta, delta_from_service};
use state::state;
use update::update;

/// Conversations with `CrdtTckModel`.
pub(super) struct Notation {
    crdt: DataType,
    entity: Entity,
    target: Target,
}

impl Notation {
    pub(super) fn new(service: String, data_type: &str, id: String) -> Result<Self, Problem> {
        Ok(Self {
            crdt: DataType::of(data_type)?,
            entity: Entity { service, id },
            target: Target {
                service: Area::Crdt.service("CrdtTwo"),
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
        self.entity.command(line, |line| self.request(line))
    }

    pub(super) fn request(&self, line: &mut Cursor<'_>) -> Result<Any, Problem> {
        let actions = line.list(["[", "]"], |line| self.request_action(line))?;
        Ok(pack(&model::Request { id: self.entity.id.clone(), actions }))
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
    pub(super) fn streamed_request(&self, line: &mut Cursor<'_>) -> Result<Any, Problem> {
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
    pub(super) fn response(&self, line: &mut Cursor<'_>) -> Result<Option<Any>, Problem> {
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
            // `Δ of Flag true`: of a type that the entity has not; `Δ nothing`: of none.
            let crdt = if line.eat("of") { DataType::of(line.word()?)? } else { self.crdt };
            let delta =
                if line.eat("nothing") { CrdtDelta::default() } else { delta_from_service(crdt, line)? };
            crdt_state_action::Action::Update(delta)
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

/// The order inside the lists of a delta is free.
pub(super) fn forgive_order(message: &mut CrdtStreamIn) {
    use crdt_stream_in::Message;
    if let Some(Message::Init(CrdtInit { delta: Some(delta), .. }) | Message::Delta(delta)) =
        &mut message.message
    {
        delta::sort(delta);
    }
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
        delta::sort(delta);
    }
}
