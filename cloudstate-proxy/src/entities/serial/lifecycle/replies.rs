//! What the user function says on the stream.

use cloudstate_proto::{Failure as WireFailure, client_action::Action};

use super::{Answer, ErrorCode, Failure, Lifecycle, Observation, Output, Phase, SerialKind};
use crate::{
    code::Code,
    entities::serial::kind::{FromFunction, Reply},
};

impl<K: SerialKind> Lifecycle<K> {
    pub(super) fn on_message(&mut self, message: K::Out, out: &mut Vec<Output<K>>) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Dormant) {
            return;
        }
        match K::read(message) {
            Ok(FromFunction::Reply(reply)) => self.on_reply(reply, out),
            Ok(FromFunction::Failure(failure)) => self.on_failure(failure, out),
            Err(detail) => self.violation(K::TEXTS.unexpected_message, detail, out),
        }
    }

    fn on_reply(&mut self, reply: Reply<K::Changes>, out: &mut Vec<Output<K>>) {
        let Reply { command_id, action, side_effects, changes } = reply;
        let token = match &self.phase {
            Phase::Awaiting(command) if command_id == self.command_id => command.token,
            _ => {
                let detail = format!("a reply to command {command_id}, which is not outstanding");
                return self.violation(K::TEXTS.unexpected_reply, &detail, out);
            }
        };
        out.push(Output::Observed(Observation::ReplyReceived(token)));
        let (failed, restart) = match &action {
            Some(Action::Failure(failure)) => (true, failure.restart && K::RESTARTS),
            _ => (false, false),
        };
        let answer = Answer::Decided { action, side_effects };
        match changes {
            Some(changes) if !failed => self.store(token, answer, changes, out),
            // A failed command keeps nothing. Changes beside a failure mean that the function's state is ahead of the
            // store, so it is rebuilt even when it did not ask for that (the reference proxy stores such changes,
            // although the caller is told that the command failed).
            changes => {
                out.push(Output::Answer(token, answer));
                if restart || changes.is_some() {
                    return self.close(true, out);
                }
                self.phase = Phase::Idle;
                self.next_command(out);
            }
        }
    }

    /// The description reaches the caller only if the failure names its command; proxies before protocol 0.2 showed it
    /// too, later ones hide it.
    fn on_failure(&mut self, failure: WireFailure, out: &mut Vec<Output<K>>) {
        let unexpected = K::TEXTS.unexpected_failure;
        out.push(self.report(&format!("{unexpected}: {}", failure.description)));
        let names_command = matches!(self.phase, Phase::Awaiting(_)) && failure.command_id == self.command_id;
        let description = if names_command { failure.description } else { unexpected.to_owned() };
        let mut told = Failure::fixed(ErrorCode::EntityFailed, description);
        told.code = Code::from_number(failure.grpc_status_code);
        self.crash(told, out);
    }

    /// The user function broke the protocol.
    fn violation(&mut self, text: &str, detail: &str, out: &mut Vec<Output<K>>) {
        out.push(self.report(&format!("{text}: {detail}")));
        self.crash(Failure::fixed(ErrorCode::ProtocolViolation, text), out);
    }
}
