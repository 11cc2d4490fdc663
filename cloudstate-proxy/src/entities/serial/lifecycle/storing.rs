//! Between a reply and its answer: what the command changed is made durable.

use super::{
    Answer, ErrorCode, Failure, Lifecycle, Observation, Output, Phase, SerialKind, Token, ending::terminated,
};

/// What is to be done once the caller has learnt the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterStoring {
    Continue,
    /// The user function broke the protocol.
    Close,
    /// The stream is gone.
    Dormant,
}

impl<K: SerialKind> Lifecycle<K> {
    pub(super) fn store(
        &mut self,
        token: Token,
        answer: Answer,
        changes: K::Changes,
        out: &mut Vec<Output<K>>,
    ) {
        let volume = K::volume_stored(&changes);
        self.phase = Phase::Storing { token, answer, volume, then: AfterStoring::Continue };
        out.push(Output::Observed(Observation::Persisting));
        out.push(Output::Store { position: self.position, changes });
    }

    pub(super) fn on_stored(&mut self, result: Result<K::Position, Failure>, out: &mut Vec<Output<K>>) {
        let Phase::Storing { token, answer, volume, then } = std::mem::replace(&mut self.phase, Phase::Idle)
        else {
            unreachable!("the store answers only what was asked");
        };
        let failed = result.is_err();
        match result {
            Ok(position) => {
                self.position = position;
                out.push(Output::Observed(Observation::Persisted(volume)));
                out.push(Output::Answer(token, answer));
            }
            Err(failure) => {
                if failure.error == Some(ErrorCode::TooLargeToStore) {
                    out.push(self.report(&failure.description));
                }
                out.push(Output::Answer(token, Answer::Failed(failure)));
                out.push(Output::Observed(Observation::Crashed));
                self.fail_stash(&terminated::<K>(), out);
            }
        }
        match then {
            AfterStoring::Dormant => self.dormant(false, out),
            // The function's state is ahead of the store.
            AfterStoring::Continue if failed => self.close(false, out),
            AfterStoring::Continue => self.next_command(out),
            AfterStoring::Close => self.close(false, out),
        }
    }
}
