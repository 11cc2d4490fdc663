//! Side effects: calls beside the reply, which the caller waits for if they are synchronous.

use std::{sync::Arc, time::Duration};

use cloudstate_proto::SideEffect;
use futures_util::StreamExt;

use super::{Link, Routed};
use crate::{
    code::Code,
    error_code::ErrorCode,
    routing::{Failure, NoReply, Router, TypedReplies},
    telemetry::spans::Cause,
};

impl Router {
    /// Carries them out in their order.
    pub(super) async fn side_effects(&self, effects: Vec<SideEffect>, cause: &Link) -> Result<(), NoReply> {
        if let Some(place) = &cause.place {
            place.lend();
        }
        for effect in effects {
            self.side_effect(effect, cause).await?;
        }
        if let Some(place) = &cause.place {
            place.take_back().await;
        }
        Ok(())
    }

    async fn side_effect(&self, effect: SideEffect, cause: &Link) -> Result<(), NoReply> {
        let synchronous = effect.synchronous;
        match self.effect_call(effect, cause) {
            Ok(call) if synchronous => self.finish(call).await,
            Ok(call) => {
                self.start(call).await;
                Ok(())
            }
            Err(broken) if synchronous => Err(broken),
            // It was reported, and is not our caller's business.
            Err(_) => Ok(()),
        }
    }

    fn effect_call(&self, effect: SideEffect, cause: &Link) -> Result<Routed, NoReply> {
        let trace = self.follow(cause, "side-effect of")?;
        let method = self.target(&effect.service_name, &effect.command_name, cause, &trace)?;
        let payload = self.payload_for(&method, effect.payload, &trace);
        let how = if effect.synchronous { Cause::SideEffect } else { Cause::AsyncSideEffect };
        let (origin, context) = (Arc::clone(&method), cause.context.clone());
        let link = Link { origin, method, trace, context, place: None, entity_id: None };
        Ok(self.begin(how, link, payload, effect.metadata.unwrap_or_default()))
    }

    /// Carries out a synchronous side effect to its end. What it replies, a failure included, is dropped.
    async fn finish(&self, call: Routed) -> Result<(), NoReply> {
        let done = if call.link.method.server_streaming {
            let (limit, link) = (self.relay_timeout(), call.link.clone());
            tokio::time::timeout(limit, drain(self.replies(call)))
                .await
                .unwrap_or_else(|_| Err(link.broken(unfinished("a synchronous", limit))))
        } else {
            Box::pin(self.reply(call)).await.map(drop)
        };
        match done {
            Ok(()) | Err(NoReply::Refused(_)) => Ok(()),
            Err(broken) => Err(broken),
        }
    }

    /// Starts an asynchronous side effect; waits only while too many are under way, and not for ever. What becomes of
    /// it is not our caller's business.
    async fn start(&self, mut call: Routed) {
        let limit = self.relay_timeout();
        let link = call.link.clone();
        let Ok(place) = tokio::time::timeout(limit, self.places().take()).await else {
            let text = "too many asynchronous side effects are under way; this one is left out";
            return self.report_effect(&link, text);
        };
        call.link.place = Some(Arc::new(place));
        // An entity has its command from here on, and not only when the task runs, so that effects on one entity keep
        // their order.
        let replies = self.replies(call);
        let router = self.clone();
        self.background().spawn(async move {
            let done = tokio::select! {
                biased;
                () = tokio::time::sleep(limit) => Err(link.broken(unfinished("an asynchronous", limit))),
                done = drain(replies) => done,
            };
            if let Err(NoReply::Broken(broken)) = done
                && is_given_up(&broken.failure)
            {
                router.report_effect(&link, &broken.failure.description);
            }
        });
    }

    fn report_effect(&self, Link { method, trace, .. }: &Link, text: &str) {
        self.report(format!("{}.{}: {text}{trace}", method.service.name, method.name));
    }
}

async fn drain(mut replies: TypedReplies) -> Result<(), NoReply> {
    while let Some(reply) = replies.next().await {
        reply?;
    }
    Ok(())
}

/// Whether it was too much or took too long, of which nobody would ever learn. Mistakes of the user function's developer
/// are reported where they are found.
fn is_given_up(failure: &Failure) -> bool {
    matches!(failure.code, Some(Code::DeadlineExceeded | Code::ResourceExhausted | Code::Unavailable))
}

fn unfinished(which: &str, limit: Duration) -> Failure {
    let text = format!("{which} side effect was not finished within {} s", limit.as_secs_f32());
    Failure::new(ErrorCode::SideEffectOverdue, text)
}
