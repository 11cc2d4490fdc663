//! How a stream ends, and what becomes of those who wait.

use super::{
    AfterStoring, Answer, ErrorCode, Failure, Incoming, Lifecycle, Observation, Output, Phase, SerialKind,
};
use crate::entities::{MAX_RESENDS, stream::End};

impl<K: SerialKind> Lifecycle<K> {
    pub(super) fn on_stream_ended(&mut self, end: &End, out: &mut Vec<Output<K>>) {
        match (&mut self.phase, end) {
            (Phase::Dormant, _) => {}
            (Phase::Closing { reopen }, _) => {
                let reopen = *reopen;
                self.dormant(reopen, out);
            }
            // Nobody was waiting: a user function may end an idle stream, for example when it restarts.
            (Phase::Idle, _) => self.dormant(false, out),
            (Phase::Storing { then, .. }, End::Lost) => *then = AfterStoring::Dormant,
            (_, End::Lost) => self.lost(out),
            (_, End::Completed) => self.ended_unexpectedly("the user function completed it", out),
            (_, End::Failed(why)) => self.ended_unexpectedly(why, out),
        }
    }

    /// The process went away that the stream led to. Nothing of its command was stored, so the next process gets it
    /// again, unless this proxy stops as well.
    fn lost(&mut self, out: &mut Vec<Output<K>>) {
        if let Phase::Awaiting(command) = std::mem::replace(&mut self.phase, Phase::Dormant) {
            if command.resends < MAX_RESENDS && !self.draining {
                out.push(Output::Observed(Observation::CommandStashed(command.token)));
                self.stash.push_front(Incoming { resends: command.resends + 1, ..command });
            } else {
                let failure = Failure::fixed(ErrorCode::UserFunctionGone, K::TEXTS.unexpected_termination);
                out.push(Output::Answer(command.token, Answer::Failed(failure)));
            }
        }
        if self.draining {
            self.fail_stash(&terminated::<K>(), out);
        }
        self.dormant(false, out);
    }

    fn ended_unexpectedly(&mut self, why: &str, out: &mut Vec<Output<K>>) {
        let termination = K::TEXTS.unexpected_termination;
        out.push(self.report(&format!("{termination}: {why}")));
        self.fail_everyone(Failure::fixed(ErrorCode::EntityStreamEnded, termination), out);
        match &mut self.phase {
            Phase::Storing { then, .. } => *then = AfterStoring::Dormant,
            _ => self.dormant(false, out),
        }
    }

    pub(super) fn on_idle_timeout(&mut self, out: &mut Vec<Output<K>>) {
        if self.is_idle() {
            self.close(false, out);
        }
    }

    pub(super) fn on_close_timed_out(&mut self, out: &mut Vec<Output<K>>) {
        if let Phase::Closing { reopen } = self.phase {
            out.push(Output::Reset);
            self.dormant(reopen, out);
        }
    }

    pub(super) fn on_drain(&mut self, out: &mut Vec<Output<K>>) {
        self.draining = true;
        match self.phase {
            Phase::Dormant => out.push(Output::Stop),
            Phase::Idle => self.close(false, out),
            _ => self.give_up_activation(out),
        }
    }

    /// Fails everyone who waits and closes the stream; the next command starts from the store.
    pub(super) fn crash(&mut self, failure: Failure, out: &mut Vec<Output<K>>) {
        self.fail_everyone(failure, out);
        match &mut self.phase {
            Phase::Storing { then, .. } => *then = AfterStoring::Close,
            _ => self.close(false, out),
        }
    }

    /// Answers everyone but the caller whose changes are being stored.
    fn fail_everyone(&mut self, failure: Failure, out: &mut Vec<Output<K>>) {
        out.push(Output::Observed(Observation::Crashed));
        match &self.phase {
            Phase::Awaiting(command) => {
                out.push(Output::Answer(command.token, Answer::Failed(failure)));
                self.fail_stash(&terminated::<K>(), out);
            }
            Phase::Storing { .. } => self.fail_stash(&terminated::<K>(), out),
            _ => self.fail_stash(&failure, out),
        }
    }

    pub(super) fn close(&mut self, reopen: bool, out: &mut Vec<Output<K>>) {
        self.phase = Phase::Closing { reopen };
        out.push(Output::HalfClose);
    }

    /// The stream is gone: opens the next one if somebody needs it.
    pub(super) fn dormant(&mut self, reopen: bool, out: &mut Vec<Output<K>>) {
        self.phase = Phase::Dormant;
        out.push(Output::Observed(Observation::Deactivated));
        if !self.stash.is_empty() || (reopen && !self.draining) {
            self.activate(out);
        } else {
            out.push(Output::Stop);
        }
    }
}

/// For commands that waited while the entity crashed.
pub(super) fn terminated<K: SerialKind>() -> Failure {
    Failure::fixed(ErrorCode::EntityTerminated, K::TEXTS.terminated)
}
