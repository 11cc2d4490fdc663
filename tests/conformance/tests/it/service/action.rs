use cloudstate_proto::{
    Reply, SideEffect,
    action::{
        ActionCommand, ActionResponse, action_protocol_server::ActionProtocol,
        action_response::Response as Outcome,
    },
};
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::{Answers, Fault, call, failure};
use crate::model::{
    action::{
        OtherRequest, ProcessGroup, Request as ModelRequest, Response as ModelResponse, process_step::Step,
    },
    pack,
};

pub(super) struct Model(pub(super) Option<Fault>);

#[tonic::async_trait]
impl ActionProtocol for Model {
    type handleStreamedOutStream = Answers<ActionResponse>;
    type handleStreamedStream = Answers<ActionResponse>;

    async fn handle_unary(
        &self,
        request: Request<ActionCommand>,
    ) -> Result<Response<ActionResponse>, Status> {
        let command = request.into_inner();
        if let Some(refusal) = refusal(&command) {
            return Ok(Response::new(refusal));
        }
        if command.service_name.ends_with("ActionTwo") {
            return Ok(Response::new(ActionResponse { response: Some(reply("")), side_effects: vec![] }));
        }
        Ok(Response::new(self.fold(groups(&command)?)))
    }

    async fn handle_streamed_in(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<ActionResponse>, Status> {
        let mut commands = request.into_inner();
        let mut all = Vec::new();
        while let Some(command) = commands.message().await? {
            if let Some(refusal) = refusal(&command) {
                return Ok(Response::new(refusal));
            }
            all.extend(groups(&command)?);
        }
        Ok(Response::new(self.fold(all)))
    }

    async fn handle_streamed_out(
        &self,
        request: Request<ActionCommand>,
    ) -> Result<Response<Self::handleStreamedOutStream>, Status> {
        let command = request.into_inner();
        let (sender, answers) = mpsc::channel(8);
        let responses = match refusal(&command) {
            Some(refusal) => vec![refusal],
            None => groups(&command)?.into_iter().map(|group| self.fold(vec![group])).collect(),
        };
        let extra = self.0 == Some(Fault::ExtraActionResponse);
        tokio::spawn(async move {
            for response in responses.into_iter().chain(extra.then(ActionResponse::default)) {
                let _ = sender.send(Ok(response)).await;
            }
        });
        Ok(Response::new(Answers::new(answers)))
    }

    async fn handle_streamed(
        &self,
        request: Request<Streaming<ActionCommand>>,
    ) -> Result<Response<Self::handleStreamedStream>, Status> {
        let mut commands = request.into_inner();
        let (sender, answers) = mpsc::channel(8);
        let model = Model(self.0);
        tokio::spawn(async move {
            while let Ok(Some(command)) = commands.message().await {
                if let Some(refusal) = refusal(&command) {
                    let _ = sender.send(Ok(refusal)).await;
                    return;
                }
                for group in groups(&command).unwrap() {
                    let _ = sender.send(Ok(model.fold(vec![group]))).await;
                }
            }
        });
        Ok(Response::new(Answers::new(answers)))
    }
}

fn refusal(command: &ActionCommand) -> Option<ActionResponse> {
    let known =
        command.service_name.is_empty() || command.service_name.starts_with("cloudstate.tck.model.action.");
    let text = format!("Unknown service: {}", command.service_name);
    (!known)
        .then(|| ActionResponse { response: Some(Outcome::Failure(failure(0, &text))), side_effects: vec![] })
}

fn groups(command: &ActionCommand) -> Result<Vec<ProcessGroup>, Status> {
    let Some(payload) = &command.payload else { return Ok(vec![]) };
    let request = ModelRequest::decode(payload.value.clone());
    Ok(request.map_err(|error| Status::invalid_argument(error.to_string()))?.groups)
}

fn reply(message: &str) -> Outcome {
    let response = ModelResponse { message: message.to_owned() };
    Outcome::Reply(Reply { payload: Some(pack(&response)), metadata: None })
}

impl Model {
    fn fold(&self, groups: Vec<ProcessGroup>) -> ActionResponse {
        let mut folded = ActionResponse::default();
        let how_many = if self.0 == Some(Fault::ActionFirstGroupOnly) { 1 } else { usize::MAX };
        for step in groups.into_iter().take(how_many).flat_map(|group| group.steps) {
            let two = |id| call("cloudstate.tck.model.action.ActionTwo", pack(&OtherRequest { id }));
            match step.step {
                Some(Step::Reply(step)) => folded.response = Some(reply(&step.message)),
                Some(Step::Forward(step)) => folded.response = Some(Outcome::Forward(two(step.id))),
                Some(Step::Fail(step)) => {
                    let command_id = i64::from(self.0 == Some(Fault::ActionFailuresWithCommandId));
                    folded.response = Some(Outcome::Failure(failure(command_id, &step.message)));
                }
                Some(Step::Effect(step)) => {
                    let target = two(step.id);
                    folded.side_effects.push(SideEffect {
                        service_name: target.service_name,
                        command_name: target.command_name,
                        payload: target.payload,
                        synchronous: step.synchronous,
                        metadata: None,
                    });
                }
                None => {}
            }
        }
        let failed = matches!(folded.response, Some(Outcome::Failure(_)));
        if failed && self.0 == Some(Fault::ActionSideEffectsDroppedOnFailure) {
            folded.side_effects.clear();
        }
        folded
    }
}
