//! Who waits for answers, until when, and who has gone away.

use std::collections::{BTreeSet, HashMap};

use futures_util::{
    StreamExt,
    future::{AbortHandle, abortable},
    stream::FuturesUnordered,
};
use tokio::time::Instant;

use super::{Answer, Token};
use crate::{routing::Responder, storage::BoxFuture};

#[derive(Default)]
pub(super) struct Clients {
    last_token: Token,
    clients: HashMap<Token, Client>,
    deadlines: BTreeSet<(Instant, Token)>,
    /// Of the streamed commands; each resolves when its client is gone, or when nobody asks any more.
    departures: FuturesUnordered<BoxFuture<Option<Token>>>,
}

struct Client {
    responder: Responder,
    deadline: Instant,
    /// It is gone, and the user function was told.
    cancelling: bool,
    watch: Option<AbortHandle>,
}

impl Clients {
    pub(super) fn admit(&mut self, responder: Responder, deadline: Instant) -> Token {
        self.last_token += 1;
        let token = self.last_token;
        let watch = responder.is_streamed().then(|| {
            let (gone, watch) = abortable(responder.gone());
            self.departures.push(Box::pin(async move { gone.await.ok().map(|()| token) }));
            watch
        });
        self.deadlines.insert((deadline, token));
        let client = Client { responder, deadline, cancelling: false, watch };
        self.clients.insert(token, client);
        token
    }

    /// The last answer of a command.
    pub(super) fn answer(&mut self, token: Token, answer: Answer) {
        let Some(client) = self.clients.remove(&token) else { return };
        self.deadlines.remove(&(client.deadline, token));
        if let Some(watch) = &client.watch {
            watch.abort();
        }
        client.responder.answer(answer);
    }

    /// One answer of several.
    pub(super) fn element(&mut self, token: Token, answer: Answer) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        if !client.cancelling {
            self.deadlines.remove(&(client.deadline, token));
        }
        client.responder.element(answer);
    }

    /// The time of a cancellation begins.
    pub(super) fn await_cancelled(&mut self, token: Token, deadline: Instant) {
        if let Some(client) = self.clients.get_mut(&token) {
            self.deadlines.remove(&(client.deadline, token));
            client.deadline = deadline;
            client.cancelling = true;
        }
        self.deadlines.insert((deadline, token));
    }

    /// The next client of a streamed command to go away; pending while there is none.
    pub(super) async fn departure(&mut self) -> Token {
        loop {
            match self.departures.next().await {
                Some(Some(token)) => return token,
                Some(None) => {}
                None => std::future::pending().await,
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn expired(&mut self, now: Instant) -> Option<Token> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.deadlines.pop_first().map(|(_, token)| token)
    }
}
