//! From the store to a stream that takes commands.

use cloudstate_proto::crdt::{CrdtInit, crdt_stream_in::Message as In};

use super::{Lifecycle, Observation, Output, Phase, send};
use crate::{
    entities::crdt::{data::Crdt, replica::Replica},
    storage::StoredCrdt,
    telemetry::metrics::Volume,
};

impl Lifecycle {
    /// Reads the state; the stream follows, unless the entity was deleted.
    pub(super) fn activate(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Loading;
        out.push(Output::Observed(Observation::Activated));
        out.push(Output::Load);
    }

    pub(super) fn on_loaded(&mut self, loaded: Result<Option<StoredCrdt>, String>, out: &mut Vec<Output>) {
        let read = loaded.and_then(|stored| match stored {
            None => Ok(Replica::default()),
            Some(StoredCrdt::Deleted) => Ok(Replica::deleted()),
            Some(StoredCrdt::State(state)) => {
                let volume = Volume { items: 1, bytes: state.value.len(), snapshot_bytes: None };
                out.push(Output::Observed(Observation::Loaded(volume)));
                Crdt::from_stored(&state).map(Replica::present).map_err(|error| error.to_string())
            }
        });
        match read {
            Err(reason) => {
                out.push(Output::Observed(Observation::Crashed));
                self.fail_waiting(&format!("Error recovering CRDT state: {reason}"), out);
                self.leave(out);
            }
            Ok(replica) if replica.is_deleted() => {
                self.replica = replica;
                self.refuse_waiting(out);
                self.leave(out);
            }
            Ok(replica) => {
                self.replica = replica;
                self.phase = Phase::Opening;
                out.push(Output::OpenStream);
            }
        }
    }

    pub(super) fn on_opened(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Live;
        let init = CrdtInit {
            service_name: self.service_name.clone(),
            entity_id: self.entity_id.clone(),
            delta: self.replica.crdt().map(Crdt::full_state),
        };
        out.push(send(In::Init(init)));
        out.push(Output::Observed(Observation::Recovered));
        for waiting in std::mem::take(&mut self.waiting) {
            self.send_command(waiting.command, waiting.resends, out);
        }
    }
}
