//! From a method and the entity key to the one live entity; forwards and side effects.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use cloudstate_proto::{Any, Metadata, SideEffect, client_action::Action};
use tokio::sync::{Semaphore, oneshot};

use crate::{
    code::Code,
    entities::{Entities, Envelope, event_sourced::Answer},
    service_catalog::{Method, ServiceCatalog},
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
/// Asynchronous side effects under way at once; more wait.
const MAX_ASYNC_EFFECTS: usize = 1024;

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
        let id = call.method.entity_key.entity_id(&call.payload);
        let id = id.map_err(|error| Failure::new(Code::InvalidArgument, error.to_string()))?;
        let method = call.method;
        let service = Arc::clone(&method.service);
        let key = EntityKey { persistence_id: Arc::clone(&service.persistence_id), entity_id: id.into() };
        let (sender, answer) = oneshot::channel();
        let envelope = Envelope {
            name: Arc::clone(&method.name),
            payload: Any { type_url: method.input_type_url.clone(), value: call.payload },
            responder: Responder { sender, router: self.clone(), call: Decided { method, origin, trace } },
        };
        self.0.entities.deliver(key, &service, envelope);
        // The sender is dropped only with the entity's task.
        answer.await.unwrap_or_else(|_| Err(Failure::new(Code::Internal, "Entity terminated").into()))
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
                let trace = call.trace.follow("forwarded from", &call.method)?;
                let payload = forward.payload.unwrap_or_default().value;
                let target = self.target(&forward.service_name, &forward.command_name, payload, &trace)?;
                self.route(target, call.origin, trace).await
            }
            action => self.answer(action, &call.origin),
        }
    }

    async fn side_effect(&self, effect: SideEffect, cause: &Decided) -> Result<(), NoReply> {
        let synchronous = effect.synchronous;
        let target = cause.trace.follow("side-effect of", &cause.method).and_then(|trace| {
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
        let done = self.clone().route(call, origin, trace);
        if !synchronous {
            // Closing the semaphore is nobody's business, so a permit always comes.
            let permit = Arc::clone(&self.0.async_effects).acquire_owned().await;
            let done: BoxFuture<_> = Box::pin(done);
            tokio::spawn(async move {
                let _permit = permit;
                let _ = done.await;
            });
            return Ok(());
        }
        match done.await {
            Ok(_) | Err(NoReply::Refused(_)) => Ok(()),
            Err(broken) => Err(broken),
        }
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
                Ok(Reply { payload, metadata: reply.metadata })
            }
            Some(Action::Failure(failure)) => Err(NoReply::Refused(Failure {
                code: Code::from_number(failure.grpc_status_code),
                description: failure.description,
            })),
            Some(Action::Forward(_)) | None => Ok(Reply::default()),
        }
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
        let Self { sender, router, call } = self;
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

impl Trace {
    fn follow(&self, how: &str, from: &Method) -> Result<Self, Failure> {
        if self.0.len() >= MAX_HOPS {
            let text = format!("more than {MAX_HOPS} forwards and side effects followed one call");
            return Err(Failure::new(Code::FailedPrecondition, text));
        }
        let mut hops = self.0.clone();
        hops.push(format!("{how} {}.{}", from.service.name, from.name));
        Ok(Self(hops))
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|hop| write!(f, "\n  {hop}"))
    }
}
