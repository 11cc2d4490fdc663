//! The stable codes of failures that the proxy itself finds; what each means and what to do about it stands in
//! `docs/errors.md`.

use http::{HeaderName, HeaderValue};

use crate::code::Code;

/// Where clients find the code: a header of the response, in gRPC among the trailers.
pub const ERROR_HEADER: HeaderName = HeaderName::from_static("cloudstate-error");

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident, $remedy:literal;)*) => {
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

            /// What to do about it, as clients read it behind what happened.
            pub fn remedy(self) -> &'static str {
                match self {
                    $(ErrorCode::$name => $remedy,)*
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
    InvalidRequest = "CS-1001", InvalidArgument,
        "Send what /openapi.json describes.";
    /// The request names no entity.
    NoEntityKey = "CS-1002", InvalidArgument,
        "Send the message of the contract, with the field set that it marks as (cloudstate.entity_key).";
    /// Nothing is served at this path, or not with this method.
    NotServed = "CS-1003", Unimplemented,
        "Compare with the routes in the log, or by server reflection; is the user function the version you expect?";
    /// The request is larger than is accepted.
    RequestTooLarge = "CS-1004", ResourceExhausted,
        "Send less, or raise --max-request-size.";
    /// The request body has a media type that is not accepted.
    UnsupportedMediaType = "CS-1005", InvalidArgument,
        "Send JSON with content-type: application/json, or protobuf with application/grpc.";
    /// The request was not sent in time.
    RequestStalled = "CS-1006", DeadlineExceeded,
        "Send it faster, or look for what holds it up.";
    /// The call took longer than its client, or the proxy, lets it.
    CallOverdue = "CS-1007", DeadlineExceeded,
        "Try again if the call may be made twice; allow more time by grpc-timeout or --relay-timeout.";
    /// The client does not take its replies.
    ClientTooSlow = "CS-1008", ResourceExhausted,
        "Read the stream without delay, or call again.";
    /// A stream of requests was sent to an rpc that takes one.
    OneRequestOnly = "CS-1009", Unimplemented,
        "Call with the shape that the contract gives the rpc.";
    /// The client went away before its command was sent.
    ClientGone = "CS-1010", Cancelled,
        "Nothing: nobody waits for it.";
    /// The request is not framed as gRPC, or gRPC-Web, demands.
    MalformedRequest = "CS-1011", Internal,
        "Mend the client: its library does not write gRPC as others do, or something on the way damages it.";
    /// The request is compressed in a way that is not known.
    UnknownCompression = "CS-1012", Unimplemented,
        "Compress with gzip, or not at all.";
    /// The health of a service is asked that is not served.
    UnknownService = "CS-1013", NotFound,
        "Ask for a service of the contract, or for the empty name, which is the whole proxy.";
    /// The user function cannot be reached.
    UserFunctionAway = "CS-2001", Unavailable,
        "Try again later. Operators: is it running, and does --user-function name it? /ready says why.";
    /// All connections to the user function are in use.
    UserFunctionBusy = "CS-2002", ResourceExhausted,
        "Try again later. Operators: raise --max-connections, or find what takes so long.";
    /// The user function went away before it answered.
    UserFunctionGone = "CS-2003", Unavailable,
        "Try again if the call may be made twice.";
    /// The user function did not answer in time.
    NoAnswer = "CS-2004", DeadlineExceeded,
        "Look into the log of the user function; raise --relay-timeout if it needs longer.";
    /// The user function broke the protocol.
    ProtocolViolation = "CS-2005", Internal,
        "Mend the user function or its library; the log of the proxy has the detail.";
    /// The user function failed the stream of an entity.
    EntityFailed = "CS-2006", Unknown,
        "Look into the log of the user function: its handler, or the state it was given, is at fault.";
    /// The user function ended the stream of an entity.
    EntityStreamEnded = "CS-2007", Unavailable,
        "Try again; look into the log of the user function.";
    /// A forward or side effect names what is not served.
    UnknownTarget = "CS-2008", Internal,
        "Mend the user function; the log of the proxy has the chain of calls.";
    /// A forward or side effect names no entity.
    TargetWithoutKey = "CS-2009", Internal,
        "Mend the user function: set the key field of what it sends.";
    /// Too many forwards and side effects followed one call.
    TooManyHops = "CS-2010", FailedPrecondition,
        "Mend the user function: two rpcs call each other without end. The log of the proxy has the chain.";
    /// A reply cannot be shown as HTTP.
    UnreadableReply = "CS-2011", Internal,
        "Mend the user function: reply with the type that the contract says.";
    /// A synchronous side effect was not finished in time.
    SideEffectOverdue = "CS-2012", DeadlineExceeded,
        "Make the side effect asynchronous, or mend the rpc that does not end.";
    /// There is no valid contract to serve.
    NoContract = "CS-2013", Unavailable,
        "Operators: /ready and the log say what is wrong with it.";
    /// A consumer did not finish with an event or message in time.
    ConsumerOverdue = "CS-2014", DeadlineExceeded,
        "It is delivered again; look into the log of the user function.";
    /// Too many commands wait for one entity.
    EntityBusy = "CS-3001", ResourceExhausted,
        "Try again later, with growing pauses; spread the load over more entities, or raise --stash-size.";
    /// Too many entities are busy.
    TooManyEntities = "CS-3002", ResourceExhausted,
        "Try again later; raise --max-entities.";
    /// The proxy is stopping.
    Stopping = "CS-3003", Unavailable,
        "Try again: another proxy takes over.";
    /// The entity crashed while the command waited.
    EntityTerminated = "CS-3004", Unavailable,
        "Try again; the log of the proxy says why it crashed.";
    /// The entity was deleted.
    EntityDeleted = "CS-3005", NotFound,
        "Use another id.";
    /// The state of the entity is larger than is stored.
    StateTooLarge = "CS-3006", ResourceExhausted,
        "Spread the state over several entities.";
    /// What is stored of the entity could not be read.
    NotLoaded = "CS-4001", Unavailable,
        "Try again later. Operators: look after the store; /ready says how it is.";
    /// What the command changes could not be stored.
    NotStored = "CS-4002", Unavailable,
        "Try again later. Operators: is the disk full or failing?";
    /// Somebody else has changed the entity.
    Conflict = "CS-4003", Aborted,
        "Try again. Operators: do two proxies use one store?";
    /// The user function sent more than any store takes at once.
    TooLargeToStore = "CS-4004", Internal,
        "Mend the user function: smaller events, values or snapshots.";
    /// The reply could not be published to its topic.
    NotPublished = "CS-4005", Unavailable,
        "Try again if the call may be made twice; what the command changed stays.";
    /// The proxy has a fault.
    ProxyFault = "CS-5001", Internal,
        "Report it with the log of the proxy.";
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
            assert!(!meaning.is_empty(), "{error:?}");
            assert_eq!(remedy.replace('`', ""), error.remedy(), "{error:?}");
        }
    }

    #[test]
    fn codes_are_in_order_and_each_is_used_once() {
        assert!(ErrorCode::ALL.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    }
}
