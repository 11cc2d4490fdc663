//! The stable codes of failures that the proxy itself finds; what each means and what to do about it stands in
//! `docs/errors.md`.

use http::{HeaderName, HeaderValue};

use crate::code::Code;

/// Where clients find the code: a header of the response, in gRPC among the trailers.
pub const ERROR_HEADER: HeaderName = HeaderName::from_static("cloudstate-error");

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident;)*) => {
        /// What went wrong, for programs: the texts beside it may change, these codes do not. A failure that the user
        /// function decided has none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All of them, in the order of their numbers.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name),*];

            /// The code as clients see it, for example `CS-2004`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(ErrorCode::$name => $text,)*
                }
            }

            /// The status that goes with it.
            pub fn status(self) -> Code {
                match self {
                    $(ErrorCode::$name => Code::$status,)*
                }
            }
        }
    };
}

error_codes! {
    /// The HTTP request does not fit the message of its rpc.
    InvalidRequest = "CS-1001", InvalidArgument;
    /// The request names no entity.
    NoEntityKey = "CS-1002", InvalidArgument;
    /// Nothing is served at this path, or not with this method.
    NotServed = "CS-1003", Unimplemented;
    /// The request is larger than is accepted.
    RequestTooLarge = "CS-1004", ResourceExhausted;
    /// The request body has a media type that is not accepted.
    UnsupportedMediaType = "CS-1005", InvalidArgument;
    /// The request was not sent in time.
    RequestStalled = "CS-1006", DeadlineExceeded;
    /// The call took longer than its client, or the proxy, lets it.
    CallOverdue = "CS-1007", DeadlineExceeded;
    /// The client does not take its replies.
    ClientTooSlow = "CS-1008", ResourceExhausted;
    /// A stream of requests was sent to an rpc that takes one.
    OneRequestOnly = "CS-1009", Unimplemented;
    /// The client went away before its command was sent.
    ClientGone = "CS-1010", Cancelled;
    /// The user function cannot be reached.
    UserFunctionAway = "CS-2001", Unavailable;
    /// All connections to the user function are in use.
    UserFunctionBusy = "CS-2002", ResourceExhausted;
    /// The user function went away before it answered.
    UserFunctionGone = "CS-2003", Unavailable;
    /// The user function did not answer in time.
    NoAnswer = "CS-2004", DeadlineExceeded;
    /// The user function broke the protocol.
    ProtocolViolation = "CS-2005", Internal;
    /// The user function failed the stream of an entity.
    EntityFailed = "CS-2006", Unknown;
    /// The user function ended the stream of an entity.
    EntityStreamEnded = "CS-2007", Unavailable;
    /// A forward or side effect names what is not served.
    UnknownTarget = "CS-2008", Internal;
    /// A forward or side effect names no entity.
    TargetWithoutKey = "CS-2009", Internal;
    /// Too many forwards and side effects followed one call.
    TooManyHops = "CS-2010", FailedPrecondition;
    /// A reply cannot be shown as HTTP.
    UnreadableReply = "CS-2011", Internal;
    /// A synchronous side effect was not finished in time.
    SideEffectOverdue = "CS-2012", DeadlineExceeded;
    /// There is no valid contract to serve.
    NoContract = "CS-2013", Unavailable;
    /// A consumer did not finish with an event or message in time.
    ConsumerOverdue = "CS-2014", DeadlineExceeded;
    /// Too many commands wait for one entity.
    EntityBusy = "CS-3001", ResourceExhausted;
    /// Too many entities are busy.
    TooManyEntities = "CS-3002", ResourceExhausted;
    /// The proxy is stopping.
    Stopping = "CS-3003", Unavailable;
    /// The entity crashed while the command waited.
    EntityTerminated = "CS-3004", Unavailable;
    /// The entity was deleted.
    EntityDeleted = "CS-3005", NotFound;
    /// The state of the entity is larger than is stored.
    StateTooLarge = "CS-3006", ResourceExhausted;
    /// What is stored of the entity could not be read.
    NotLoaded = "CS-4001", Unavailable;
    /// What the command changes could not be stored.
    NotStored = "CS-4002", Unavailable;
    /// Somebody else has changed the entity.
    Conflict = "CS-4003", Aborted;
    /// The user function sent more than any store takes at once.
    TooLargeToStore = "CS-4004", Internal;
    /// The reply could not be published to its topic.
    NotPublished = "CS-4005", Unavailable;
    /// The proxy has a fault.
    ProxyFault = "CS-5001", Internal;
}

impl ErrorCode {
    /// The value of [`ERROR_HEADER`].
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../docs/errors.md");

    /// The rows of the document: code, status, meaning, what to do.
    fn rows() -> Vec<[&'static str; 4]> {
        let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `CS-"));
        rows.map(|row| {
            let mut cells = row.trim_end_matches('|').split('|').map(str::trim);
            std::array::from_fn(|_| cells.next().unwrap_or_default().trim_matches('`'))
        })
        .collect()
    }

    #[test]
    fn the_document_explains_every_code_and_no_other() {
        let documented: Vec<_> = rows().iter().map(|[code, ..]| format!("CS-{code}")).collect();
        let known: Vec<_> = ErrorCode::ALL.iter().map(|error| error.as_str()).collect();
        assert_eq!(documented, known);
    }

    #[test]
    fn the_document_tells_the_status_and_what_to_do() {
        for (error, [_, status, meaning, remedy]) in ErrorCode::ALL.iter().zip(rows()) {
            let name = format!("{:?}", error.status());
            assert_eq!(status.replace('_', "").to_lowercase(), name.to_lowercase(), "{error:?}");
            assert!(!meaning.is_empty() && !remedy.is_empty(), "{error:?}");
        }
    }

    #[test]
    fn codes_are_in_order_and_each_is_used_once() {
        assert!(ErrorCode::ALL.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    }
}
