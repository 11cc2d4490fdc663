//! Commands on their way to the user function.

use cloudstate_proto::{Command, crdt::crdt_stream_in::Message as In};

use super::{
    Answer, ErrorCode, Incoming, Lifecycle, Limits, Observation, Output, Phase, Token, Waiting, deleted, send,
};

impl Lifecycle {
    pub(super) fn on_command(&mut self, command: Incoming, out: &mut Vec<Output>) {
        if self.unanswered() >= self.limits.commands && self.sent.is_stuck() {
            // Late answers would still be taken, but not for ever.
            let text = "the user function leaves commands unanswered";
            self.crash(text, out);
        }
        if let Err(text) = self.admit(&command) {
            return out.push(Output::Answer(command.token, Answer::failed(ErrorCode::EntityBusy, text)));
        }
        out.push(Output::Observed(Observation::CommandReceived(command.token)));
        match self.phase {
            Phase::Live => self.send_command(command, 0, out),
            phase => {
                out.push(Output::Observed(Observation::CommandStashed(command.token)));
                self.waiting.push_back(Waiting { command, resends: 0 });
                if phase == Phase::Dormant {
                    self.activate(out);
                }
            }
        }
    }

    fn admit(&self, command: &Incoming) -> Result<(), String> {
        let Limits { commands, streams, .. } = self.limits;
        if self.unanswered() >= commands {
            return Err(format!("{commands} commands are already waiting for this entity"));
        }
        if command.streamed && self.sent.open.len() + self.sent.cancelling.len() >= streams {
            return Err(format!("{streams} streams of this entity are already open"));
        }
        Ok(())
    }

    fn unanswered(&self) -> usize {
        self.waiting.len() + self.sent.unanswered.len()
    }

    pub(super) fn send_command(&mut self, command: Incoming, resends: u8, out: &mut Vec<Output>) {
        let message = Command {
            entity_id: self.entity_id.clone(),
            id: 0,
            name: command.name.clone(),
            payload: Some(command.payload.clone()),
            streamed: command.streamed,
            metadata: command.context.to_metadata(),
        };
        out.push(Output::Observed(Observation::CommandSent(command.token)));
        let id = self.sent.send(command, resends);
        out.push(send(In::Command(Command { id, ..message })));
    }

    /// Answers a command that was not sent yet, which it then never is.
    pub(super) fn withdraw(&mut self, token: Token, answer: Answer, out: &mut Vec<Output>) {
        let at = self.waiting.iter().position(|waiting| waiting.command.token == token);
        if at.and_then(|at| self.waiting.remove(at)).is_some() {
            out.push(Output::Answer(token, answer));
        }
    }

    pub(super) fn refuse_waiting(&mut self, out: &mut Vec<Output>) {
        for waiting in self.waiting.drain(..) {
            out.push(Output::Answer(waiting.command.token, deleted()));
        }
    }

    pub(super) fn fail_waiting(&mut self, text: &str, out: &mut Vec<Output>) {
        for waiting in self.waiting.drain(..) {
            out.push(Output::Answer(waiting.command.token, Answer::failed(ErrorCode::NotLoaded, text)));
        }
    }
}
