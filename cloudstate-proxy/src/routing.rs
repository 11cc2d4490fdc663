//! From a method and the entity key to the one live entity; forwards and side effects.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use cloudstate_proto::{Metadata, SideEffect, client_action::Action, metadata_entry::Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    code::Code,
    entities::{Answer, Entities, Envelope},
    service_catalog::{KeyError, Method, ServiceCatalog},
    storage::EntityKey,
};

/// A call of a client, or of the user function through a forward or a side effect.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub method: Arc<Method>,
    /// The encoded request message, exactly as it came in.
    pub payload: Bytes,
}

/// The answer to a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The encoded reply message; none when the user function answered without one.
    pub payload: Option<Bytes>,
    /// What becomes response headers.
    pub metadata: Option<Metadata>,
}

/// Why a call has no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct Failure {
    /// None when the user function failed the call without choosing a code: UNKNOWN toward gRPC clients, 500
    /// toward HTTP clients.
    pub code: Option<Code>,
    /// The text for the client.
    pub description: String,
}

impl Failure {
    /// A failure that the proxy itself found.
    pub fn new(code: Code, description: impl Into<String>) -> Self {
        Self { code: Some(code), description: description.into() }
    }
}

/// A future that owns what it needs.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Carries out calls: what a frontend sees of everything behind it.
pub trait Calls: Send + Sync + 'static {
    /// Carries out `call`. Dropping the future gives up the wait, not the call.
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>>;
}

/// How many forwards and side effects may follow one client call, each caused by the one before.
const MAX_HOPS: usize = 32;
/// Asynchronous side effects that entities have before them at once; more wait.
const MAX_ASYNC_EFFECTS: usize = 1024;
/// What reply metadata may take as response headers. Clients accept 8 KiB of headers or more; several break off the
/// whole connection, with all its calls, when one response has too many.
const MAX_HEADER_BYTES: usize = 6 * 1024;
/// What HTTP/2 counts for a header beside its name and value.
const HEADER_OVERHEAD_BYTES: usize = 32;

/// Routes calls to entities, and carries out what they decide.
#[derive(Clone)]
pub(crate) struct Router(Arc<Inner>);

struct Inner {
    catalog: Arc<ServiceCatalog>,
    entities: Arc<Entities>,
    async_effects: Arc<Semaphore>,
}

impl Router {
    pub(crate) fn new(catalog: Arc<ServiceCatalog>, entities: Arc<Entities>) -> Self {
        let async_effects = Arc::new(Semaphore::new(MAX_ASYNC_EFFECTS));
        Self(Arc::new(Inner { catalog, entities, async_effects }))
    }

    /// `origin` is what the client called: its reply type is the one the client expects.
    async fn route(self, call: Call, origin: Arc<Method>, trace: Trace) -> Result<Reply, NoReply> {
        let answer = self.deliver(call, origin, trace, None)?;
        // The sender is dropped only with the entity's task.
        answer.await.unwrap_or_else(|_| Err(Failure::new(Code::Internal, "Entity terminated").into()))
    }

    /// Puts a call into the mailbox of its entity; `permit` is given back when the entity has decided.
    fn deliver(
        &self,
        call: Call,
        origin: Arc<Method>,
        trace: Trace,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<oneshot::Receiver<Result<Reply, NoReply>>, Failure> {
        let method = call.method;
        let id = method.entity_key.entity_id(&call.payload);
        let id = id.map_err(|error| self.not_addressed(&method, &error, &trace))?;
        let persistence_id = Arc::clone(&method.service.persistence_id);
        let key = EntityKey { persistence_id, entity_id: id.into() };
        let (sender, answer) = oneshot::channel();
        let router = self.clone();
        let envelope = Envelope {
            method: Arc::clone(&method),
            payload: call.payload,
            responder: Responder { sender, router, call: Decided { method, origin, trace }, permit },
        };
        self.0.entities.deliver(key, envelope);
        Ok(answer)
    }

    /// A request without a usable key is the client's mistake, or that of the user function that made it.
    fn not_addressed(&self, method: &Method, error: &KeyError, trace: &Trace) -> Failure {
        if trace.0.is_empty() {
            return Failure::new(Code::InvalidArgument, error.to_string());
        }
        self.report(format!("{}.{}: {error}{trace}", method.service.name, method.name));
        Failure::new(Code::Internal, error.to_string())
    }

    /// Side effects in order, then the action.
    async fn carry_out(
        self,
        action: Option<Action>,
        side_effects: Vec<SideEffect>,
        call: Decided,
    ) -> Result<Reply, NoReply> {
        for effect in side_effects {
            self.side_effect(effect, &call).await?;
        }
        match action {
            Some(Action::Forward(forward)) => {
                let trace = self.follow(&call, "forwarded from")?;
                let payload = forward.payload.unwrap_or_default().value;
                let target = self.target(&forward.service_name, &forward.command_name, payload, &trace)?;
                self.route(target, call.origin, trace).await
            }
            action => self.answer(action, &call.origin),
        }
    }

    async fn side_effect(&self, effect: SideEffect, cause: &Decided) -> Result<(), NoReply> {
        let synchronous = effect.synchronous;
        let target = self.follow(cause, "side-effect of").and_then(|trace| {
            let payload = effect.payload.unwrap_or_default().value;
            let call = self.target(&effect.service_name, &effect.command_name, payload, &trace)?;
            Ok((call, trace))
        });
        let (call, trace) = match target {
            Ok(target) => target,
            Err(error) if synchronous => return Err(error.into()),
            Err(_) => return Ok(()),
        };
        let origin = Arc::clone(&call.method);
        if !synchronous {
            // Closing the semaphore is nobody's business, so a permit always comes: it is held while the entity
            // has the command and not while further effects are carried out, which need permits themselves.
            let permit = Arc::clone(&self.0.async_effects).acquire_owned().await.ok();
            // Delivered here and not in a task of its own, so that effects on one entity keep their order. What
            // becomes of it is not our caller's business.
            let _ = self.deliver(call, origin, trace, permit);
            return Ok(());
        }
        let done: BoxFuture<_> = Box::pin(self.clone().route(call, origin, trace));
        match done.await {
            Ok(_) | Err(NoReply::Refused(_)) => Ok(()),
            Err(broken) => Err(broken),
        }
    }

    /// One hop more, unless there were too many: a circle, which its developer must hear of.
    fn follow(&self, cause: &Decided, how: &str) -> Result<Trace, Failure> {
        let Trace(hops) = &cause.trace;
        if hops.len() >= MAX_HOPS {
            let text = format!("more than {MAX_HOPS} forwards and side effects followed one call");
            self.report(format!("{text}{}", cause.trace));
            return Err(Failure::new(Code::FailedPrecondition, text));
        }
        let hop = format!("{how} {}.{}", cause.method.service.name, cause.method.name);
        Ok(Trace([hops.as_slice(), &[hop]].concat()))
    }

    fn target(&self, service: &str, command: &str, payload: Bytes, trace: &Trace) -> Result<Call, Failure> {
        if let Some(method) = self.0.catalog.find(service, command) {
            return Ok(Call { method: Arc::clone(method), payload });
        }
        let text = if self.0.catalog.has_service(service) {
            format!("Service [{service}] does not have a command named: [{command}]")
        } else {
            format!("Service [{service}] unknown")
        };
        self.report(format!("{text}{trace}"));
        Err(Failure::new(Code::Internal, text))
    }

    /// The answer that needs no further call.
    fn answer(&self, action: Option<Action>, origin: &Method) -> Result<Reply, NoReply> {
        match action {
            Some(Action::Reply(reply)) => {
                let payload = reply.payload.map(|payload| {
                    if payload.type_url != origin.output_type_url {
                        self.report(format!(
                            "Warning: {}.{}: Expected reply type_url to be [{}] but was [{}].",
                            origin.service.name, origin.name, origin.output_type_url, payload.type_url
                        ));
                    }
                    payload.value
                });
                Ok(Reply { payload, metadata: reply.metadata.map(|metadata| self.bounded(metadata, origin)) })
            }
            Some(Action::Failure(failure)) => Err(NoReply::Refused(Failure {
                code: Code::from_number(failure.grpc_status_code),
                description: failure.description,
            })),
            Some(Action::Forward(_)) | None => Ok(Reply::default()),
        }
    }

    /// As much of `metadata` as fits into response headers.
    fn bounded(&self, mut metadata: Metadata, origin: &Method) -> Metadata {
        let mut bytes = 0;
        let fitting = metadata.entries.iter().take_while(|entry| {
            let value = match &entry.value {
                Some(Value::StringValue(text)) => text.len(),
                Some(Value::BytesValue(value)) => value.len(),
                None => 0,
            };
            bytes += entry.key.len() + value + HEADER_OVERHEAD_BYTES;
            bytes <= MAX_HEADER_BYTES
        });
        let fitting = fitting.count();
        if fitting < metadata.entries.len() {
            self.report(format!(
                "Warning: {}.{}: The reply has more metadata than the {MAX_HEADER_BYTES} bytes that response headers may take; the rest is left out.",
                origin.service.name, origin.name
            ));
            metadata.entries.truncate(fitting);
        }
        metadata
    }

    fn report(&self, text: String) {
        self.0.entities.environment().reporter.report(text);
    }
}

impl Calls for Router {
    fn call(&self, call: Call) -> BoxFuture<Result<Reply, Failure>> {
        let origin = Arc::clone(&call.method);
        let routed = self.clone().route(call, origin, Trace::default());
        Box::pin(async move { routed.await.map_err(NoReply::into_failure) })
    }
}

/// Why a call has no reply: only the second kind spoils the call whose synchronous side effect it was.
#[derive(Debug)]
enum NoReply {
    /// The user function said no.
    Refused(Failure),
    /// The call could not be carried out.
    Broken(Failure),
}

impl NoReply {
    fn into_failure(self) -> Failure {
        let (NoReply::Refused(failure) | NoReply::Broken(failure)) = self;
        failure
    }
}

impl From<Failure> for NoReply {
    fn from(failure: Failure) -> Self {
        NoReply::Broken(failure)
    }
}

/// Takes an entity's answer to whoever waits for it.
pub(crate) struct Responder {
    sender: oneshot::Sender<Result<Reply, NoReply>>,
    router: Router,
    call: Decided,
    /// Held by an asynchronous side effect.
    permit: Option<OwnedSemaphorePermit>,
}

/// The call whose answer is being carried out.
struct Decided {
    /// What was called.
    method: Arc<Method>,
    /// What the client called: its reply type is the one the client expects.
    origin: Arc<Method>,
    trace: Trace,
}

impl Responder {
    /// Answers; never waits. Forwards and side effects run in a task of their own, so that the entity can take
    /// its next command, and so that they happen even when the client has gone away.
    pub(crate) fn answer(self, answer: Answer) {
        let Self { sender, router, call, permit } = self;
        drop(permit);
        let result = match answer {
            Answer::Failed(failure) => Err(failure.into()),
            Answer::Decided { action, side_effects } => {
                if !side_effects.is_empty() || matches!(action, Some(Action::Forward(_))) {
                    let carried_out: BoxFuture<_> = Box::pin(router.carry_out(action, side_effects, call));
                    tokio::spawn(async move { sender.send(carried_out.await) });
                    return;
                }
                router.answer(action, &call.origin)
            }
        };
        // Nobody there: the client has gone away.
        let _ = sender.send(result);
    }
}

/// The forwards and side effects that led to a call.
#[derive(Clone, Debug, Default)]
struct Trace(Vec<String>);

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|hop| write!(f, "\n  {hop}"))
    }
}
