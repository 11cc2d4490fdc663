//! The way back from an entity to whoever waits for its answers.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cloudstate_proto::client_action::Action;
use futures_util::{StreamExt, stream};
use prost::Message;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Failure, NoReply, Router, TypedReplies, TypedReply,
    settlement::{Link, Settled},
};
use crate::{entities::Answer, error_code::ErrorCode};

/// Elements of one streamed command that may wait for a client that reads slowly; beyond it the client is cut off.
const MAX_WAITING_ELEMENTS: usize = 1024;
/// And the bytes they may take. One element alone may be larger.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Takes an entity's answers to whoever waits for them; never waits itself.
///
/// The command of a unary rpc has one answer. A streamed command ([`Responder::is_streamed`]) has any number: all
/// but the last are [`element`](Responder::element)s, the last one is the [`answer`](Responder::answer), which
/// may decide nothing. A responder that is dropped without an answer fails its call.
pub(crate) struct Responder(Way);

enum Way {
    Unary(Unary),
    Streamed(Streamed),
}

struct Unary {
    router: Router,
    link: Link,
    sender: oneshot::Sender<Result<Settled, NoReply>>,
}

/// A queue of answers before a task of its own.
struct Streamed {
    elements: mpsc::Sender<Element>,
    waiting_bytes: Arc<AtomicUsize>,
    caller: watch::Sender<Caller>,
}

struct Element {
    answer: Answer,
    bytes: usize,
    is_last: bool,
}

/// Whether anybody takes the replies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    Taking,
    /// It cancelled the call or went away.
    Gone,
    /// It did not take what was there for it.
    TooSlow,
}

impl Responder {
    /// For a unary rpc.
    pub(super) fn unary(router: Router, link: Link) -> (Self, oneshot::Receiver<Result<Settled, NoReply>>) {
        let (sender, settled) = oneshot::channel();
        (Self(Way::Unary(Unary { router, link, sender })), settled)
    }

    /// For an rpc with a stream of replies. Dropping that stream is what [`Responder::gone`] tells.
    pub(super) fn streamed(router: Router, link: Link) -> (Self, TypedReplies) {
        let (elements, waiting) = mpsc::channel(MAX_WAITING_ELEMENTS);
        let (sender, replies) = mpsc::channel(1);
        let caller = watch::Sender::new(Caller::Taking);
        let waiting_bytes = Arc::<AtomicUsize>::default();
        let relay = Relay {
            router,
            link: link.clone(),
            waiting_bytes: Arc::clone(&waiting_bytes),
            caller: caller.subscribe(),
            replies: Some(sender),
        };
        relay.router.background().clone().spawn(relay.run(waiting));
        let taking = Taking { replies, caller: caller.clone(), link };
        let replies = stream::unfold(taking, |mut taking| async {
            let reply = taking.next().await?;
            Some((reply, taking))
        });
        (Self(Way::Streamed(Streamed { elements, waiting_bytes, caller })), replies.boxed())
    }

    /// Whether the command may have more than one answer.
    pub(crate) fn is_streamed(&self) -> bool {
        matches!(self.0, Way::Streamed(_))
    }

    /// The only answer, or the last one of a streamed command. Side effects run in a task of their own, so that the
    /// entity can take its next command, and so that they happen even when the client has gone away.
    pub(crate) fn answer(self, answer: Answer) {
        match self.0 {
            Way::Streamed(streamed) => streamed.push(answer, true),
            Way::Unary(unary) => unary.answer(answer),
        }
    }

    /// One more answer to a streamed command, with others to come. A client that leaves too much of them waiting
    /// is cut off, which then is as if it had gone. There are no elements of a command that is not streamed.
    pub(crate) fn element(&self, answer: Answer) {
        if let Way::Streamed(streamed) = &self.0 {
            streamed.push(answer, false);
        }
    }

    /// Resolves when nobody takes the answers of a streamed command any more; never for another command, whose
    /// answer is carried out in any case.
    pub(crate) fn gone(&self) -> impl Future<Output = ()> + Send + 'static {
        let caller = match &self.0 {
            Way::Streamed(streamed) => Some(streamed.caller.subscribe()),
            Way::Unary(_) => None,
        };
        async move {
            match caller {
                Some(mut caller) => left(&mut caller).await,
                None => std::future::pending().await,
            }
        }
    }
}

impl Unary {
    fn answer(self, answer: Answer) {
        let Self { router, link, sender } = self;
        let settled = match answer {
            Answer::Decided { action, side_effects } if side_effects.is_empty() => {
                router.conclude(action, &link)
            }
            Answer::Failed(failure) => Err(link.broken(failure)),
            with_effects => {
                let background = router.background().clone();
                background.spawn(async move { sender.send(router.settle(with_effects, &link).await) });
                return;
            }
        };
        // Nobody there: the client has gone away.
        let _ = sender.send(settled);
    }
}

impl Streamed {
    fn push(&self, answer: Answer, is_last: bool) {
        let bytes = size(&answer);
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = waiting == 0 || waiting + bytes <= MAX_WAITING_BYTES;
        if !fits || self.elements.try_send(Element { answer, bytes, is_last }).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            leave(&self.caller, Caller::TooSlow);
        }
    }
}

fn size(answer: &Answer) -> usize {
    match answer {
        Answer::Decided { action, side_effects } => {
            let action = match action {
                Some(Action::Reply(reply)) => reply.encoded_len(),
                Some(Action::Forward(forward)) => forward.encoded_len(),
                Some(Action::Failure(failure)) => failure.encoded_len(),
                None => 0,
            };
            action + side_effects.iter().map(Message::encoded_len).sum::<usize>()
        }
        Answer::Failed(failure) => failure.description.len(),
    }
}

/// Notes why the caller takes no more, the first time.
fn leave(caller: &watch::Sender<Caller>, why: Caller) {
    caller.send_if_modified(|caller| {
        let leaves = *caller == Caller::Taking;
        if leaves {
            *caller = why;
        }
        leaves
    });
}

async fn left(caller: &mut watch::Receiver<Caller>) {
    // All senders are gone only when the caller is, too.
    let _ = caller.wait_for(|caller| *caller != Caller::Taking).await;
}

/// The replies as the caller takes them.
struct Taking {
    replies: mpsc::Receiver<Result<TypedReply, NoReply>>,
    caller: watch::Sender<Caller>,
    link: Link,
}

impl Taking {
    async fn next(&mut self) -> Option<Result<TypedReply, NoReply>> {
        if let Some(reply) = self.replies.recv().await {
            return Some(reply);
        }
        let cut_off = self.caller.send_replace(Caller::Gone) == Caller::TooSlow;
        let text = "the client takes its replies too slowly: too many were waiting";
        cut_off.then(|| Err(self.link.broken(Failure::new(ErrorCode::ClientTooSlow, text))))
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        leave(&self.caller, Caller::Gone);
    }
}

/// Carries out the elements of a streamed command one after the other, also when nobody takes the replies.
struct Relay {
    router: Router,
    link: Link,
    waiting_bytes: Arc<AtomicUsize>,
    caller: watch::Receiver<Caller>,
    /// None once the replies have ended.
    replies: Option<mpsc::Sender<Result<TypedReply, NoReply>>>,
}

impl Relay {
    async fn run(mut self, mut elements: mpsc::Receiver<Element>) {
        while let Some(Element { answer, bytes, is_last }) = elements.recv().await {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            let settled = self.router.settle(answer, &self.link).await;
            self.pass_on(settled).await;
            if is_last {
                return;
            }
        }
        let terminated = self.link.broken(terminated());
        self.pass_on(Err(terminated)).await;
    }

    /// Passes on what became of an element, unless the replies have ended.
    async fn pass_on(&mut self, settled: Result<Settled, NoReply>) {
        let Some(sender) = &self.replies else { return };
        let ended = tokio::select! {
            biased;
            () = left(&mut self.caller) => true,
            ended = send_all(settled, sender) => ended,
        };
        if ended {
            self.replies = None;
        }
    }
}

/// Returns whether there was a failure, after which nothing more is to be sent.
async fn send_all(
    settled: Result<Settled, NoReply>,
    sender: &mpsc::Sender<Result<TypedReply, NoReply>>,
) -> bool {
    let mut replies = settled.map_or_else(NoReply::alone, Settled::many);
    while let Some(reply) = replies.next().await {
        let failed = reply.is_err();
        if sender.send(reply).await.is_err() || failed {
            return true;
        }
    }
    false
}

/// What is said of a command whose entity went away without a word.
pub(super) fn terminated() -> Failure {
    Failure::new(ErrorCode::ProxyFault, "the entity ended without an answer")
}
