//! One entity's stream as the scripted user function holds it, whatever the kind of entity.

use std::{fmt::Debug, net::SocketAddr, pin::Pin};

use cloudstate_proto::Command;
use futures_util::{FutureExt, Stream, StreamExt};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::user_function::soon;

/// The protocol of one kind of entity, as far as all kinds are alike.
pub(crate) trait Protocol {
    /// What the proxy sends, and what is in it.
    type In: Message + Default;
    type Received: Debug + PartialEq;
    type Init;
    /// What the user function sends, and what is in it.
    type Out: Message + Default;
    type Said;

    fn open(message: Self::In) -> Option<Self::Received>;
    fn part(received: Self::Received) -> Part<Self::Init, Self::Received>;
    fn wrap(said: Self::Said) -> Self::Out;
}

/// What every kind of entity receives, and what others do not.
pub(crate) enum Part<I, R> {
    Init(I),
    Command(Command),
    Other(R),
}

/// The stream of an entity of kind `P`. Dropped, it is ended with OK.
pub(crate) struct EntityStream<P: Protocol> {
    /// The proxy's end of the connection that carries it.
    pub(crate) connection: SocketAddr,
    inbound: Streaming<P::In>,
    outbound: mpsc::UnboundedSender<Result<P::Out, Status>>,
}

/// What a server answers a call of `handle` with.
pub(crate) type Responses<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// Hands the streams of one kind of entity to the test.
pub(crate) struct Entities<P: Protocol>(pub(crate) mpsc::UnboundedSender<EntityStream<P>>);

impl<P: Protocol> Entities<P> {
    pub(crate) fn opened(&self, request: Request<Streaming<P::In>>) -> Response<Responses<P::Out>>
    where
        P::Out: 'static,
    {
        let connection = request.remote_addr().unwrap();
        let (outbound, messages) = mpsc::unbounded_channel();
        let _ = self.0.send(EntityStream { connection, inbound: request.into_inner(), outbound });
        Response::new(UnboundedReceiverStream::new(messages).boxed())
    }
}

impl<P: Protocol> EntityStream<P> {
    /// The next message; none when the proxy half-closed.
    pub(crate) async fn next(&mut self) -> Option<P::Received> {
        let message = soon("a message", self.inbound.next()).await?;
        Some(P::open(message.expect("the stream is intact")).expect("a known message"))
    }

    /// The next message, however long it takes; none when the proxy half-closed the stream or gave it up.
    pub(crate) async fn next_while_it_lasts(&mut self) -> Option<P::Received> {
        let message = self.inbound.next().await?.ok()?;
        Some(P::open(message).expect("a known message"))
    }

    pub(crate) async fn init(&mut self) -> P::Init {
        match self.next().await.map(P::part) {
            Some(Part::Init(init)) => init,
            other => panic!("init expected, got {}", described(other)),
        }
    }

    pub(crate) async fn command(&mut self) -> Command {
        match self.next().await.map(P::part) {
            Some(Part::Command(command)) => command,
            other => panic!("command expected, got {}", described(other)),
        }
    }

    /// The proxy half-closes, having sent nothing more.
    pub(crate) async fn half_closed(&mut self) {
        assert_eq!(self.next().await, None);
        assert!(!self.outbound.is_closed(), "the proxy gave the stream up instead");
    }

    /// The proxy gives the stream up: it reads no more of it.
    pub(crate) async fn given_up(&self) {
        soon("the stream to be given up", self.outbound.closed()).await;
    }

    /// Ends it with OK. The proxy knows when this returns: it ends its side too.
    pub(crate) async fn complete(self) {
        let Self { mut inbound, outbound, .. } = self;
        drop(outbound);
        let end = soon("the proxy to end its side", inbound.next()).await;
        assert!(!matches!(end, Some(Ok(_))), "the proxy sent something more");
    }

    /// Nothing has arrived that was not taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.inbound.next().now_or_never().is_none()
    }

    pub(crate) fn send(&self, message: P::Said) {
        // The proxy may have given up the stream.
        let _ = self.outbound.send(Ok(P::wrap(message)));
    }

    /// A message with nothing in it.
    pub(crate) fn send_nothing(&self) {
        let _ = self.outbound.send(Ok(P::Out::default()));
    }

    /// Ends it with an error.
    pub(crate) fn fail(self, status: Status) {
        let _ = self.outbound.send(Err(status));
    }
}

fn described<I, R: Debug>(part: Option<Part<I, R>>) -> String {
    match part {
        None => "the end of the stream".to_owned(),
        Some(Part::Init(_)) => "init".to_owned(),
        Some(Part::Command(command)) => format!("{command:?}"),
        Some(Part::Other(other)) => format!("{other:?}"),
    }
}
