//! One running call of an action.

use std::{error::Error as _, sync::Arc, time::Duration};

use cloudstate_proto::{
    action::{ActionResponse, action_response::Response},
    client_action::Action,
};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::{sync::oneshot, time::Instant};
use tonic::{Status, Streaming};

use super::{Invocation, Payloads, commands::commands, path::path};
use crate::{
    code::Code,
    entities::{Answer, Environment},
    error_code::ErrorCode,
    routing::{BoxStream, Failure},
    service_catalog::Method,
    user_function::{ActionCall, Lane, Unreachable, Unsent},
};

/// How often a call is sent that proves not to have been.
const ATTEMPTS: usize = 3;
/// What the timer may be late.
const GRACE: Duration = Duration::from_millis(10);

pub(super) fn answers(environment: Arc<Environment>, invocation: Invocation) -> BoxStream<Answer> {
    if invocation.method.server_streaming {
        return stream::unfold(Progress::Uncalled(environment, invocation), next_answer).boxed();
    }
    let answer = async move { only_answer(&environment, invocation).await.unwrap_or_else(Answer::Failed) };
    answer.into_stream().boxed()
}

async fn only_answer(environment: &Environment, invocation: Invocation) -> Result<Answer, Failure> {
    // How long a stream of requests takes is the client's affair.
    let is_bounded = matches!(invocation.payloads, Payloads::One(_));
    let deadline = environment.relay_deadline();
    let answer = async {
        let method = Arc::clone(&invocation.method);
        let mut call = Call::open(environment, invocation, deadline).await?;
        call.only_answer(|what| violation(environment, &method, what)).await
    };
    if !is_bounded {
        return answer.await;
    }
    // A little later than the wait for a connection, which has more to tell.
    let answered = tokio::time::timeout_at(deadline + GRACE, answer).await;
    answered.unwrap_or_else(|_| {
        let limit = environment.relay_timeout.as_secs_f32();
        Err(Failure::new(ErrorCode::NoAnswer, format!("the action did not answer within {limit} s")))
    })
}

/// How far a call with many answers has come.
#[expect(clippy::large_enum_variant, reason = "it is the large one nearly all the time")]
enum Progress {
    Uncalled(Arc<Environment>, Invocation),
    Open(Call),
    Over,
}

async fn next_answer(progress: Progress) -> Option<(Answer, Progress)> {
    let call = match progress {
        Progress::Uncalled(environment, invocation) => {
            let deadline = environment.relay_deadline();
            Call::open(&environment, invocation, deadline).await
        }
        Progress::Open(call) => Ok(call),
        Progress::Over => return None,
    };
    let answer = match call {
        Ok(mut call) => call.next().await.map(|answer| answer.map(|answer| (answer, Progress::Open(call)))),
        Err(failure) => Err(failure),
    };
    answer.unwrap_or_else(|failure| Some((Answer::Failed(failure), Progress::Over)))
}

/// A call that has been sent. Dropped before its end, it is cancelled.
struct Call {
    place: ActionCall,
    responses: Streaming<ActionResponse>,
    /// Tells of a client that breaks its stream of requests.
    broken: oneshot::Receiver<Failure>,
}

impl Call {
    /// Sends the call when there is a user function to take it.
    async fn open(
        environment: &Environment,
        mut invocation: Invocation,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let lane = if invocation.method.client_streaming { Lane::Requests } else { Lane::Main };
        let mut attempt = 1;
        loop {
            let place = environment.pool.action_call(lane, deadline).await.map_err(unreachable)?;
            let again = invocation.again().filter(|_| attempt < ATTEMPTS);
            match (Self::open_on(place, invocation).await, again) {
                (Err(Unopened::Unsent), Some(again)) => invocation = again,
                (Err(Unopened::Unsent), None) => return Err(gone()),
                (Err(Unopened::Failed(failure)), _) => return Err(failure),
                (Ok(call), _) => return Ok(call),
            }
            attempt += 1;
        }
    }

    async fn open_on(place: ActionCall, invocation: Invocation) -> Result<Self, Unopened> {
        let Invocation { method, payloads, metadata } = invocation;
        let path = path(&method);
        let (tell_broken, mut broken) = oneshot::channel();
        let commands = commands(method, payloads, metadata, tell_broken);
        let opened = tokio::select! {
            biased;
            failure = told(&mut broken) => return Err(Unopened::Failed(failure)),
            opened = place.open(path, commands) => opened,
        };
        match opened {
            Ok(responses) => Ok(Self { place, responses, broken }),
            Err(status) if was_not_sent(&status) => Err(Unopened::Unsent),
            Err(status) => Err(Unopened::Failed(failure(&place, status))),
        }
    }

    /// The answer of an rpc that has one.
    async fn only_answer(&mut self, violation: impl Fn(&str) -> Failure) -> Result<Answer, Failure> {
        let Some(answer) = self.next().await? else {
            return Err(violation("the action ended the call without a response"));
        };
        // The status comes after the response, and counts.
        match self.next().await? {
            None => Ok(answer),
            Some(_) => Err(violation("the action gave more than the one response of its rpc")),
        }
    }

    /// The next answer; none when the action completed the call.
    async fn next(&mut self) -> Result<Option<Answer>, Failure> {
        let response = tokio::select! {
            biased;
            failure = told(&mut self.broken) => return Err(failure),
            response = self.responses.message() => response,
        };
        match response {
            Ok(response) => Ok(response.map(|response| answer(response, self.place.status_codes()))),
            Err(status) => Err(failure(&self.place, status)),
        }
    }
}

/// Why a call did not come so far as to have responses.
enum Unopened {
    /// The user function cannot have seen it.
    Unsent,
    Failed(Failure),
}

impl Invocation {
    /// The same call once more; none if its requests can be had only once.
    fn again(&self) -> Option<Self> {
        let Payloads::One(payload) = &self.payloads else { return None };
        let payloads = Payloads::One(payload.clone());
        Some(Self { method: Arc::clone(&self.method), payloads, metadata: self.metadata.clone() })
    }
}

/// Resolves when the client has broken its stream of requests.
async fn told(broken: &mut oneshot::Receiver<Failure>) -> Failure {
    if !broken.is_terminated()
        && let Ok(failure) = broken.await
    {
        return failure;
    }
    // The requests came to their end.
    std::future::pending().await
}

fn answer(response: ActionResponse, status_codes: bool) -> Answer {
    let action = response.response.map(|response| match response {
        Response::Reply(reply) => Action::Reply(reply),
        Response::Forward(forward) => Action::Forward(forward),
        Response::Failure(mut failure) => {
            // Field 4 of a failure means something only between peers that agreed on it.
            if !status_codes {
                failure.grpc_status_code = 0;
            }
            Action::Failure(failure)
        }
    });
    Answer::Decided { action, side_effects: response.side_effects }
}

/// A mistake of which the developer of the user function is told, too.
fn violation(environment: &Environment, method: &Method, what: &str) -> Failure {
    environment.reporter.report(format!("{}.{}: {what}", method.service.name, method.name));
    Failure::new(ErrorCode::ProtocolViolation, what)
}

fn unreachable(why: Unreachable) -> Failure {
    let error = match why {
        Unreachable::Away(_) => ErrorCode::UserFunctionAway,
        Unreachable::Busy => ErrorCode::UserFunctionBusy,
    };
    Failure::new(error, why.to_string())
}

fn gone() -> Failure {
    Failure::new(ErrorCode::UserFunctionGone, "the user function went away before it answered")
}

/// What a status means to the client. One of the action's own making is passed on; one that our side made up says
/// how the connection broke, which is no client's business.
fn failure(place: &ActionCall, status: Status) -> Failure {
    if status.source().is_some() && !place.is_open() {
        return gone();
    }
    let code = u32::try_from(status.code() as i32).ok().and_then(Code::from_number);
    Failure::passed_on(Some(code.unwrap_or(Code::Internal)), status.message())
}

/// Whether the connection was lost before the request was sent.
fn was_not_sent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<Unsent>() {
            return true;
        }
        source = error.source();
    }
    false
}
