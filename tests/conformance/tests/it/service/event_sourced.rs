use cloudstate_proto::{
    Any, Command,
    client_action::Action,
    eventsourced::{
        EventSourcedInit, EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_server::EventSourced, event_sourced_stream_in, event_sourced_stream_out,
    },
};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::{Answers, Asked, Fault, Sender, call, failure};
use crate::model::{
    event_sourced::{Persisted, Request as ModelRequest, Response as ModelResponse, request_action},
    pack,
};

pub(super) struct Model(pub(super) Option<Fault>);

#[tonic::async_trait]
impl EventSourced for Model {
    type handleStream = Answers<EventSourcedStreamOut>;

    async fn handle(
        &self,
        request: Request<Streaming<EventSourcedStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        let (sender, answers) = mpsc::channel(8);
        tokio::spawn(serve(request.into_inner(), sender, self.0));
        Ok(Response::new(Answers::new(answers)))
    }
}

async fn serve(
    mut messages: Streaming<EventSourcedStreamIn>,
    sender: Sender<EventSourcedStreamOut>,
    fault: Option<Fault>,
) {
    use event_sourced_stream_in::Message;
    let mut instance: Option<Instance> = None;
    while let Ok(Some(message)) = messages.message().await {
        let outcome = match (&mut instance, message.message) {
            (None, Some(Message::Init(init))) => start(init, fault).map(|started| {
                instance = Some(started);
                None
            }),
            (Some(instance), Some(Message::Event(event))) => {
                instance.value.push_str(&persisted(event.payload.as_ref()));
                if fault != Some(Fault::SequenceNotRestored) {
                    instance.sequence = event.sequence;
                }
                Ok(None)
            }
            (Some(instance), Some(Message::Command(command))) => instance.handle(command),
            _ => Err("this is not the time for such a message".to_owned()),
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(Answer::Reply(reply))) => {
                send(&sender, event_sourced_stream_out::Message::Reply(*reply)).await
            }
            Ok(Some(Answer::StreamFailure(text))) => {
                send(&sender, event_sourced_stream_out::Message::Failure(failure(0, &text))).await;
            }
            Ok(Some(Answer::Break)) => {
                let _ = sender.send(Err(Status::internal("broken"))).await;
                return;
            }
            Ok(Some(Answer::Nothing)) => {}
            Err(text) => {
                return send(&sender, event_sourced_stream_out::Message::Failure(failure(0, &text))).await;
            }
        }
    }
    match fault {
        Some(Fault::NeverEnds) => std::future::pending().await,
        Some(Fault::EndsWithError) => {
            let _ = sender.send(Err(Status::cancelled("half-closed"))).await;
        }
        Some(Fault::ExtraMessageAtTheEnd) => {
            let reply = EventSourcedReply { command_id: 1, ..EventSourcedReply::default() };
            send(&sender, event_sourced_stream_out::Message::Reply(reply)).await;
        }
        _ => {}
    }
}

async fn send(sender: &Sender<EventSourcedStreamOut>, message: event_sourced_stream_out::Message) {
    let _ = sender.send(Ok(EventSourcedStreamOut { message: Some(message) })).await;
}

enum Answer {
    Reply(Box<EventSourcedReply>),
    StreamFailure(String),
    Break,
    Nothing,
}

struct Instance {
    is_model: bool,
    id: String,
    value: String,
    sequence: i64,
    commands: i64,
    fault: Option<Fault>,
}

fn start(init: EventSourcedInit, fault: Option<Fault>) -> Result<Instance, String> {
    let name = init.service_name.strip_prefix("cloudstate.tck.model.").unwrap_or_default();
    if !["EventSourcedTckModel", "EventSourcedTwo", "EventSourcedConfigured"].contains(&name) {
        return Err(format!("unknown service {}", init.service_name));
    }
    let snapshot = init.snapshot.unwrap_or_default();
    let ignored = fault == Some(Fault::SnapshotIgnored);
    Ok(Instance {
        is_model: name == "EventSourcedTckModel",
        id: init.entity_id,
        value: if ignored { String::new() } else { persisted(snapshot.snapshot.as_ref()) },
        sequence: if fault == Some(Fault::SequenceNotRestored) { 0 } else { snapshot.snapshot_sequence },
        commands: 0,
        fault,
    })
}

impl Instance {
    fn handle(&mut self, command: Command) -> Result<Option<Answer>, String> {
        if command.entity_id != self.id && self.fault != Some(Fault::AnyEntity) {
            return Err(format!("a command for {}", command.entity_id));
        }
        if command.name != if self.is_model { "Process" } else { "Call" } {
            return Err(format!("unknown command {}", command.name));
        }
        let payload = command.payload.ok_or("no payload")?;
        let request = ModelRequest::decode(payload.value).map_err(|error| error.to_string())?;
        if !self.is_model {
            return Ok(Some(Answer::Reply(Box::new(self.reply(
                command.id,
                &Asked::default(),
                vec![],
                None,
            )))));
        }
        self.commands += 1;
        Ok(Some(self.process(command.id, request)))
    }

    fn process(&mut self, command_id: i64, request: ModelRequest) -> Answer {
        let (value_before, sequence_before) = (self.value.clone(), self.sequence);
        let mut asked = Asked::default();
        let mut events = Vec::new();
        for action in request.actions {
            self.act(action.action, &mut asked, &mut events);
            if asked.failure.is_some() {
                break;
            }
        }
        if asked.failure.is_some() {
            return self.fail(command_id, &asked, !events.is_empty(), value_before, sequence_before);
        }
        if asked.forward.is_some() && self.fault == Some(Fault::StallsOnForwards) {
            return Answer::Nothing;
        }
        self.sequence += events.len() as i64;
        let due = match self.fault {
            Some(Fault::NoSnapshots) => false,
            Some(Fault::SnapshotsByCommands) => self.commands % 5 == 0,
            _ => sequence_before / 5 != self.sequence / 5,
        };
        let snapshot = due.then(|| match self.fault {
            Some(Fault::SnapshotsBeforeEvents) => value_before,
            _ => self.value.clone(),
        });
        Answer::Reply(Box::new(self.reply(command_id, &asked, events, snapshot)))
    }

    fn act(&mut self, action: Option<request_action::Action>, asked: &mut Asked, events: &mut Vec<Any>) {
        use request_action::Action;
        let two =
            |id| call("cloudstate.tck.model.EventSourcedTwo", pack(&ModelRequest { id, actions: vec![] }));
        match action {
            Some(Action::Emit(emit)) => {
                self.value.push_str(&emit.value);
                let mut event = pack(&Persisted { value: emit.value });
                if self.fault == Some(Fault::WrongTypeUrl) {
                    event.type_url = "type.googleapis.com/Persisted".to_owned();
                }
                events.push(event);
            }
            Some(Action::Forward(forward)) => asked.forward = Some(two(forward.id)),
            Some(Action::Effect(effect)) => {
                asked.add_side_effect(two(effect.id), effect.synchronous, self.fault);
            }
            Some(Action::Fail(fail)) => asked.failure = Some(fail.message),
            None => {}
        }
    }

    fn fail(
        &mut self,
        command_id: i64,
        asked: &Asked,
        emitted: bool,
        value: String,
        sequence: i64,
    ) -> Answer {
        if self.fault != Some(Fault::NoRollback) {
            (self.value, self.sequence) = (value, sequence);
        }
        match self.fault {
            Some(Fault::FailuresOfTheStream) => {
                return Answer::StreamFailure(asked.failure.clone().unwrap_or_default());
            }
            Some(Fault::BreaksOnFailures) => return Answer::Break,
            _ => {}
        }
        let mut reply = self.reply(command_id, asked, vec![], None);
        let restart = match self.fault {
            Some(Fault::AlwaysRestarts) => true,
            Some(Fault::RestartsAfterEmit) => emitted,
            _ => false,
        };
        if let Some(Action::Failure(failure)) = reply.client_action.as_mut().and_then(|a| a.action.as_mut()) {
            failure.restart = restart;
            if self.fault == Some(Fault::FailuresWithoutCommandId) {
                failure.command_id = 0;
            }
        }
        Answer::Reply(Box::new(reply))
    }

    fn reply(
        &self,
        command_id: i64,
        asked: &Asked,
        events: Vec<Any>,
        snapshot: Option<String>,
    ) -> EventSourcedReply {
        let message = if self.is_model { self.value.clone() } else { String::new() };
        let mut response = pack(&ModelResponse { message });
        if self.fault == Some(Fault::DefaultsWritten) && response.value.is_empty() {
            response.value = vec![0x0a, 0].into();
        }
        EventSourcedReply {
            command_id,
            client_action: Some(asked.client_action(command_id, response, self.fault)),
            side_effects: asked.side_effects(self.fault),
            events,
            snapshot: snapshot.map(|value| pack(&Persisted { value })),
        }
    }
}

fn persisted(payload: Option<&Any>) -> String {
    payload.map(|payload| Persisted::decode(payload.value.clone()).unwrap().value).unwrap_or_default()
}
