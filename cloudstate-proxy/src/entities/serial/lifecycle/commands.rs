//! Commands: they wait, go to the user function one at a time, and may not take for ever.

use cloudstate_proto::{Any, Command};

use super::{Answer, ErrorCode, Failure, Incoming, Lifecycle, Observation, Output, Phase, SerialKind, Token};

impl<K: SerialKind> Lifecycle<K> {
    pub(super) fn on_command(&mut self, command: Incoming, out: &mut Vec<Output<K>>) {
        if self.stash.len() >= self.stash_limit {
            let text = format!("{} commands are already waiting for this entity", self.stash_limit);
            out.push(Output::Answer(command.token, Answer::failed(ErrorCode::EntityBusy, text)));
            return;
        }
        out.push(Output::Observed(Observation::CommandReceived(command.token)));
        if !self.is_idle() {
            out.push(Output::Observed(Observation::CommandStashed(command.token)));
        }
        self.stash.push_back(command);
        match self.phase {
            Phase::Dormant => self.activate(out),
            Phase::Idle => self.next_command(out),
            _ => {}
        }
    }

    /// Sends the command that has waited longest; without one, closes if the proxy stops.
    pub(super) fn next_command(&mut self, out: &mut Vec<Output<K>>) {
        let Some(command) = self.stash.pop_front() else {
            if self.draining {
                self.close(false, out);
            }
            return;
        };
        self.command_id += 1;
        out.push(Output::Observed(Observation::CommandSent(command.token)));
        out.push(Output::Send(K::command(Command {
            entity_id: self.entity_id.as_ref().to_owned(),
            id: self.command_id,
            name: command.method.name.as_ref().to_owned(),
            payload: Some(Any {
                type_url: command.method.input_type_url.clone(),
                value: command.payload.clone(),
            }),
            streamed: false,
            metadata: command.context.to_metadata(),
        })));
        self.phase = Phase::Awaiting(command);
    }

    pub(super) fn on_timed_out(
        &mut self,
        token: Token,
        unreachable: Option<String>,
        out: &mut Vec<Output<K>>,
    ) {
        let answer = Answer::overdue(unreachable);
        if let Some(at) = self.stash.iter().position(|command| command.token == token) {
            self.stash.remove(at);
            out.push(Output::Answer(token, answer));
            self.give_up_activation(out);
        } else if matches!(&self.phase, Phase::Awaiting(command) if command.token == token) {
            // The function is stuck in this command: its stream is given up, the queue gets a new one.
            out.push(Output::Answer(token, answer));
            out.push(Output::Observed(Observation::Crashed));
            out.push(Output::Reset);
            self.dormant(false, out);
        }
    }

    pub(super) fn fail_stash(&mut self, failure: &Failure, out: &mut Vec<Output<K>>) {
        for command in self.stash.drain(..) {
            out.push(Output::Answer(command.token, Answer::Failed(failure.clone())));
        }
    }
}
