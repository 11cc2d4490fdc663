//! How a stream ends, and what becomes of those who wait.

use super::{Answer, ErrorCode, Lifecycle, Observation, Output, Phase, Token, Waiting, decided, deleted};
use crate::{
    entities::{
        MAX_RESENDS,
        crdt::{
            TERMINATING,
            replica::Message,
            sent::{Caller, Sent, Unanswered},
        },
        stream::End,
    },
    routing::Failure,
};

/// The reference proxy's text.
const UNEXPECTED_TERMINATION: &str = "Unexpected entity termination";

impl Lifecycle {
    pub(super) fn on_stream_ended(&mut self, end: End, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Dormant | Phase::Loading | Phase::Opening | Phase::Settling => {}
            Phase::Closing => self.closed(out),
            Phase::Live => match end {
                End::Lost => self.lost(out),
                // Nobody was waiting: a user function may end an idle stream, for example when it restarts.
                _ if !self.sent.is_missed() => {
                    self.fail_sent(
                        &Failure::fixed(ErrorCode::EntityStreamEnded, UNEXPECTED_TERMINATION),
                        out,
                    );
                    self.leave(out);
                }
                End::Completed => self.crash("Unexpected entity termination due to stream closure", out),
                End::Failed(why) => self.crash(&format!("Entity crashed: {why}"), out),
            },
        }
    }

    /// The process is gone. Nothing is stored for a command before its reply, so another process gets it.
    fn lost(&mut self, out: &mut Vec<Output>) {
        let (unanswered, streams) = self.sent.take();
        let gone = Failure::fixed(ErrorCode::UserFunctionGone, UNEXPECTED_TERMINATION);
        for Unanswered { command, resends, caller } in unanswered.into_iter().rev() {
            match caller {
                Caller::Waits if resends < MAX_RESENDS => {
                    out.push(Output::Observed(Observation::CommandStashed(command.token)));
                    self.waiting.push_front(Waiting { command, resends: resends + 1 });
                }
                Caller::Waits | Caller::Gone => {
                    out.push(Output::Answer(command.token, Answer::Failed(gone.clone())));
                }
                Caller::TimedOut => {}
            }
        }
        self.fail_streams(streams, &gone, out);
        self.leave(out);
    }

    pub(super) fn on_idle_timeout(&mut self, out: &mut Vec<Output>) {
        match self.phase {
            _ if !self.is_idle() => {}
            Phase::Opening => {
                out.push(Output::Reset);
                self.leave(out);
            }
            _ => self.half_close(out),
        }
    }

    pub(super) fn on_close_timed_out(&mut self, out: &mut Vec<Output>) {
        if self.phase == Phase::Closing {
            out.push(Output::Reset);
            self.closed(out);
        }
    }

    pub(super) fn on_drain(&mut self, out: &mut Vec<Output>) {
        self.draining = true;
        match self.phase {
            Phase::Dormant => out.push(Output::Stop),
            _ => self.complete_streams(out),
        }
    }

    pub(super) fn complete_streams(&mut self, out: &mut Vec<Output>) {
        self.completing = true;
        self.end_streams(out);
    }

    /// Completes all client streams, and gives up cancellations.
    pub(super) fn end_streams(&mut self, out: &mut Vec<Output>) {
        let open: Vec<i64> = self.sent.open.keys().chain(self.sent.cancelling.keys()).copied().collect();
        for id in open {
            if let Some(to) = self.sent.close(id).or_else(|| self.sent.cancelled(id)) {
                self.replica.tell(Message { to, answer: decided(None, Vec::new()), last: true }, false, out);
            }
        }
    }

    pub(super) fn half_close(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Closing;
        out.push(Output::HalfClose);
    }

    /// The stream ended after we half-closed it. Of a deleted entity others may have waited.
    fn closed(&mut self, out: &mut Vec<Output>) {
        let (unanswered, _) = self.sent.take();
        for unanswered in unanswered {
            if unanswered.caller != Caller::TimedOut {
                let message = Message { to: unanswered.command.token, answer: deleted(), last: true };
                self.replica.tell(message, false, out);
            }
        }
        self.leave(out);
    }

    pub(super) fn on_not_written(&mut self, reason: &str, out: &mut Vec<Output>) {
        for token in self.replica.not_written(out) {
            self.sent.forget(token);
        }
        if self.phase != Phase::Settling {
            self.crash(&format!("Failed to update CRDT: {reason}"), out);
        }
    }

    /// Fails everyone whose answer is not on its way and gives the stream up; the next command starts from the store.
    pub(super) fn crash(&mut self, text: &str, out: &mut Vec<Output>) {
        out.push(self.report(text));
        out.push(Output::Observed(Observation::Crashed));
        out.push(Output::Reset);
        for token in self.replica.abandon(out) {
            self.sent.forget(token);
        }
        self.fail_sent(&Failure::fixed(ErrorCode::EntityTerminated, TERMINATING), out);
        self.leave(out);
    }

    fn fail_sent(&mut self, failure: &Failure, out: &mut Vec<Output>) {
        let (unanswered, streams) = self.sent.take();
        for sent in unanswered.into_iter().filter(|sent| sent.caller != Caller::TimedOut) {
            out.push(Output::Answer(sent.command.token, Answer::Failed(failure.clone())));
        }
        self.fail_streams(streams, failure, out);
    }

    fn fail_streams(&mut self, streams: Vec<Token>, failure: &Failure, out: &mut Vec<Output>) {
        for to in streams {
            // Elements on their way to it come first.
            let answer = Answer::Failed(failure.clone());
            self.replica.tell(Message { to, answer, last: true }, false, out);
        }
    }

    /// The stream is gone.
    pub(super) fn leave(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Settling;
        self.sent = Sent::default();
        out.push(Output::Observed(Observation::Deactivated));
    }

    /// Starts again if somebody waits.
    pub(super) fn dormant(&mut self, out: &mut Vec<Output>) {
        if self.waiting.is_empty() {
            self.phase = Phase::Dormant;
            out.push(Output::Stop);
        } else {
            self.activate(out);
        }
    }
}
