use cloudstate_proto::{
    Any, Command,
    valueentity::{
        ValueEntityAction, ValueEntityDelete, ValueEntityInit, ValueEntityReply, ValueEntityStreamIn,
        ValueEntityStreamOut, ValueEntityUpdate, value_entity_action::Action,
        value_entity_server::ValueEntity, value_entity_stream_in, value_entity_stream_out,
    },
};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::{Answers, Asked, Fault, Sender, call, failure};
use crate::model::{
    pack,
    value_entity::{Persisted, Request as ModelRequest, Response as ModelResponse, request_action},
};

pub(super) struct Model(pub(super) Option<Fault>);

#[tonic::async_trait]
impl ValueEntity for Model {
    type handleStream = Answers<ValueEntityStreamOut>;

    async fn handle(
        &self,
        request: Request<Streaming<ValueEntityStreamIn>>,
    ) -> Result<Response<Self::handleStream>, Status> {
        let (sender, answers) = mpsc::channel(8);
        tokio::spawn(serve(request.into_inner(), sender, self.0));
        Ok(Response::new(Answers::new(answers)))
    }
}

async fn serve(
    mut messages: Streaming<ValueEntityStreamIn>,
    sender: Sender<ValueEntityStreamOut>,
    fault: Option<Fault>,
) {
    use value_entity_stream_in::Message;
    let mut instance: Option<Instance> = None;
    while let Ok(Some(message)) = messages.message().await {
        let outcome = match (&mut instance, message.message) {
            (None, Some(Message::Init(init))) => start(init, fault).map(|started| {
                instance = Some(started);
                None
            }),
            (Some(instance), Some(Message::Command(command))) => instance.handle(command).map(Some),
            _ => Err("this is not the time for such a message".to_owned()),
        };
        let message = match outcome {
            Ok(None) => continue,
            Ok(Some(message)) => message,
            Err(text) => value_entity_stream_out::Message::Failure(failure(0, &text)),
        };
        let ends = matches!(message, value_entity_stream_out::Message::Failure(_));
        let _ = sender.send(Ok(ValueEntityStreamOut { message: Some(message) })).await;
        if ends {
            return;
        }
    }
}

struct Instance {
    is_model: bool,
    id: String,
    value: String,
    fault: Option<Fault>,
}

fn start(init: ValueEntityInit, fault: Option<Fault>) -> Result<Instance, String> {
    let name = init.service_name.strip_prefix("cloudstate.tck.model.valueentity.").unwrap_or_default();
    if !["ValueEntityTckModel", "ValueEntityTwo", "ValueEntityConfigured"].contains(&name) {
        return Err(format!("unknown service {}", init.service_name));
    }
    let value = match init.state {
        Some(state) => match state.value {
            Some(value) => Persisted::decode(value.value).map_err(|error| error.to_string())?.value,
            None if fault == Some(Fault::EmptyValueState) => "null".to_owned(),
            None => String::new(),
        },
        None => String::new(),
    };
    Ok(Instance { is_model: name == "ValueEntityTckModel", id: init.entity_id, value, fault })
}

impl Instance {
    fn handle(&mut self, command: Command) -> Result<value_entity_stream_out::Message, String> {
        if command.entity_id != self.id && self.fault != Some(Fault::AnyEntity) {
            return Err(format!("a command for {}", command.entity_id));
        }
        if command.name != if self.is_model { "Process" } else { "Call" } {
            return Err(format!("unknown command {}", command.name));
        }
        let payload = command.payload.ok_or("no payload")?;
        let request = ModelRequest::decode(payload.value).map_err(|error| error.to_string())?;
        let before = self.value.clone();
        let mut asked = Asked::default();
        let mut actions = Vec::new();
        for action in request.actions {
            self.act(action.action, &mut asked, &mut actions);
            if let Some(text) = &asked.failure {
                if self.fault != Some(Fault::NoRollback) {
                    self.value = before;
                }
                if self.fault == Some(Fault::FailuresOfTheStream) {
                    return Err(text.clone());
                }
                actions.clear();
                break;
            }
        }
        let action = match self.fault {
            Some(Fault::FirstValueActionWins) => actions.into_iter().next(),
            _ => actions.pop(),
        };
        let message = if self.is_model { self.value.clone() } else { String::new() };
        let response: Any = pack(&ModelResponse { message });
        Ok(value_entity_stream_out::Message::Reply(ValueEntityReply {
            command_id: command.id,
            client_action: Some(asked.client_action(command.id, response, self.fault)),
            side_effects: asked.side_effects(self.fault),
            state_action: action.map(|action| ValueEntityAction { action: Some(action) }),
        }))
    }

    fn act(&mut self, action: Option<request_action::Action>, asked: &mut Asked, actions: &mut Vec<Action>) {
        use request_action::Action as Ask;
        let two = |id| {
            let request = ModelRequest { id, actions: vec![] };
            call("cloudstate.tck.model.valueentity.ValueEntityTwo", pack(&request))
        };
        match action {
            Some(Ask::Update(update)) => {
                self.value = update.value.clone();
                let value = Some(pack(&Persisted { value: update.value }));
                actions.push(Action::Update(ValueEntityUpdate { value }));
            }
            Some(Ask::Delete(_)) => {
                self.value.clear();
                actions.push(Action::Delete(ValueEntityDelete {}));
            }
            Some(Ask::Forward(forward)) => asked.forward = Some(two(forward.id)),
            Some(Ask::Effect(effect)) => {
                asked.add_side_effect(two(effect.id), effect.synchronous, self.fault);
            }
            Some(Ask::Fail(fail)) => asked.failure = Some(fail.message),
            None => {}
        }
    }
}
