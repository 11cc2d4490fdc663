use std::{fmt, io};

/// Why a user function could not start, or stopped serving.
///
/// `main` may return it: it prints as a sentence.
pub struct Error(Kind);

#[derive(thiserror::Error)]
pub(crate) enum Kind {
    #[error("`{service}` is registered twice: {first} and {second}")]
    RegisteredTwice { service: &'static str, first: &'static str, second: &'static str },
    #[error(
        "no entity is registered; call `.register::<T>()`, or `.discover()` for everything that is annotated; if your \
         entities live in another crate, name it once (`use my_entities as _;`), or they are not linked"
    )]
    NothingRegistered,
    #[error(
        "nobody knows how to create {type_name} for `{service}`: it has no `Default`; register it with \
         `.register_with(|context| ..)`, an action with `.register_action(..)`, or derive `Default`"
    )]
    NoConstructor { type_name: &'static str, service: &'static str },
    #[error("the user function cannot be served as it is declared:{}", .0.iter().map(|problem| format!("\n  - {problem}")).collect::<String>())]
    Contract(Vec<String>),
    #[error("the environment variable PORT is `{0}`; it must be a number from 0 to 65535")]
    Port(String),
    #[error(
        "cannot listen on {address}: {source}; choose another address with `HOST` and `PORT`, or `CloudState::address`"
    )]
    Bind { address: String, source: io::Error },
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("serving failed: {0}")]
    Serve(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Two entities were registered for one service.
    pub fn is_registered_twice(&self) -> bool {
        matches!(self.0, Kind::RegisteredTwice { .. })
    }

    /// There is nothing to serve.
    pub fn is_nothing_registered(&self) -> bool {
        matches!(self.0, Kind::NothingRegistered)
    }

    /// An annotated type has no `Default`, and nobody registered it.
    pub fn is_missing_constructor(&self) -> bool {
        matches!(self.0, Kind::NoConstructor { .. })
    }

    /// No proxy could serve the registered entities: their `.proto` files or options are wrong.
    pub fn is_invalid_contract(&self) -> bool {
        matches!(self.0, Kind::Contract(_))
    }

    /// The address is malformed, taken or not ours.
    pub fn is_address(&self) -> bool {
        matches!(self.0, Kind::Port(_) | Kind::Bind { .. })
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The same sentence as `Display`: it is what a `main` that returns this error shows.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// The messages name their cause, so there is no `source` to repeat it.
impl std::error::Error for Error {}
