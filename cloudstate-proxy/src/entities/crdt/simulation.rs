//! Random lives of an entity against a model of what must hold: whatever clients, user function, store and time do,
//! every command has exactly one last answer, nothing is told before it is stored, and what was told is never lost.
//!
//! A life follows from its seed, which a failure prints; `one_life(seed)` lives it again.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use cloudstate_proto::{
    Any, ClientAction, Command, Failure as WireFailure, Reply as WireReply,
    client_action::Action,
    crdt::{
        CrdtDelete, CrdtDelta, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse, CrdtStreamIn,
        CrdtStreamOut, CrdtStreamedMessage, GSetDelta, crdt_delta::Delta, crdt_state_action,
        crdt_stream_in::Message as In, crdt_stream_out::Message as Out,
    },
};

use super::{
    Answer, Token,
    data::Crdt,
    lifecycle::{Incoming, Input, Lifecycle, Limits, Output},
};
use crate::{entities::stream::End, storage::StoredCrdt};

const LIVES: u64 = 2_000;
const STEPS: usize = 150;
const LIMITS: Limits = Limits { commands: 6, streams: 3, state_bytes: 1 << 20 };

#[test]
fn every_command_has_one_end_and_nothing_told_is_lost() {
    let mut told = 0;
    for seed in 0..LIVES {
        match catch_unwind(AssertUnwindSafe(|| one_life(seed))) {
            Ok(answers) => told += answers,
            Err(panic) => {
                eprintln!("seed {seed}");
                resume_unwind(panic);
            }
        }
    }
    // The lives are lives: most commands are answered by the user function.
    assert!(told > LIVES as usize * STEPS / 50, "{told} answers of the user function");
}

/// Returns how many answers of the user function reached clients.
fn one_life(seed: u64) -> usize {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.chance();
    }
    world.step(Input::Drain);
    for _ in 0..STEPS {
        world.proceed();
    }
    assert!(world.stopped, "the entity does not come to rest");
    assert!(world.clients.is_empty(), "without an end: {:?}", world.clients);
    world.told_answers
}

/// Numbers that look random (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % sides
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn pick<T: Copy>(&mut self, from: impl IntoIterator<Item = T>) -> Option<T> {
        let all: Vec<T> = from.into_iter().collect();
        if all.is_empty() { None } else { Some(all[self.roll(all.len())]) }
    }
}

type Elements = BTreeSet<String>;

struct World {
    dice: Dice,
    lifecycle: Lifecycle,
    /// Who has no last answer yet; true: the client is still there.
    clients: BTreeMap<Token, Client>,
    next_token: Token,
    /// What is on disk.
    stored: Option<StoredCrdt>,
    /// What clients have seen; it must stay.
    told: Elements,
    told_answers: usize,
    loading: bool,
    opening: bool,
    writing: Option<Option<Any>>,
    function: Option<Function>,
    stopped: bool,
}

#[derive(Debug)]
struct Client {
    streamed: bool,
    gone: bool,
    elements: usize,
}

/// The user function's side of the stream.
#[derive(Default)]
struct Function {
    view: Elements,
    unanswered: BTreeMap<i64, Command>,
    open: BTreeSet<i64>,
    cancelled: BTreeSet<i64>,
    half_closed: bool,
    deleted: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            lifecycle: Lifecycle::new("Service", "e1", LIMITS),
            clients: BTreeMap::new(),
            next_token: 0,
            stored: None,
            told: Elements::new(),
            told_answers: 0,
            loading: false,
            opening: false,
            writing: None,
            function: None,
            stopped: true,
        }
    }

    /// Anything that can happen next.
    fn chance(&mut self) {
        match self.dice.roll(20) {
            0..5 => self.new_command(),
            5 => self.client_leaves(),
            6 => self.time_runs_out(),
            7 => self.step_if_live(Input::IdleTimeout),
            8 if self.dice.one_in(4) => self.function_misbehaves(),
            _ => self.proceed(),
        }
    }

    fn step_if_live(&mut self, input: Input) {
        if !self.stopped {
            self.step(input);
        }
    }

    fn new_command(&mut self) {
        self.next_token += 1;
        let streamed = self.dice.one_in(3);
        let token = self.next_token;
        self.clients.insert(token, Client { streamed, gone: false, elements: 0 });
        self.stopped = false;
        let payload = Any::default();
        self.step(Input::Command(Incoming {
            token,
            name: token.to_string(),
            payload,
            streamed,
            context: Default::default(),
        }));
    }

    fn client_leaves(&mut self) {
        let leaving = self.clients.iter().filter(|(_, client)| client.streamed && !client.gone);
        if let Some(token) = self.dice.pick(leaving.map(|(token, _)| *token)) {
            self.clients.get_mut(&token).unwrap().gone = true;
            self.step(Input::ClientGone(token));
        }
    }

    fn time_runs_out(&mut self) {
        // The oldest has waited longest; one whose stream is open does not wait.
        let oldest = self.clients.iter().find(|(_, client)| client.elements == 0 || client.gone);
        if let Some(token) = oldest.map(|(token, _)| *token)
            && self.dice.one_in(4)
        {
            let unreachable = self.opening.then(|| "nobody there".to_owned());
            self.step(Input::TimedOut { token, unreachable });
        }
    }

    /// Something that everybody waits for, done well most of the time.
    fn proceed(&mut self) {
        match self.dice.roll(4) {
            0 if self.loading => {
                self.loading = false;
                let failed = self.dice.one_in(20);
                let loaded = if failed { Err("unreadable".to_owned()) } else { Ok(self.stored.clone()) };
                self.step(Input::Loaded(loaded));
            }
            1 if self.opening => {
                self.opening = false;
                self.function = Some(Function::default());
                self.step(Input::Opened);
            }
            2 if self.writing.is_some() => self.write_ends(),
            3 => self.function_acts(),
            _ => {}
        }
    }

    fn write_ends(&mut self) {
        let state = self.writing.take().unwrap();
        let failed = self.dice.one_in(10);
        // A write that failed may have happened all the same.
        if !failed || self.dice.one_in(2) {
            self.stored = Some(state.map_or(StoredCrdt::Deleted, StoredCrdt::State));
        }
        self.step(Input::Written(if failed { Err("full".to_owned()) } else { Ok(()) }));
    }

    fn function_acts(&mut self) {
        let Some(function) = &mut self.function else { return };
        if let Some(id) = self.dice.pick(function.unanswered.keys().copied())
            && (!function.half_closed || function.deleted)
        {
            let command = function.unanswered.remove(&id).unwrap();
            let reply = self.reply(&command);
            return self.step(out(Out::Reply(reply)));
        }
        if let Some(id) = self.dice.pick(function.cancelled.iter().copied()) {
            function.cancelled.remove(&id);
            let state_action =
                self.dice.one_in(2).then(|| self.function.as_mut().unwrap().add(format!("x{id}")));
            let response = CrdtStreamCancelledResponse { command_id: id, state_action, ..Default::default() };
            return self.step(out(Out::StreamCancelledResponse(response)));
        }
        if function.half_closed {
            self.function = None;
            return self.step(Input::StreamEnded(End::Completed));
        }
        if let Some(id) = self.dice.pick(function.open.iter().copied()) {
            let end_stream = self.dice.one_in(4);
            if end_stream {
                function.open.remove(&id);
            }
            let client_action = Some(function.says());
            self.step(out(Out::StreamedMessage(CrdtStreamedMessage {
                command_id: id,
                client_action,
                end_stream,
                ..Default::default()
            })));
        }
    }

    fn reply(&mut self, command: &Command) -> CrdtReply {
        let function = self.function.as_mut().unwrap();
        let mut reply = CrdtReply { command_id: command.id, ..CrdtReply::default() };
        match self.dice.roll(10) {
            0 => reply.client_action = Some(fails()),
            1 if self.dice.one_in(8) => {
                function.deleted = true;
                let delete = crdt_state_action::Action::Delete(CrdtDelete {});
                reply.state_action = Some(CrdtStateAction { action: Some(delete), write_consistency: 0 });
                reply.client_action = Some(fails());
            }
            2..6 => {
                reply.state_action = Some(function.add(command.name.clone()));
                reply.client_action = Some(function.says());
            }
            _ => reply.client_action = Some(function.says()),
        }
        if command.streamed && !self.dice.one_in(4) {
            reply.streamed = true;
            function.open.insert(command.id);
        }
        reply
    }

    fn function_misbehaves(&mut self) {
        if self.function.is_none() {
            return;
        }
        let input = match self.dice.roll(6) {
            0 => out(Out::Reply(CrdtReply { command_id: 999, ..CrdtReply::default() })),
            1 => {
                out(Out::Failure(WireFailure { command_id: self.dice.roll(9) as i64, ..Default::default() }))
            }
            2 => out(Out::StreamedMessage(CrdtStreamedMessage { command_id: 999, ..Default::default() })),
            3 => Input::StreamEnded(End::Completed),
            4 => Input::StreamEnded(End::Failed("broken".to_owned())),
            _ => Input::StreamEnded(End::Lost),
        };
        if matches!(input, Input::StreamEnded(_)) {
            self.function = None;
        }
        if let Input::FromFunction(CrdtStreamOut { message: Some(Out::Failure(failure)) }, _) = &input
            && let Some(function) = &mut self.function
        {
            function.unanswered.remove(&failure.command_id);
            function.open.remove(&failure.command_id);
            function.cancelled.remove(&failure.command_id);
        }
        self.step(input);
    }

    fn step(&mut self, input: Input) {
        let mut outputs = Vec::new();
        self.lifecycle.step(input, &mut outputs);
        for output in outputs {
            self.carry_out(output);
        }
        if self.lifecycle.is_idle()
            && let Some(function) = &self.function
        {
            assert_eq!(
                Some(&function.view),
                self.stored_elements().as_ref(),
                "both copies are the stored one"
            );
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Load => {
                assert!(!self.loading && self.writing.is_none(), "read while it is written");
                self.loading = true;
            }
            Output::OpenStream => {
                assert!(self.function.is_none() && !self.opening, "two streams");
                self.opening = true;
            }
            Output::Send(message) => self.sent(message),
            Output::HalfClose => self.function.as_mut().expect("a stream").half_closed = true,
            Output::Reset => {
                self.function = None;
                self.opening = false;
            }
            Output::Write(state) => {
                assert!(self.writing.is_none(), "two writes at once");
                self.writing = Some(state);
            }
            Output::Answer(token, answer) => {
                assert!(self.clients.remove(&token).is_some(), "a second end of {token}");
                self.check(&answer);
            }
            Output::Element(token, answer) => {
                let client = self.clients.get_mut(&token).expect("an element after the end");
                assert!(client.streamed);
                client.elements += 1;
                self.check(&answer);
            }
            Output::Stop => {
                assert!(self.function.is_none() && self.writing.is_none() && !self.loading && !self.opening);
                self.stopped = true;
            }
            Output::AwaitCancelled(_) | Output::Report(_) | Output::Observed(_) => {}
        }
    }

    fn sent(&mut self, message: CrdtStreamIn) {
        let stored = self.stored_elements();
        let function = self.function.as_mut().expect("sent on a stream");
        assert!(!function.half_closed, "sent after the half-close");
        match message.message.unwrap() {
            In::Init(init) => {
                function.view = init.delta.map(elements).unwrap_or_default();
                assert_eq!(Some(&function.view), stored.as_ref());
                assert!(self.told.is_subset(&function.view), "told and lost");
            }
            In::Command(command) => {
                let before = function.unanswered.insert(command.id, command);
                assert_eq!(before, None);
            }
            In::StreamCancelled(cancelled) => {
                assert!(function.open.remove(&cancelled.id), "cancelled and not open");
                function.cancelled.insert(cancelled.id);
            }
            In::Delta(_) | In::Delete(_) => panic!("there is no other node"),
        }
    }

    /// What a client sees is on disk.
    fn check(&mut self, answer: &Answer) {
        let Answer::Decided { action: Some(Action::Reply(reply)), .. } = answer else { return };
        let seen = String::from_utf8(reply.payload.as_ref().unwrap().value.to_vec()).unwrap();
        let seen: Elements = seen.split_whitespace().map(str::to_owned).collect();
        self.told_answers += 1;
        if let Some(stored) = self.stored_elements() {
            assert!(seen.is_subset(&stored), "told {seen:?}, stored {stored:?}");
            self.told.extend(seen);
        }
    }

    /// None if it is deleted.
    fn stored_elements(&self) -> Option<Elements> {
        match &self.stored {
            None => Some(Elements::new()),
            Some(StoredCrdt::State(state)) => Some(elements(Crdt::from_stored(state).unwrap().full_state())),
            Some(StoredCrdt::Deleted) => None,
        }
    }
}

impl Function {
    fn add(&mut self, element: String) -> CrdtStateAction {
        let added = vec![Any { type_url: "string".to_owned(), value: element.clone().into() }];
        if !self.deleted {
            self.view.insert(element);
        }
        let delta = CrdtDelta { delta: Some(Delta::Gset(GSetDelta { added })) };
        CrdtStateAction { action: Some(crdt_state_action::Action::Update(delta)), write_consistency: 0 }
    }

    /// A reply that shows all that the function knows.
    fn says(&self) -> ClientAction {
        let view: Vec<&str> = self.view.iter().map(String::as_str).collect();
        let payload = Any { type_url: "string".to_owned(), value: view.join(" ").into() };
        ClientAction { action: Some(Action::Reply(WireReply { payload: Some(payload), metadata: None })) }
    }
}

fn fails() -> ClientAction {
    ClientAction { action: Some(Action::Failure(WireFailure::default())) }
}

fn out(message: Out) -> Input {
    Input::FromFunction(CrdtStreamOut { message: Some(message) }, 0)
}

fn elements(state: CrdtDelta) -> Elements {
    let Some(Delta::Gset(set)) = state.delta else { panic!("a set") };
    set.added.iter().map(|element| String::from_utf8(element.value.to_vec()).unwrap()).collect()
}
