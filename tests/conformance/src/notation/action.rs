use cloudstate_proto::{
    Metadata, MetadataEntry, Reply,
    action::{ActionCommand, ActionResponse, action_response},
    metadata_entry,
};

use super::{
    any_message,
    command::Target,
    cursor::{Cursor, Problem},
    script,
};
use crate::{
    area::Area,
    model::{
        action::{
            Fail, Forward, OtherRequest, ProcessGroup, ProcessStep, Reply as ReplyStep, Request, Response,
            SideEffect, process_step::Step as StepOf,
        },
        pack,
    },
    protocol::{Action, ActionCall},
    scenario::{Expected, Step},
};

/// Conversations with `ActionTckModel`.
pub(super) struct Notation;

impl Notation {
    fn target(&self) -> Target {
        let request = |id| pack(&OtherRequest { id });
        Target { service: Area::Action.service("ActionTwo"), request }
    }
}

impl script::Notation for Notation {
    type Protocol = Action;

    fn send(&self, line: &mut Cursor<'_>) -> Result<Step<Action>, Problem> {
        if line.eat("open StreamedIn") {
            return Ok(Step::Open(ActionCall::StreamedIn(head_with_metadata(line, "ProcessStreamedIn")?)));
        }
        if line.eat("open Streamed") {
            return Ok(Step::Open(ActionCall::Streamed(head_with_metadata(line, "ProcessStreamed")?)));
        }
        if line.starts_with("{") {
            return Ok(Step::Send(ActionCommand {
                payload: Some(pack(&request(line)?)),
                ..Default::default()
            }));
        }
        let streamed = line.eat("StreamedOut");
        if !streamed {
            line.need("Unary")?;
        }
        let mut command = head(line, if streamed { "ProcessStreamedOut" } else { "ProcessUnary" })?;
        command.payload = Some(payload(line)?);
        command.metadata = metadata(line)?;
        let call = if streamed { ActionCall::StreamedOut } else { ActionCall::Unary };
        Ok(Step::Open(call(command)))
    }

    fn expect(&self, line: &mut Cursor<'_>) -> Result<Expected<ActionResponse>, Problem> {
        let target = self.target();
        let word = |line: &mut Cursor<'_>| Ok(line.word()?.to_owned());
        let mut expected = response(line, |line| {
            if line.eat("forward") {
                return Ok(action_response::Response::Forward(target.forward_of(line, word)?));
            }
            line.need("reply")?;
            let payload = Some(pack(&Response { message: line.text()?.to_owned() }));
            Ok(action_response::Response::Reply(Reply { payload, metadata: metadata(line)? }))
        })?;
        if line.eat("; fx") {
            expected.message.side_effects = target.side_effects(line, word)?;
        }
        Ok(expected)
    }
}

/// Whom a call is for: the model, unless another service or another command is named.
fn head(line: &mut Cursor<'_>, command: &str) -> Result<ActionCommand, Problem> {
    let service_name =
        if line.eat("for") { line.word()?.to_owned() } else { Area::Action.service("ActionTckModel") };
    let name = if line.eat("command") { line.word()? } else { command };
    Ok(ActionCommand { service_name, name: name.to_owned(), ..Default::default() })
}

fn head_with_metadata(line: &mut Cursor<'_>, command: &str) -> Result<ActionCommand, Problem> {
    Ok(ActionCommand { metadata: metadata(line)?, ..head(line, command)? })
}

/// Groups of steps, or `other x` for the second service.
pub(super) fn payload(line: &mut Cursor<'_>) -> Result<cloudstate_proto::Any, Problem> {
    if line.eat("other") {
        return Ok(pack(&OtherRequest { id: line.text()?.to_owned() }));
    }
    any_message::and_more(line, |line| Ok(pack(&request(line)?)))
}

/// `with "key" = "value"`, `with "key" = bytes "value"`
pub(super) fn metadata(line: &mut Cursor<'_>) -> Result<Option<Metadata>, Problem> {
    let mut entries = Vec::new();
    while line.eat("with") {
        let key = line.text()?.to_owned();
        line.need("=")?;
        let value = if line.eat("bytes") {
            metadata_entry::Value::BytesValue(line.text()?.to_owned().into())
        } else {
            metadata_entry::Value::StringValue(line.text()?.to_owned())
        };
        entries.push(MetadataEntry { key, value: Some(value) });
    }
    Ok(if entries.is_empty() { None } else { Some(Metadata { entries }) })
}

/// `none`, `fail "text"`, `failure` of any text, or what the area adds.
pub(super) fn response(
    line: &mut Cursor<'_>,
    other: impl FnOnce(&mut Cursor<'_>) -> Result<action_response::Response, Problem>,
) -> Result<Expected<ActionResponse>, Problem> {
    let mut forgive: fn(&mut ActionResponse) = |_| {};
    let response = if line.eat("none") {
        None
    } else if line.eat("failure") {
        forgive = forgive_words;
        Some(action_response::Response::Failure(super::command::any_failure()))
    } else if line.eat("fail") {
        Some(action_response::Response::Failure(super::command::failure(line)?))
    } else {
        Some(other(line)?)
    };
    let message = ActionResponse { response, side_effects: vec![] };
    Ok(Expected { text: String::new(), message, forgive })
}

pub(super) fn reply<M: prost::Message + prost::Name>(message: &M) -> action_response::Response {
    action_response::Response::Reply(Reply { payload: Some(pack(message)), metadata: None })
}

fn forgive_words(response: &mut ActionResponse) {
    if let Some(action_response::Response::Failure(failure)) = &mut response.response {
        super::command::forgive_words(failure);
    }
}

/// `{[reply one, fx other] [fail two]}`: groups of steps.
fn request(line: &mut Cursor<'_>) -> Result<Request, Problem> {
    let mut groups = Vec::new();
    line.need("{")?;
    while !line.eat("}") {
        groups.push(ProcessGroup { steps: line.list(["[", "]"], step)? });
    }
    Ok(Request { groups })
}

fn step(line: &mut Cursor<'_>) -> Result<ProcessStep, Problem> {
    let step = if line.eat("reply") {
        StepOf::Reply(ReplyStep { message: line.text()?.to_owned() })
    } else if line.eat("fwd") {
        StepOf::Forward(Forward { id: line.text()?.to_owned() })
    } else if line.eat("fail") {
        StepOf::Fail(Fail { message: line.text()?.to_owned() })
    } else {
        let synchronous = line.eat("fx!");
        if !synchronous {
            line.need("fx")?;
        }
        StepOf::Effect(SideEffect { id: line.text()?.to_owned(), synchronous })
    };
    Ok(ProcessStep { step: Some(step) })
}
