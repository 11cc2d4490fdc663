//! From the store to a stream that takes commands.

use std::sync::Arc;

use super::{ErrorCode, Failure, Lifecycle, Names, Observation, Output, Phase, SerialKind};

impl<K: SerialKind> Lifecycle<K> {
    /// Opens a stream; what is stored follows.
    pub(super) fn activate(&mut self, out: &mut Vec<Output<K>>) {
        if let Some(command) = self.stash.back() {
            self.service = Arc::clone(&command.method.service.name);
        }
        self.position = K::Position::default();
        self.command_id = 0;
        self.phase = Phase::Loading;
        out.push(Output::Observed(Observation::Activated));
        out.push(Output::OpenStream);
        out.push(Output::Load(K::FIRST_LOAD));
    }

    pub(super) fn on_loaded(&mut self, loaded: K::Loaded, out: &mut Vec<Output<K>>) {
        if !matches!(self.phase, Phase::Loading) {
            return;
        }
        out.push(Output::Observed(Observation::Loaded(K::volume_loaded(&loaded))));
        let names = Names { service: &self.service, entity_id: &self.entity_id };
        let mut messages = Vec::new();
        let next = K::replay(loaded, &mut self.position, names, &mut messages);
        out.extend(messages.into_iter().map(Output::Send));
        match next {
            Some(load) => out.push(Output::Load(load)),
            None => {
                self.phase = Phase::Idle;
                out.push(Output::Observed(Observation::Recovered));
                self.next_command(out);
            }
        }
    }

    pub(super) fn on_load_failed(&mut self, reason: &str, out: &mut Vec<Output<K>>) {
        if matches!(self.phase, Phase::Loading) {
            out.push(Output::Observed(Observation::Crashed));
            let text = format!("{}: {reason}", K::TEXTS.load_failed);
            self.fail_stash(&Failure::new(ErrorCode::NotLoaded, text), out);
            self.close(false, out);
        }
    }

    /// Nobody is left who needs the stream that is being made.
    pub(super) fn give_up_activation(&mut self, out: &mut Vec<Output<K>>) {
        if matches!(self.phase, Phase::Loading) && self.stash.is_empty() {
            out.push(Output::Reset);
            self.dormant(false, out);
        }
    }
}
