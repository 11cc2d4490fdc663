//! The user function that the proxy sees: the kit itself. Every call of the proxy is announced, in the order in which
//! they arrive, and what is said in it is recorded.

mod relay;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudstate_proto::{EXTENSIONS_HEADER, EntitySpec, ProxyInfo, STATUS_CODE_EXTENSION, UserFunctionError};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};

use super::wire::{self, BoxError, Heard, Reader, Status, Writer};
use relay::Relay;

const DISCOVER: &str = "/cloudstate.EntityDiscovery/discover";
const REPORT_ERROR: &str = "/cloudstate.EntityDiscovery/reportError";

/// A proxy opens one stream for each live entity, and scenarios leave many alive.
const STREAMS: u32 = 10_000;

/// More than any scenario leaves unread.
const UNREAD: usize = 1024;

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What the kit says as the user function.
pub(crate) enum Play {
    /// What the scenarios say; with this answer to `discover`, and knowing the extension of status codes or not.
    Script { spec: EntitySpec, extensions: bool },
    /// Whatever the user function at this address says.
    Relay { service: String },
}

/// A call of the proxy.
pub(crate) struct Call {
    pub(crate) path: String,
    /// What the proxy says.
    pub(crate) heard: mpsc::Receiver<Heard>,
    pub(crate) answers: Answers,
}

/// What is said to the proxy.
pub(crate) enum Answers {
    /// By the scenario; none once it has ended the call.
    Script(Option<Writer>),
    /// By the user function behind.
    Recorded(mpsc::Receiver<Heard>),
}

/// What discovery was about.
#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    pub(crate) proxy: ProxyInfo,
    pub(crate) spec: EntitySpec,
    /// The extension of status codes was offered and accepted.
    pub(crate) status_codes: bool,
    /// How often the proxy had asked before it was answered.
    pub(crate) refused: u32,
}

/// The listening user function.
pub(crate) struct Function {
    pub(crate) calls: mpsc::Receiver<Call>,
    /// What `reportError` was told.
    pub(crate) reports: mpsc::Receiver<String>,
    discovery: watch::Receiver<Option<Discovery>>,
    connections: watch::Sender<u32>,
    port: u16,
}

impl Function {
    /// Listens until the process ends.
    pub(crate) async fn listen(address: &str, play: Play) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let port = listener.local_addr()?.port();
        let (announce, calls) = mpsc::channel(UNREAD);
        let (report, reports) = mpsc::channel(UNREAD);
        let (discover, discovery) = watch::channel(None);
        let connections = watch::Sender::new(0);
        let server = Arc::new(Server {
            play: play.into(),
            announce,
            report,
            discover,
            refused: watch::Sender::new(0),
            connections: connections.clone(),
        });
        tokio::spawn(async move {
            loop {
                // Who cannot be accepted, for example for want of file descriptors, will come again.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&server)));
                }
            }
        });
        Ok(Self { calls, reports, discovery, connections, port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Awaits the answer to `discover`.
    pub(crate) async fn discovered(&mut self, patience: Duration) -> Option<Discovery> {
        let discovered = timeout(patience, self.discovery.wait_for(Option::is_some)).await;
        discovered.ok()?.ok()?.clone()
    }

    /// Breaks all connections, as a process that is killed.
    pub(crate) fn break_connections(&self) {
        self.connections.send_modify(|times| *times += 1);
    }

    /// The call that arrived next, if there is one within that time.
    pub(crate) async fn next_call(&mut self, within: Duration) -> Option<Call> {
        timeout(within, self.calls.recv()).await.ok().flatten()
    }
}

async fn serve(stream: TcpStream, server: Arc<Server>) {
    let _ = stream.set_nodelay(true);
    let mut broken = server.connections.subscribe();
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(STREAMS);
    tokio::select! {
        // A connection that breaks breaks its calls, which is where it is noticed.
        _ = builder.serve_connection(TokioIo::new(stream), service) => {}
        _ = broken.changed() => {}
    }
}

enum Role {
    Script { spec: EntitySpec, extensions: bool },
    Relay(Relay),
}

impl From<Play> for Role {
    fn from(play: Play) -> Self {
        match play {
            Play::Script { spec, extensions } => Self::Script { spec, extensions },
            Play::Relay { service } => Self::Relay(Relay::new(service)),
        }
    }
}

struct Server {
    play: Role,
    announce: mpsc::Sender<Call>,
    report: mpsc::Sender<String>,
    discover: watch::Sender<Option<Discovery>>,
    refused: watch::Sender<u32>,
    /// How often all connections were broken.
    connections: watch::Sender<u32>,
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let is_first = self.discover.borrow().is_none();
        match (&self.play, path.as_str()) {
            (Role::Script { spec, extensions }, DISCOVER) if is_first => {
                self.discover(path, request, spec, *extensions).await
            }
            (Role::Script { spec, .. }, DISCOVER) => self.discover_again(path, spec).await,
            (Role::Script { .. }, REPORT_ERROR) => self.reported(request).await,
            (Role::Script { .. }, _) => self.script(path, request).await,
            (Role::Relay(relay), DISCOVER) if is_first => self.relay_discovery(relay, request).await,
            (Role::Relay(relay), REPORT_ERROR) => {
                let (heard, mut report) = mpsc::channel(1);
                let response = relay.pass_on(request, heard, mpsc::channel(UNREAD).0).await;
                if let Some(Heard::Message(message)) = report.recv().await {
                    self.note_report(&message).await;
                }
                response
            }
            (Role::Relay(relay), _) => {
                let (said, heard) = mpsc::channel(UNREAD);
                let (answered, answers) = mpsc::channel(UNREAD);
                let _ = self.announce.send(Call { path, heard, answers: Answers::Recorded(answers) }).await;
                relay.pass_on(request, said, answered).await
            }
        }
    }

    /// A call that a scenario answers.
    async fn script(&self, path: String, request: Request<Incoming>) -> Response<Body> {
        let (said, heard) = mpsc::channel(UNREAD);
        let (writer, body) = wire::outgoing();
        tokio::spawn(record(Reader::new(request.into_body()), said));
        let call = Call { path, heard, answers: Answers::Script(Some(writer)) };
        let _ = self.announce.send(call).await;
        grpc_response(body)
    }

    /// Once is enough, unless the connection was lost.
    async fn discover_again(&self, path: String, spec: &EntitySpec) -> Response<Body> {
        if *self.connections.borrow() == 0 {
            let (_, heard) = mpsc::channel(1);
            let _ = self.announce.send(Call { path, heard, answers: Answers::Script(None) }).await;
        }
        unary(Ok(spec.encode_to_vec()))
    }

    /// Answers the second attempt: a user function that is still starting is no reason to give up.
    async fn discover(
        &self,
        path: String,
        request: Request<Incoming>,
        spec: &EntitySpec,
        extensions: bool,
    ) -> Response<Body> {
        let offered = offers_status_codes(request.headers());
        let Some(proxy) = only_message(request).await.and_then(|message| ProxyInfo::decode(message).ok())
        else {
            return unary(Err(Status { code: 3, message: "discover must say who the proxy is".to_owned() }));
        };
        let refuses = self.refused.send_if_modified(|refused| std::mem::replace(refused, 1) == 0);
        if refuses {
            return unary(Err(Status {
                code: 14,
                message: "the user function is still starting".to_owned(),
            }));
        }
        let status_codes = offered && extensions;
        let discovery = Discovery { proxy, spec: spec.clone(), status_codes, refused: 1 };
        // Of two at once one is one too many.
        let is_first = self.discover.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(discovery);
            is_first
        });
        if !is_first {
            return self.discover_again(path, spec).await;
        }
        let mut response = unary(Ok(spec.encode_to_vec()));
        if status_codes {
            let extension = HeaderValue::from_static(STATUS_CODE_EXTENSION);
            response.headers_mut().insert(EXTENSIONS_HEADER, extension);
        }
        response
    }

    async fn relay_discovery(&self, relay: &Relay, request: Request<Incoming>) -> Response<Body> {
        let offered = offers_status_codes(request.headers());
        let (said, mut heard) = mpsc::channel(UNREAD);
        let (answered, mut answers) = mpsc::channel(UNREAD);
        let response = relay.pass_on(request, said, answered).await;
        let status_codes = offered && offers_status_codes(response.headers());
        let discover = self.discover.clone();
        // The answer passes while it is read.
        tokio::spawn(async move {
            let (Some(Heard::Message(proxy)), Some(Heard::Message(spec))) =
                (heard.recv().await, answers.recv().await)
            else {
                return;
            };
            if let (Ok(proxy), Ok(spec)) = (ProxyInfo::decode(proxy), EntitySpec::decode(spec)) {
                discover.send_replace(Some(Discovery { proxy, spec, status_codes, refused: 0 }));
            }
        });
        response
    }

    async fn reported(&self, request: Request<Incoming>) -> Response<Body> {
        if let Some(message) = only_message(request).await {
            self.note_report(&message).await;
        }
        unary(Ok(Vec::new()))
    }

    async fn note_report(&self, message: &[u8]) {
        if let Ok(UserFunctionError { message }) = UserFunctionError::decode(message) {
            // Nobody has to listen.
            let _ = self.report.try_send(message);
        }
    }
}

/// Passes on what is said, until nobody wants to know.
async fn record(mut reader: Reader, said: mpsc::Sender<Heard>) {
    loop {
        let heard = reader.next().await;
        let goes_on = matches!(heard, Heard::Message(_));
        if said.send(heard).await.is_err() || !goes_on {
            return;
        }
    }
}

async fn only_message(request: Request<Incoming>) -> Option<Bytes> {
    match Reader::new(request.into_body()).next().await {
        Heard::Message(message) => Some(message),
        Heard::End(_) | Heard::Broken(_) => None,
    }
}

fn offers_status_codes(headers: &HeaderMap) -> bool {
    let offered = headers.get(EXTENSIONS_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    offered.split(',').any(|extension| extension.trim() == STATUS_CODE_EXTENSION)
}

fn unary(answer: Result<Vec<u8>, Status>) -> Response<Body> {
    let (writer, body) = wire::outgoing();
    tokio::spawn(async move {
        let status = match answer {
            Ok(message) => writer.message(&message).await.map(|()| Status::ok()),
            Err(status) => Ok(status),
        };
        if let Ok(status) = status {
            let _ = writer.end(&status).await;
        }
    });
    grpc_response(body)
}

fn grpc_response(body: wire::Outgoing) -> Response<Body> {
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
