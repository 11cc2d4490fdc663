//! What happens to an entity, as metrics: its lifecycle says what, and here it is known when.

use std::collections::HashMap;

use tokio::time::Instant;

use super::{Answer, Token};
use crate::telemetry::metrics::{EntityMetrics, Volume};

/// What a lifecycle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Observation {
    Activated,
    Loaded(Volume),
    Recovered,
    CommandReceived(Token),
    /// It has to wait before it can be sent.
    CommandStashed(Token),
    CommandSent(Token),
    /// The user function answered the command.
    ReplyReceived(Token),
    Persisting,
    Persisted(Volume),
    Crashed,
    Deactivated,
}

/// Knows when what is under way began.
pub(super) struct Observer {
    metrics: EntityMetrics,
    activated: Instant,
    persisting: Instant,
    /// Commands without an answer.
    commands: HashMap<Token, Command>,
}

#[derive(Default)]
struct Command {
    stashed: Option<Instant>,
    sent: Option<Instant>,
}

impl Observer {
    pub(super) fn new(metrics: EntityMetrics) -> Self {
        let now = Instant::now();
        Self { metrics, activated: now, persisting: now, commands: HashMap::new() }
    }

    pub(super) fn observe(&mut self, observation: Observation) {
        let now = Instant::now();
        match observation {
            Observation::Activated => {
                self.activated = now;
                self.metrics.activated();
            }
            Observation::Loaded(volume) => self.metrics.loaded(volume),
            Observation::Recovered => self.metrics.recovered(now - self.activated),
            Observation::CommandReceived(token) => {
                self.commands.insert(token, Command::default());
                self.metrics.command_received();
            }
            Observation::CommandStashed(token) => self.stashed(token, now),
            Observation::CommandSent(token) => self.sent(token, now),
            Observation::ReplyReceived(token) => {
                if let Some(sent) = self.commands.get(&token).and_then(|command| command.sent) {
                    self.metrics.command_processed(now - sent);
                }
            }
            Observation::Persisting => self.persisting = now,
            Observation::Persisted(volume) => self.metrics.persisted(now - self.persisting, volume),
            Observation::Crashed => self.metrics.crashed(),
            Observation::Deactivated => self.metrics.deactivated(now - self.activated),
        }
    }

    /// The caller gets an answer. The first one completes the command; a command that was refused on arrival was never
    /// received.
    pub(super) fn answered(&mut self, token: Token, answer: &Answer) {
        if let Some(command) = self.commands.remove(&token) {
            self.metrics.command_completed(command.sent.map(|sent| sent.elapsed()), answer.is_failure());
        }
    }

    fn stashed(&mut self, token: Token, now: Instant) {
        if let Some(command) = self.commands.get_mut(&token) {
            *command = Command { stashed: Some(now), sent: None };
            self.metrics.command_stashed();
        }
    }

    fn sent(&mut self, token: Token, now: Instant) {
        if let Some(command) = self.commands.get_mut(&token) {
            if let Some(stashed) = command.stashed.take() {
                self.metrics.command_unstashed(now - stashed);
            }
            command.sent = Some(now);
        }
    }
}
