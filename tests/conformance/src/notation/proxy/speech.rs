//! Who speaks: the words in which clients, proxy and user function speak about one service.

use cloudstate_proto::{
    Any, Command, Failure, Metadata, Reply,
    action::{ActionCommand, ActionResponse, action_response},
    crdt::{CrdtStreamOut, crdt_stream_out},
    eventsourced::{
        EventSourcedInit, EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_stream_in, event_sourced_stream_out,
    },
    valueentity::{ValueEntityStreamOut, value_entity_stream_out},
};
use prost_reflect::MethodDescriptor;

use super::any_message;
use crate::{
    area::Area,
    model::pack,
    notation::{
        action, command, crdt,
        cursor::{Cursor, Problem},
        event_sourced, eventing,
        script::Notation as _,
        value_entity,
    },
    protocol::{self, ActionCall},
    proxy::{
        message::Message,
        scenario::{Heard, MetadataRule},
    },
    scenario::Step,
};

/// Names of services.
pub(super) enum Who {}

impl Who {
    /// The kit's own services, the models of the area, or the name as it is if it has a package.
    pub(super) fn full_name(area: Area, name: &str) -> String {
        if name.contains('.') { name.to_owned() } else { area.service(name) }
    }
}

/// How a service is spoken about.
pub(super) struct Speech {
    pub(super) service: String,
    kind: Kind,
}

enum Kind {
    EventSourced(event_sourced::Notation),
    ValueEntity(value_entity::Notation),
    Crdt(crdt::Notation),
    Action(action::Notation),
    Emitter(eventing::Emitter),
    Subscriber(eventing::Subscriber),
    /// Messages of any type, of an action.
    Typed,
    /// Messages of any type, of event sourced entities.
    TypedEntity {
        id: String,
    },
}

const EVENT_SOURCED: &str = "/cloudstate.eventsourced.EventSourced/handle";
const VALUE_ENTITY: &str = "/cloudstate.valueentity.ValueEntity/handle";
const CRDT: &str = "/cloudstate.crdt.Crdt/handle";
const ACTION: [&str; 4] = [
    "/cloudstate.action.ActionProtocol/handleUnary",
    "/cloudstate.action.ActionProtocol/handleStreamedIn",
    "/cloudstate.action.ActionProtocol/handleStreamedOut",
    "/cloudstate.action.ActionProtocol/handleStreamed",
];

impl Speech {
    pub(super) fn of(service: &str, id: &str, data_type: &str) -> Result<Self, Problem> {
        let (package, name) = service.rsplit_once('.').unwrap_or(("", service));
        let (owned, id) = (service.to_owned(), id.to_owned());
        let area = Area::ALL.into_iter().find(|area| *area != Area::Discovery && area.package() == package);
        let kind = match area {
            Some(Area::EventSourced) => Kind::EventSourced(event_sourced::Notation::new(owned, id)),
            Some(Area::ValueEntity) => Kind::ValueEntity(value_entity::Notation::new(owned, id)),
            Some(Area::Crdt) => Kind::Crdt(crdt::Notation::new(owned, data_type, id)?),
            Some(Area::Action) => Kind::Action(action::Notation),
            Some(Area::Eventing) if name == "EventLogSubscriberModel" => {
                Kind::Subscriber(eventing::Subscriber)
            }
            Some(Area::Eventing) => Kind::Emitter(eventing::Emitter::new(owned, id)),
            _ if name == "Keys" => Kind::TypedEntity { id },
            _ => Kind::Typed,
        };
        Ok(Self { service: service.to_owned(), kind })
    }

    /// The path of the stream of an entity.
    pub(super) fn stream(&self) -> Option<&'static str> {
        match self.kind {
            Kind::EventSourced(_) | Kind::Emitter(_) | Kind::TypedEntity { .. } => Some(EVENT_SOURCED),
            Kind::ValueEntity(_) => Some(VALUE_ENTITY),
            Kind::Crdt(_) => Some(CRDT),
            Kind::Action(_) | Kind::Subscriber(_) | Kind::Typed => None,
        }
    }

    fn method(&self, name: &str) -> Result<MethodDescriptor, Problem> {
        any_message::method(&self.service, name)
    }

    /// What a client sends.
    pub(super) fn request(&self, method: &str, line: &mut Cursor<'_>) -> Result<Message, Problem> {
        let name = match self.method(method) {
            Ok(method) => method.input().full_name().to_owned(),
            // For what nobody serves.
            Err(_) => String::new(),
        };
        if line.eat("bytes") {
            return Ok(Message::exactly(name, any_message::hex(line.word()?)?));
        }
        let payload = match &self.kind {
            _ if name.is_empty() => {
                line.need("{}")?;
                Any::default()
            }
            Kind::EventSourced(notation) => any_message::and_more(line, |line| notation.request(line))?,
            Kind::ValueEntity(notation) => any_message::and_more(line, |line| notation.request(line))?,
            Kind::Crdt(notation) if method == "ProcessStreamed" => notation.streamed_request(line)?,
            Kind::Crdt(notation) => any_message::and_more(line, |line| notation.request(line))?,
            Kind::Action(_) => action::payload(line)?,
            Kind::Emitter(notation) => notation.request(line)?,
            Kind::Subscriber(_) => eventing::event(line)?,
            Kind::Typed | Kind::TypedEntity { .. } => {
                any_message::pack(&any_message::message(line, self.method(method)?.input())?)
            }
        };
        Ok(Message::exactly(name, payload.value))
    }

    /// What a client gets.
    pub(super) fn response(&self, method: &str, line: &mut Cursor<'_>) -> Result<Message, Problem> {
        let name = self.method(method)?.output().full_name().to_owned();
        if line.eat("bytes") {
            return Ok(Message::exactly(name, any_message::hex(line.word()?)?));
        }
        let payload = match &self.kind {
            _ if line.eat("empty") => None,
            Kind::EventSourced(_) => event_sourced::response(line)?,
            Kind::ValueEntity(_) => value_entity::response(line)?,
            Kind::Crdt(notation) => notation.response(line)?,
            Kind::Action(_) => {
                Some(pack(&crate::model::action::Response { message: line.text()?.to_owned() }))
            }
            Kind::Emitter(_) | Kind::Subscriber(_) | Kind::Typed | Kind::TypedEntity { .. } => {
                Some(any_message::pack(&any_message::message(line, self.method(method)?.output())?))
            }
        };
        Ok(Message::exactly(name, payload.unwrap_or_default().value))
    }

    /// What the proxy says to the user function.
    pub(super) fn heard(&self, line: &mut Cursor<'_>) -> Result<Heard, Problem> {
        match &self.kind {
            Kind::EventSourced(notation) => of_stream(notation.send(line)?, |_| {}),
            Kind::Emitter(notation) => of_stream(notation.send(line)?, |_| {}),
            Kind::ValueEntity(notation) => of_stream(notation.send(line)?, |_| {}),
            Kind::Crdt(notation) => of_stream(notation.send(line)?, crdt::forgive_order),
            Kind::Action(notation) => of_action(notation.send(line)?, line),
            Kind::Subscriber(notation) => of_action(notation.send(line)?, line),
            Kind::Typed => of_action(self.typed_call(line)?, line),
            Kind::TypedEntity { id } => {
                of_stream(Step::<protocol::EventSourced>::Send(self.typed_command(id, line)?), |_| {})
            }
        }
    }

    /// `Get {name: "a"}` begins a call, `open Get` one of streamed input, `{name: "a"}` continues it.
    fn typed_call(&self, line: &mut Cursor<'_>) -> Result<Step<protocol::Action>, Problem> {
        let name = line.word()?;
        let method = self.method(name)?;
        let payload = Some(any_message::pack(&any_message::message(line, method.input())?));
        let metadata = action::metadata(line)?;
        let command =
            ActionCommand { service_name: self.service.clone(), name: name.to_owned(), payload, metadata };
        let call = if method.is_server_streaming() { ActionCall::StreamedOut } else { ActionCall::Unary };
        Ok(Step::Open(call(command)))
    }

    fn typed_command(&self, id: &str, line: &mut Cursor<'_>) -> Result<EventSourcedStreamIn, Problem> {
        use event_sourced_stream_in::Message;
        let message = if line.eat("init") {
            let entity_id = id.to_owned();
            Message::Init(EventSourcedInit { service_name: self.service.clone(), entity_id, snapshot: None })
        } else {
            let command_id = line.number()?;
            let name = line.word()?;
            let payload = any_message::message(line, self.method(name)?.input())?;
            Message::Command(Command {
                entity_id: id.to_owned(),
                id: command_id,
                name: name.to_owned(),
                payload: Some(any_message::pack(&payload)),
                ..Command::default()
            })
        };
        Ok(EventSourcedStreamIn { message: Some(message) })
    }

    /// What the user function says to the proxy.
    pub(super) fn said(&self, line: &mut Cursor<'_>) -> Result<Message, Problem> {
        if line.eat("bytes") {
            return Ok(Message::exactly("", any_message::hex(line.word()?)?));
        }
        if line.eat("stream failure") {
            return self.stream_failure(line);
        }
        match &self.kind {
            Kind::EventSourced(notation) => expected(notation.expect(line)?),
            Kind::Emitter(notation) => expected(notation.expect(line)?),
            Kind::ValueEntity(notation) => expected(notation.expect(line)?),
            Kind::Crdt(notation) => expected(notation.expect(line)?),
            Kind::Action(notation) => response(notation.expect(line)?.message),
            Kind::Subscriber(notation) => response(notation.expect(line)?.message),
            Kind::Typed => response(self.typed_response(line)?),
            Kind::TypedEntity { .. } => {
                let command_id = line.number()?;
                line.need("reply")?;
                let payload = any_message::message(line, self.method("Number")?.output())?;
                let client_action = Some(command::reply(any_message::pack(&payload)));
                let reply = EventSourcedReply { command_id, client_action, ..EventSourcedReply::default() };
                let message = Some(event_sourced_stream_out::Message::Reply(reply));
                Ok(Message::of(&EventSourcedStreamOut { message }, |_| {}))
            }
        }
    }

    /// `reply Get {name: "a"}`: an output of that method.
    fn typed_response(&self, line: &mut Cursor<'_>) -> Result<ActionResponse, Problem> {
        let expected = action::response(line, |line| {
            line.need("reply")?;
            let payload = if line.eat("none") {
                None
            } else {
                let method = self.method(line.word()?)?;
                Some(any_message::pack(&any_message::message(line, method.output())?))
            };
            Ok(action_response::Response::Reply(Reply { payload, metadata: action::metadata(line)? }))
        })?;
        Ok(expected.message)
    }

    /// `2 "text"`: a failure of the whole stream, which names command 2.
    fn stream_failure(&self, line: &mut Cursor<'_>) -> Result<Message, Problem> {
        let command_id = line.number()?;
        let failure = Failure { command_id, ..command::failure(line)? };
        Ok(match self.kind {
            Kind::ValueEntity(_) => {
                let message = Some(value_entity_stream_out::Message::Failure(failure));
                Message::of(&ValueEntityStreamOut { message }, |_| {})
            }
            Kind::Crdt(_) => {
                let message = Some(crdt_stream_out::Message::Failure(failure));
                Message::of(&CrdtStreamOut { message }, |_| {})
            }
            _ => {
                let message = Some(event_sourced_stream_out::Message::Failure(failure));
                Message::of(&EventSourcedStreamOut { message }, |_| {})
            }
        })
    }
}

fn expected<M: prost::Message + prost::Name + Default + 'static>(
    expected: crate::scenario::Expected<M>,
) -> Result<Message, Problem> {
    Ok(Message::of(&expected.message, expected.forgive))
}

fn response(response: ActionResponse) -> Result<Message, Problem> {
    Ok(Message::of(&response, forgive_metadata))
}

/// What a real user function adds to replies and forwards is its own affair.
fn forgive_metadata(response: &mut ActionResponse) {
    match &mut response.response {
        Some(action_response::Response::Reply(reply)) => reply.metadata = None,
        Some(action_response::Response::Forward(forward)) => forward.metadata = None,
        Some(action_response::Response::Failure(_)) | None => {}
    }
    response.side_effects.iter_mut().for_each(|effect| effect.metadata = None);
}

fn of_stream<P: protocol::Protocol>(step: Step<P>, forgive: fn(&mut P::In)) -> Result<Heard, Problem>
where
    P::In: prost::Name + Default,
{
    match step {
        Step::Send(message) => Ok(Heard {
            path: None,
            message: Message::of(&message, forgive),
            metadata: MetadataRule::default(),
        }),
        _ => Err("is no message of an entity's stream".to_owned()),
    }
}

fn of_action(step: Step<protocol::Action>, line: &mut Cursor<'_>) -> Result<Heard, Problem> {
    let [unary, streamed_in, streamed_out, streamed] = ACTION.map(Some);
    let (path, command) = match step {
        Step::Open(ActionCall::Unary(command)) => (unary, command),
        Step::Open(ActionCall::StreamedIn(command)) => (streamed_in, command),
        Step::Open(ActionCall::StreamedOut(command)) => (streamed_out, command),
        Step::Open(ActionCall::Streamed(command)) => (streamed, command),
        Step::Send(command) => (None, command),
        _ => return Err("is no command of an action".to_owned()),
    };
    let mut metadata = MetadataRule {
        with: command.metadata.clone().map(|Metadata { entries }| entries).unwrap_or_default(),
        ..MetadataRule::default()
    };
    while line.eat("without") {
        metadata.without.push(line.text()?.to_owned());
    }
    metadata.nothing_else = line.eat("and nothing else");
    Ok(Heard { path, message: Message::of(&command, |command| command.metadata = None), metadata })
}
