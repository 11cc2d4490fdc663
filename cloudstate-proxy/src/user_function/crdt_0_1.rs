//! The CRDT protocol of 0.1, which the libraries published for that protocol speak.
//!
//! There a whole value is a message of its own, [`State`], where 0.2 has a delta from empty. The rest of the proxy knows
//! 0.2 only; here, at the wire, its messages become those of 0.1 and back.

use cloudstate_proto::{
    Any, ClientAction, Command, Failure, SideEffect, StreamCancelled,
    crdt::{
        CrdtDelete, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse,
        CrdtStreamIn, CrdtStreamOut, CrdtStreamedMessage, FlagDelta, GCounterDelta, GSetDelta,
        LwwRegisterDelta, OrMapDelta, OrMapEntryDelta, OrSetDelta, PnCounterDelta, VoteDelta, crdt_delta,
        crdt_state_action, crdt_stream_in, crdt_stream_out,
    },
};
use prost::{Message, Oneof};

/// `CrdtStreamIn`: what the proxy writes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamIn {
    #[prost(oneof = "InMessage", tags = "1, 3, 4, 5, 6")]
    message: Option<InMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
enum InMessage {
    #[prost(message, tag = "1")]
    Init(Init),
    #[prost(message, tag = "3")]
    Changed(Delta),
    #[prost(message, tag = "4")]
    Deleted(CrdtDelete),
    #[prost(message, tag = "5")]
    Command(Command),
    #[prost(message, tag = "6")]
    StreamCancelled(StreamCancelled),
}

/// `CrdtInit`
#[derive(Clone, PartialEq, Message)]
struct Init {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(string, tag = "2")]
    entity_id: String,
    #[prost(message, optional, tag = "3")]
    state: Option<State>,
}

/// `CrdtStreamOut`: what the user function writes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StreamOut {
    #[prost(oneof = "OutMessage", tags = "1, 2, 3, 4")]
    message: Option<OutMessage>,
}

#[derive(Clone, PartialEq, Oneof)]
enum OutMessage {
    #[prost(message, tag = "1")]
    Reply(Reply),
    #[prost(message, tag = "2")]
    StreamedMessage(CrdtStreamedMessage),
    #[prost(message, tag = "3")]
    StreamCancelledResponse(StreamCancelledResponse),
    #[prost(message, tag = "4")]
    Failure(Failure),
}

/// `CrdtReply`
#[derive(Clone, PartialEq, Message)]
struct Reply {
    #[prost(int64, tag = "1")]
    command_id: i64,
    #[prost(message, optional, tag = "2")]
    client_action: Option<ClientAction>,
    #[prost(message, repeated, tag = "4")]
    side_effects: Vec<SideEffect>,
    #[prost(message, optional, tag = "5")]
    state_action: Option<StateAction>,
    #[prost(bool, tag = "6")]
    streamed: bool,
}

/// `CrdtStreamCancelledResponse`
#[derive(Clone, PartialEq, Message)]
struct StreamCancelledResponse {
    #[prost(int64, tag = "1")]
    command_id: i64,
    #[prost(message, repeated, tag = "2")]
    side_effects: Vec<SideEffect>,
    #[prost(message, optional, tag = "3")]
    state_action: Option<StateAction>,
}

/// `CrdtStateAction`
#[derive(Clone, PartialEq, Message)]
struct StateAction {
    #[prost(oneof = "Action", tags = "5, 6, 7")]
    action: Option<Action>,
    #[prost(int32, tag = "8")]
    write_consistency: i32,
}

#[derive(Clone, PartialEq, Oneof)]
enum Action {
    #[prost(message, tag = "5")]
    Create(State),
    #[prost(message, tag = "6")]
    Update(Delta),
    #[prost(message, tag = "7")]
    Delete(CrdtDelete),
}

/// `CrdtState`: a whole value. Where only the names of the fields differ, the message is that of the delta from empty.
#[derive(Clone, PartialEq, Message)]
struct State {
    #[prost(oneof = "Whole", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    state: Option<Whole>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Whole {
    #[prost(message, tag = "1")]
    GCounter(GCounterDelta),
    #[prost(message, tag = "2")]
    PNCounter(PNCounterState),
    #[prost(message, tag = "3")]
    GSet(GSetDelta),
    #[prost(message, tag = "4")]
    ORSet(ORSetState),
    #[prost(message, tag = "5")]
    LWWRegister(LwwRegisterDelta),
    #[prost(message, tag = "6")]
    Flag(FlagDelta),
    #[prost(message, tag = "7")]
    ORMap(ORMapState),
    #[prost(message, tag = "8")]
    Vote(VoteState),
}

#[derive(Clone, PartialEq, Message)]
struct PNCounterState {
    /// `int64`, where the delta has `sint64`.
    #[prost(int64, tag = "1")]
    value: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ORSetState {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct ORMapState {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<ORMapEntry>,
}

#[derive(Clone, PartialEq, Message)]
struct ORMapEntry {
    #[prost(message, optional, tag = "1")]
    key: Option<Any>,
    #[prost(message, optional, tag = "2")]
    value: Option<State>,
}

#[derive(Clone, PartialEq, Message)]
struct VoteState {
    #[prost(uint32, tag = "1")]
    votes_for: u32,
    #[prost(uint32, tag = "2")]
    total_voters: u32,
    #[prost(bool, tag = "3")]
    self_vote: bool,
}

/// `CrdtDelta`: that of 0.2, but for what a map adds.
#[derive(Clone, PartialEq, Message)]
struct Delta {
    #[prost(oneof = "Change", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    delta: Option<Change>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Change {
    #[prost(message, tag = "1")]
    GCounter(GCounterDelta),
    #[prost(message, tag = "2")]
    PNCounter(PnCounterDelta),
    #[prost(message, tag = "3")]
    GSet(GSetDelta),
    #[prost(message, tag = "4")]
    ORSet(OrSetDelta),
    #[prost(message, tag = "5")]
    LWWRegister(LwwRegisterDelta),
    #[prost(message, tag = "6")]
    Flag(FlagDelta),
    #[prost(message, tag = "7")]
    ORMap(ORMapDelta),
    #[prost(message, tag = "8")]
    Vote(VoteDelta),
}

#[derive(Clone, PartialEq, Message)]
struct ORMapDelta {
    #[prost(bool, tag = "1")]
    cleared: bool,
    #[prost(message, repeated, tag = "2")]
    removed: Vec<Any>,
    #[prost(message, repeated, tag = "3")]
    updated: Vec<ORMapEntryDelta>,
    #[prost(message, repeated, tag = "4")]
    added: Vec<ORMapEntry>,
}

#[derive(Clone, PartialEq, Message)]
struct ORMapEntryDelta {
    #[prost(message, optional, tag = "1")]
    key: Option<Any>,
    #[prost(message, optional, tag = "2")]
    delta: Option<Delta>,
}

impl From<CrdtStreamIn> for StreamIn {
    fn from(message: CrdtStreamIn) -> Self {
        use crdt_stream_in::Message as New;
        let message = message.message.map(|message| match message {
            New::Init(CrdtInit { service_name, entity_id, delta }) => {
                InMessage::Init(Init { service_name, entity_id, state: delta.map(State::from) })
            }
            New::Delta(delta) => InMessage::Changed(delta.into()),
            New::Delete(delete) => InMessage::Deleted(delete),
            New::Command(command) => InMessage::Command(command),
            New::StreamCancelled(cancelled) => InMessage::StreamCancelled(cancelled),
        });
        Self { message }
    }
}

impl From<StreamOut> for CrdtStreamOut {
    fn from(message: StreamOut) -> Self {
        use crdt_stream_out::Message as New;
        let message = message.message.map(|message| match message {
            OutMessage::Reply(Reply { command_id, client_action, side_effects, state_action, streamed }) => {
                let state_action = state_action.map(CrdtStateAction::from);
                New::Reply(CrdtReply { command_id, client_action, side_effects, state_action, streamed })
            }
            OutMessage::StreamedMessage(message) => New::StreamedMessage(message),
            OutMessage::StreamCancelledResponse(response) => {
                let StreamCancelledResponse { command_id, side_effects, state_action } = response;
                let state_action = state_action.map(CrdtStateAction::from);
                let response = CrdtStreamCancelledResponse { command_id, side_effects, state_action };
                New::StreamCancelledResponse(response)
            }
            OutMessage::Failure(failure) => New::Failure(failure),
        });
        Self { message }
    }
}

impl From<StateAction> for CrdtStateAction {
    fn from(StateAction { action, write_consistency }: StateAction) -> Self {
        let action = action.map(|action| match action {
            Action::Create(state) => crdt_state_action::Action::Update(state.into()),
            Action::Update(delta) => crdt_state_action::Action::Update(delta.into()),
            Action::Delete(delete) => crdt_state_action::Action::Delete(delete),
        });
        Self { action, write_consistency }
    }
}

/// Of a delta from empty.
impl From<CrdtDelta> for State {
    fn from(delta: CrdtDelta) -> Self {
        use crdt_delta::Delta as New;
        let state = delta.delta.map(|delta| match delta {
            New::Gcounter(delta) => Whole::GCounter(delta),
            New::Pncounter(PnCounterDelta { change }) => Whole::PNCounter(PNCounterState { value: change }),
            New::Gset(delta) => Whole::GSet(delta),
            New::Orset(OrSetDelta { added, .. }) => Whole::ORSet(ORSetState { items: added }),
            New::Lwwregister(delta) => Whole::LWWRegister(delta),
            New::Flag(delta) => Whole::Flag(delta),
            New::Ormap(OrMapDelta { added, .. }) => {
                Whole::ORMap(ORMapState { entries: added.into_iter().map(ORMapEntry::from).collect() })
            }
            New::Vote(VoteDelta { self_vote, votes_for, total_voters }) => Whole::Vote(VoteState {
                votes_for: votes_for.try_into().unwrap_or_default(),
                total_voters: total_voters.try_into().unwrap_or_default(),
                self_vote,
            }),
        });
        Self { state }
    }
}

impl From<State> for CrdtDelta {
    fn from(state: State) -> Self {
        use crdt_delta::Delta as New;
        let delta = state.state.map(|state| match state {
            Whole::GCounter(state) => New::Gcounter(state),
            Whole::PNCounter(PNCounterState { value }) => New::Pncounter(PnCounterDelta { change: value }),
            Whole::GSet(state) => New::Gset(state),
            Whole::ORSet(ORSetState { items }) => {
                New::Orset(OrSetDelta { added: items, ..OrSetDelta::default() })
            }
            Whole::LWWRegister(state) => New::Lwwregister(state),
            Whole::Flag(state) => New::Flag(state),
            Whole::ORMap(ORMapState { entries }) => {
                let added = entries.into_iter().map(OrMapEntryDelta::from).collect();
                New::Ormap(OrMapDelta { added, ..OrMapDelta::default() })
            }
            Whole::Vote(VoteState { votes_for, total_voters, self_vote }) => New::Vote(VoteDelta {
                self_vote,
                votes_for: votes_for.try_into().unwrap_or(i32::MAX),
                total_voters: total_voters.try_into().unwrap_or(i32::MAX),
            }),
        });
        Self { delta }
    }
}

impl From<CrdtDelta> for Delta {
    fn from(delta: CrdtDelta) -> Self {
        use crdt_delta::Delta as New;
        let delta = delta.delta.map(|delta| match delta {
            New::Gcounter(delta) => Change::GCounter(delta),
            New::Pncounter(delta) => Change::PNCounter(delta),
            New::Gset(delta) => Change::GSet(delta),
            New::Orset(delta) => Change::ORSet(delta),
            New::Lwwregister(delta) => Change::LWWRegister(delta),
            New::Flag(delta) => Change::Flag(delta),
            New::Ormap(OrMapDelta { cleared, removed, updated, added }) => Change::ORMap(ORMapDelta {
                cleared,
                removed,
                updated: updated.into_iter().map(ORMapEntryDelta::from).collect(),
                added: added.into_iter().map(ORMapEntry::from).collect(),
            }),
            New::Vote(delta) => Change::Vote(delta),
        });
        Self { delta }
    }
}

impl From<Delta> for CrdtDelta {
    fn from(delta: Delta) -> Self {
        use crdt_delta::Delta as New;
        let delta = delta.delta.map(|delta| match delta {
            Change::GCounter(delta) => New::Gcounter(delta),
            Change::PNCounter(delta) => New::Pncounter(delta),
            Change::GSet(delta) => New::Gset(delta),
            Change::ORSet(delta) => New::Orset(delta),
            Change::LWWRegister(delta) => New::Lwwregister(delta),
            Change::Flag(delta) => New::Flag(delta),
            Change::ORMap(ORMapDelta { cleared, removed, updated, added }) => New::Ormap(OrMapDelta {
                cleared,
                removed,
                updated: updated.into_iter().map(OrMapEntryDelta::from).collect(),
                added: added.into_iter().map(OrMapEntryDelta::from).collect(),
            }),
            Change::Vote(delta) => New::Vote(delta),
        });
        Self { delta }
    }
}

impl From<OrMapEntryDelta> for ORMapEntry {
    fn from(OrMapEntryDelta { key, delta }: OrMapEntryDelta) -> Self {
        Self { key, value: delta.map(State::from) }
    }
}

impl From<ORMapEntry> for OrMapEntryDelta {
    fn from(ORMapEntry { key, value }: ORMapEntry) -> Self {
        Self { key, delta: value.map(CrdtDelta::from) }
    }
}

impl From<OrMapEntryDelta> for ORMapEntryDelta {
    fn from(OrMapEntryDelta { key, delta }: OrMapEntryDelta) -> Self {
        Self { key, delta: delta.map(Delta::from) }
    }
}

impl From<ORMapEntryDelta> for OrMapEntryDelta {
    fn from(ORMapEntryDelta { key, delta }: ORMapEntryDelta) -> Self {
        Self { key, delta: delta.map(CrdtDelta::from) }
    }
}
