//! What all kinds of entities have in common: commands, client actions, side effects.

use cloudstate_proto::{Any, ClientAction, Command, Failure, Forward, Reply, SideEffect, client_action};

use super::{
    action, any_message,
    cursor::{Cursor, Problem},
};

/// The entity of a scenario.
pub(super) struct Entity {
    pub(super) service: String,
    pub(super) id: String,
}

impl Entity {
    /// `init`, and whom it is for: the model, unless another service is named.
    pub(super) fn service_of_init(&self, line: &mut Cursor<'_>) -> Result<String, Problem> {
        if line.eat("for") { Ok(line.word()?.to_owned()) } else { Ok(self.service.clone()) }
    }

    /// `2 [..]`, `2 Name [..]`, `2 no payload`, each perhaps `for other`: a command of another entity.
    pub(super) fn command(
        &self,
        line: &mut Cursor<'_>,
        payload: impl FnOnce(&mut Cursor<'_>) -> Result<Any, Problem>,
    ) -> Result<Command, Problem> {
        let id = line.number()?;
        let without_payload = line.eat("no payload");
        let name = if without_payload || line.starts_with("[") { "Process" } else { line.word()? };
        let payload = if without_payload { None } else { Some(any_message::and_more(line, payload)?) };
        let entity_id = if line.eat("for") { line.word()?.to_owned() } else { self.id.clone() };
        Ok(Command { entity_id, id, name: name.to_owned(), payload, ..Command::default() })
    }

    /// A word in which `id` stands for the scenario's entity id: `id`, `X-id`.
    pub(super) fn resolve(&self, line: &mut Cursor<'_>) -> Result<String, Problem> {
        let word = line.word()?;
        Ok(match word.strip_suffix("id") {
            Some(prefix) if prefix.is_empty() || prefix.ends_with('-') => format!("{prefix}{}", self.id),
            _ => word.to_owned(),
        })
    }
}

/// Where an area's models forward to, and what they say there.
pub(super) struct Target {
    pub(super) service: String,
    pub(super) request: fn(String) -> Any,
}

impl Target {
    pub(super) fn forward(&self, id: String) -> Forward {
        Forward {
            service_name: self.service.clone(),
            command_name: "Call".to_owned(),
            payload: Some((self.request)(id)),
            metadata: None,
        }
    }

    /// What follows `forward`: an entity of the second service, or `to` anyone; perhaps `with` metadata.
    pub(super) fn forward_of(
        &self,
        line: &mut Cursor<'_>,
        id: impl FnOnce(&mut Cursor<'_>) -> Result<String, Problem>,
    ) -> Result<Forward, Problem> {
        let forward = if line.eat("to") {
            let (service_name, command_name, payload) = any_message::call(line)?;
            Forward { service_name, command_name, payload: Some(payload), metadata: None }
        } else {
            self.forward(id(line)?)
        };
        Ok(Forward { metadata: action::metadata(line)?, ..forward })
    }

    /// `[a, !b]`: asynchronous, synchronous; `to` anyone; each perhaps `with` metadata.
    pub(super) fn side_effects(
        &self,
        line: &mut Cursor<'_>,
        id: impl Fn(&mut Cursor<'_>) -> Result<String, Problem>,
    ) -> Result<Vec<SideEffect>, Problem> {
        line.list(["[", "]"], |line| {
            let synchronous = line.eat("!");
            let Forward { service_name, command_name, payload, metadata } = self.forward_of(line, &id)?;
            Ok(SideEffect { service_name, command_name, payload, synchronous, metadata })
        })
    }

    /// `reply …`, `forward id`, `fail "text"`, perhaps with `, restart true`.
    pub(super) fn client_action(
        &self,
        line: &mut Cursor<'_>,
        entity: &Entity,
        command_id: i64,
        payload: impl FnOnce(&mut Cursor<'_>) -> Result<Option<Any>, Problem>,
    ) -> Result<Option<ClientAction>, Problem> {
        let action = if line.eat("forward") {
            client_action::Action::Forward(self.forward_of(line, |line| entity.resolve(line))?)
        } else if line.eat("fail") {
            client_action::Action::Failure(Failure { command_id, ..failure(line)? })
        } else if line.eat("no member") {
            return Ok(Some(ClientAction { action: None }));
        } else {
            line.need("reply")?;
            let Some(payload) = payload(line)? else { return Ok(None) };
            client_action::Action::Reply(Reply { payload: Some(payload), metadata: action::metadata(line)? })
        };
        Ok(Some(ClientAction { action: Some(action) }))
    }
}

/// `"text"`, perhaps `, code NOT_FOUND`, perhaps `, restart true`.
pub(super) fn failure(line: &mut Cursor<'_>) -> Result<Failure, Problem> {
    let description = line.text()?.to_owned();
    let grpc_status_code = if line.eat(", code") { u32::from(any_message::code(line)?) } else { 0 };
    let restart = if line.eat(", restart") { line.boolean()? } else { false };
    Ok(Failure { description, restart, grpc_status_code, ..Failure::default() })
}

/// A failure of the whole stream, whatever it says: makes such failures equal.
pub(super) fn forgive_words(failure: &mut Failure) {
    // A failure without a word explains nothing, and is not forgiven.
    if !failure.description.is_empty() {
        *failure = any_failure();
    }
}

pub(super) fn any_failure() -> Failure {
    Failure { description: "(any text)".to_owned(), ..Failure::default() }
}

/// A client action that is a reply.
pub(super) fn reply(payload: Any) -> ClientAction {
    let reply = Reply { payload: Some(payload), metadata: None };
    ClientAction { action: Some(client_action::Action::Reply(reply)) }
}
