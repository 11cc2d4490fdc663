//! The log of calls that failed on our side.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    error_code::ErrorCode,
    routing::{Broken, Failure},
};

/// Of the same failure in one service a line is for everybody this often; the others are for who looks for them.
const INTERVAL: Duration = Duration::from_secs(10);
/// Contracts come and go with their services; of more than this many failures nothing is remembered.
const MAX_KNOWN: usize = 1024;

/// Logs failed calls, so that a storm of them does not flood the log.
#[derive(Debug, Default)]
pub(crate) struct FailedCalls(Mutex<HashMap<Kind, Told>>);

/// Failures that say the same to an operator.
type Kind = (ErrorCode, Arc<str>);

/// What was said of a kind.
#[derive(Debug)]
struct Told {
    at: Instant,
    /// How many have come since then.
    left_out: u64,
}

impl FailedCalls {
    /// Logs a call of a client: as a warning, with how many were left out before it, if operators should know and have
    /// not just been told, and otherwise for debugging.
    pub(crate) fn log(&self, call: &Broken) {
        let Broken { failure: Failure { error, description, .. }, method, entity_id, context } = call;
        let trace_id = Some(context.trace_id()).filter(|trace_id| !trace_id.is_empty());
        let left_out = error
            .filter(|error| concerns_operators(*error))
            .and_then(|error| self.turn((error, Arc::clone(&method.service.name)), Instant::now()));
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    service = &*method.service.name,
                    method = &*method.name,
                    entity = entity_id.as_deref(),
                    trace_id,
                    error = error.map(ErrorCode::as_str),
                    left_out = left_out.filter(|left_out| *left_out > 0),
                    "a call failed: {description}"
                )
            };
        }
        match error {
            Some(ErrorCode::ProxyFault) => line!(error),
            _ if left_out.is_some() => line!(warn),
            _ => line!(debug),
        }
    }

    /// How many of this kind were left out since the last one that was logged; none when this one is left out, too.
    fn turn(&self, kind: Kind, now: Instant) -> Option<u64> {
        // A count cannot be left half-changed.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = known.get_mut(&kind)
            && now.duration_since(told.at) < INTERVAL
        {
            told.left_out += 1;
            return None;
        }
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        let told = known.insert(kind, Told { at: now, left_out: 0 });
        Some(told.map_or(0, |told| told.left_out))
    }
}

/// Whether somebody who runs the proxy or the user function should know. Nobody need be told of a client's mistakes, and
/// of mistakes of the user function its developer is told where they are found.
fn concerns_operators(error: ErrorCode) -> bool {
    use ErrorCode::*;
    match error {
        UserFunctionAway | UserFunctionBusy | UserFunctionGone | NoAnswer | SideEffectOverdue
        | EntityBusy | TooManyEntities | UnreadableReply | NotLoaded | NotStored | Conflict
        | NotPublished | ProxyFault => true,
        InvalidRequest | NoEntityKey | NotServed | RequestTooLarge | UnsupportedMediaType
        | RequestStalled | CallOverdue | ClientTooSlow | OneRequestOnly | ClientGone | MalformedRequest
        | UnknownCompression | UnknownService => false,
        ProtocolViolation | EntityFailed | EntityStreamEnded | UnknownTarget | TargetWithoutKey
        | TooManyHops | EntityTerminated | StateTooLarge | TooLargeToStore => false,
        // The log has these already, or they are no news.
        NoContract | ConsumerOverdue | Stopping | EntityDeleted => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_storm_one_line_is_written_in_each_interval_with_the_number_of_the_others() {
        let log = FailedCalls::default();
        let start = Instant::now();
        let turn = |error, service: &str, after| log.turn((error, service.into()), start + after);
        let no_answer = |after| turn(ErrorCode::NoAnswer, "Carts", after);
        assert_eq!(no_answer(Duration::ZERO), Some(0));
        assert_eq!(no_answer(Duration::from_secs(1)), None);
        assert_eq!(no_answer(INTERVAL / 2), None);
        assert_eq!(turn(ErrorCode::NotStored, "Carts", INTERVAL / 2), Some(0), "another failure");
        assert_eq!(turn(ErrorCode::NoAnswer, "Stock", INTERVAL / 2), Some(0), "another service");
        assert_eq!(no_answer(INTERVAL), Some(2));
        assert_eq!(no_answer(3 * INTERVAL), Some(0));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let log = FailedCalls::default();
        let now = Instant::now();
        for service in 0..2 * MAX_KNOWN {
            log.turn((ErrorCode::NoAnswer, service.to_string().into()), now);
        }
        assert!(log.0.lock().unwrap().len() <= MAX_KNOWN);
    }
}
