//! An entity's stream to the user function, as the entity's task holds it.

use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tonic::Status;

use super::Environment;
use crate::{
    storage::BoxFuture,
    user_function::{EntityProtocol, EntityStream},
};

/// How long the user function may take to end a stream that we half-closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// More than a page of a history with all that goes along with it. A user function that answers commands which it has
/// not read is not heard while so many messages wait for it, or there would be ever more of them.
const MAX_UNREAD_MESSAGES: usize = 1_024;

/// At most one stream, and what is to be written to it. Dropped, it is abandoned.
pub(super) struct Stream<P: EntityProtocol> {
    opening: Option<BoxFuture<EntityStream<P>>>,
    inbound: Option<EntityStream<P>>,
    outbound: Option<mpsc::Sender<Box<P::In>>>,
    /// What waits for room in `outbound`, or for a stream.
    outbox: VecDeque<Box<P::In>>,
    /// Our side is over, or will be when everything is written: until when the other side may take.
    closing_until: Option<Instant>,
    /// It ended, and it takes a moment to find out why.
    ending: Option<BoxFuture<End>>,
}

/// What a stream does.
pub(super) enum StreamEvent<P: EntityProtocol> {
    /// It is open.
    Opened,
    /// The user function wrote to it.
    Message(P::Out),
    /// The user function's side is over; [`Stream::ended`] knows more.
    Over(Result<(), Status>),
    /// And this is why.
    Ended(End),
    /// Something was written.
    Written,
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The user function completed it.
    Completed,
    /// The user function failed it.
    Failed(String),
    /// The user function's process is gone, with all its streams.
    Lost,
}

impl<P: EntityProtocol> Default for Stream<P> {
    fn default() -> Self {
        Self {
            opening: None,
            inbound: None,
            outbound: None,
            outbox: VecDeque::new(),
            closing_until: None,
            ending: None,
        }
    }
}

impl<P: EntityProtocol> Stream<P> {
    /// Begins to open one, which takes as long as there is no user function.
    pub(super) fn open(environment: &Arc<Environment>) -> Self {
        let environment = Arc::clone(environment);
        let opening = async move { environment.pool.open::<P>().await };
        Self { opening: Some(Box::pin(opening)), ..Self::default() }
    }

    /// Why there is no stream yet, while it is being opened.
    pub(super) fn unreachable(&self, environment: &Environment) -> Option<String> {
        self.opening.as_ref().map(|_| environment.pool.unreachable().to_string())
    }

    /// It is over, and nobody knows yet why.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Everything sent so far is on its way.
    pub(super) fn is_written(&self) -> bool {
        self.outbox.is_empty()
    }

    pub(super) fn send(&mut self, message: P::In) {
        self.outbox.push_back(Box::new(message));
        // Nearly always there is room, and nothing to wait for.
        while let Some(Ok(room)) = self.outbound.as_ref().map(mpsc::Sender::try_reserve)
            && let Some(message) = self.outbox.pop_front()
        {
            room.send(message);
        }
    }

    /// Ends our side, once everything before it is written.
    pub(super) fn half_close(&mut self) {
        self.closing_until = Some(Instant::now() + CLOSE_TIMEOUT);
        self.half_close_when_written();
    }

    /// When a half-closed stream should have ended.
    pub(super) fn closing_until(&self) -> Option<Instant> {
        self.closing_until
    }

    /// Waits for whatever the stream does next; it is not read while the caller has no room for messages. Can be
    /// dropped and called again.
    pub(super) async fn next(&mut self, has_room: bool) -> StreamEvent<P> {
        let Self { opening, inbound, outbound, outbox, ending, .. } = self;
        let is_heard = has_room && outbox.len() < MAX_UNREAD_MESSAGES;
        let event = tokio::select! {
            biased;
            message = read(inbound), if is_heard => match message {
                Ok(Some(message)) => StreamEvent::Message(message),
                Ok(None) => StreamEvent::Over(Ok(())),
                Err(status) => StreamEvent::Over(Err(status)),
            },
            opened = poll_optional(opening) => {
                self.opened(opened);
                StreamEvent::Opened
            }
            end = poll_optional(ending) => StreamEvent::Ended(end),
            () = write(outbound, outbox) => StreamEvent::Written,
        };
        if let StreamEvent::Written = event {
            self.half_close_when_written();
        }
        event
    }

    /// Takes leave of a stream that is over. Why it ended takes a moment to find out if that `matters`; none then, and
    /// an event follows.
    pub(super) fn ended(&mut self, end: Result<(), Status>, matters: bool) -> Option<End> {
        let ended = std::mem::take(self);
        let end = match end {
            Ok(()) => End::Completed,
            Err(status) => End::Failed(format!("{} ({})", status.message(), status.code())),
        };
        match ended.inbound {
            Some(stream) if matters && ended.closing_until.is_none() => {
                let ending = async { if stream.has_lost_connection().await { End::Lost } else { end } };
                self.ending = Some(Box::pin(ending));
                None
            }
            _ => Some(end),
        }
    }

    fn opened(&mut self, mut stream: EntityStream<P>) {
        self.opening = None;
        self.outbound = stream.outbound.take();
        self.inbound = Some(stream);
        self.half_close_when_written();
    }

    /// Dropping our sender ends our side.
    fn half_close_when_written(&mut self) {
        if self.closing_until.is_some() && self.outbox.is_empty() {
            self.outbound = None;
        }
    }
}

async fn read<P: EntityProtocol>(inbound: &mut Option<EntityStream<P>>) -> Result<Option<P::Out>, Status> {
    match inbound {
        Some(stream) => stream.message().await,
        None => std::future::pending().await,
    }
}

async fn write<M>(outbound: &mut Option<mpsc::Sender<M>>, outbox: &mut VecDeque<M>) {
    match outbound {
        Some(sender) if !outbox.is_empty() => match sender.reserve().await {
            Ok(permit) => {
                if let Some(message) = outbox.pop_front() {
                    permit.send(message);
                }
            }
            // The stream is over; reading from it says why.
            Err(_) => outbox.clear(),
        },
        _ => std::future::pending().await,
    }
}

/// The output of what may be under way; pending while nothing is.
pub(super) async fn poll_optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
