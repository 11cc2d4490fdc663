//! Scenarios around a proxy: what its clients say and hear, and what goes on behind it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use super::{client::Variant, message::Message, wire::Status};

/// A scenario, as often as there are branches to be tried.
pub(crate) struct Script {
    pub(crate) requires: Requires,
    pub(crate) plays: Vec<Vec<Line>>,
}

/// What must be the case for a scenario to be played.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requires {
    /// The kit must be the user function: a real one would not say such things.
    pub(crate) script: bool,
    /// The extension of status codes must be agreed on, or must not.
    pub(crate) status_codes: Option<bool>,
    /// The management port must be known.
    pub(crate) management: bool,
}

/// A step, and the text it was read from.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) step: Step,
}

pub(crate) enum Step {
    /// Of the client of that name.
    Client(String, ClientStep),
    /// Of the call of that name behind the proxy.
    Function(String, FunctionStep),
    /// What follows depends on what the user function says next in the call of that name.
    Either(String, Vec<Vec<Line>>),
    /// As long as the client of that name has no answer, at most that often.
    UntilAnswered { client: String, at_most: usize, steps: Vec<Line> },
    /// The proxy reports an error whose text begins so.
    Reported(String),
    /// Nobody calls the user function for that time.
    Quiet(Duration),
    /// All connections of the proxy to its user function break.
    BreakConnections,
    /// What discovery was like.
    Discovery(DiscoveryCheck),
}

pub(crate) enum DiscoveryCheck {
    /// Protocol 0.2, and exactly the four entity types.
    Proxy,
    /// Each entity is a service of the descriptor set.
    ServicesAreDescribed,
    /// The proxy came again after it was refused.
    Retried,
}

pub(crate) enum ClientStep {
    /// A header of the next call.
    Header(HeaderName, HeaderValue),
    /// Begin a gRPC call; with a message it is half-closed at once.
    Call {
        via: Via,
        path: String,
        message: Option<Bytes>,
        single: bool,
    },
    Send(Bytes),
    HalfClose,
    /// Go away.
    Cancel,
    Request {
        method: Method,
        path: String,
        body: Bytes,
        management: bool,
    },
    Expect(Expected),
}

/// How a gRPC call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Http2,
    Web(Variant),
}

/// What a client hears next.
pub(crate) enum Expected {
    Message(Message),
    /// The end, with status OK.
    End,
    /// A failure, with the code and the text if they are given.
    Failure {
        code: Option<u16>,
        message: Option<String>,
    },
    /// Any failure of the call, however it shows.
    NoSuccess,
    /// Any HTTP response that says that something was wrong.
    Refusal,
    /// Nothing, for a while.
    Nothing,
    /// Headers, before anything else.
    Headers {
        with: Vec<(HeaderName, String)>,
        without: Vec<HeaderName>,
    },
    /// A response of reflection with exactly one file, of this name.
    File(String),
    /// Status and body of an HTTP response.
    Response {
        status: u16,
        content_type: Option<String>,
        body: Body,
    },
    /// Status and content type of an HTTP response that goes on.
    Head {
        status: u16,
        content_type: String,
    },
    /// The next bytes of an HTTP body.
    Part(Bytes),
}

pub(crate) enum Body {
    Whatever,
    Exactly(String),
    Contains(String),
}

pub(crate) enum FunctionStep {
    /// The call that arrives next; with the path if it has no messages to tell.
    New {
        path: Option<&'static str>,
    },
    Hear(Box<Heard>),
    HearHalfClose,
    /// The proxy abandons the call.
    HearCancel,
    /// The proxy has no more to say, however it shows that: for calls that the user function has ended.
    HearEnd,
    /// One message, whatever it is.
    HearAnything,
    /// The proxy says nothing, for a while.
    HearNothing,
    Say(Message),
    End,
    /// End with an error.
    Fail(Status),
    /// Both sides are done.
    Closed,
}

/// What the proxy says to the user function.
pub(crate) struct Heard {
    /// The path of the call, if this is its beginning.
    pub(crate) path: Option<&'static str>,
    pub(crate) message: Message,
    pub(crate) metadata: MetadataRule,
}

/// What must be true of the metadata of a command.
#[derive(Default)]
pub(crate) struct MetadataRule {
    /// Each exactly once, in this order.
    pub(crate) with: Vec<cloudstate_proto::MetadataEntry>,
    pub(crate) without: Vec<String>,
    pub(crate) nothing_else: bool,
}
