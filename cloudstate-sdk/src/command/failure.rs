use std::fmt;

use crate::DecodeError;

/// A command was refused: the caller gets the message, and nothing else happens.
///
/// The entity's state, its stored events and the commands of other callers are untouched, and its stream goes
/// on. The message is sent to the client as it is, so it should say what to do instead and hold no secrets.
///
/// ```
/// use cloudstate_sdk::{Code, Failure};
///
/// let failure = Failure::invalid_argument("the quantity must be positive");
/// assert_eq!(failure.code, Code::InvalidArgument);
/// assert_eq!(Failure::new("no").code, Code::Unknown);
/// ```
///
/// # Status codes
///
/// The protocol carries no status code, and its reference proxy answers every failure with gRPC `UNKNOWN` (HTTP
/// 500). A proxy that announces the extension `status-code`, as this project's does, gets the code and passes it on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Why, as a gRPC status code. [`Code::Unknown`] means that none was chosen.
    pub code: Code,
    /// For the caller.
    pub message: String,
}

/// The gRPC status codes that say that something went wrong (`google.rpc.Code`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Code {
    /// The operation was cancelled.
    Cancelled = 1,
    /// No more is known. What a failure without a chosen code has.
    #[default]
    Unknown = 2,
    /// The request makes no sense, whatever the state.
    InvalidArgument = 3,
    /// It took too long.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What was to be created exists.
    AlreadyExists = 6,
    /// The caller may not do this.
    PermissionDenied = 7,
    /// A quota or a limit is used up.
    ResourceExhausted = 8,
    /// The state does not allow it; retrying does not help before the state changes.
    FailedPrecondition = 9,
    /// A conflict with another operation; the caller may start over.
    Aborted = 10,
    /// Past the end of what is there.
    OutOfRange = 11,
    /// Not offered.
    Unimplemented = 12,
    /// An invariant is broken.
    Internal = 13,
    /// Not now; retry later.
    Unavailable = 14,
    /// Data is lost or corrupt.
    DataLoss = 15,
    /// The caller did not say who it is.
    Unauthenticated = 16,
}

impl Failure {
    /// Without a status code.
    pub fn new(message: impl Into<String>) -> Self {
        Self::with_code(Code::Unknown, message)
    }

    /// With any status code.
    pub fn with_code(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

macro_rules! constructors {
    ($($name:ident = $code:ident;)*) => {
        impl Failure {$(
            #[doc = concat!("With [`Code::", stringify!($code), "`].")]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::with_code(Code::$code, message)
            }
        )*}
    };
}

constructors! {
    cancelled = Cancelled;
    invalid_argument = InvalidArgument;
    deadline_exceeded = DeadlineExceeded;
    not_found = NotFound;
    already_exists = AlreadyExists;
    permission_denied = PermissionDenied;
    resource_exhausted = ResourceExhausted;
    failed_precondition = FailedPrecondition;
    aborted = Aborted;
    out_of_range = OutOfRange;
    unimplemented = Unimplemented;
    internal = Internal;
    unavailable = Unavailable;
    data_loss = DataLoss;
    unauthenticated = Unauthenticated;
}

impl Code {
    /// `None` for 0, which is success, and for numbers that gRPC does not define.
    pub fn from_number(number: u32) -> Option<Self> {
        const ALL: [Code; 16] = [
            Code::Cancelled,
            Code::Unknown,
            Code::InvalidArgument,
            Code::DeadlineExceeded,
            Code::NotFound,
            Code::AlreadyExists,
            Code::PermissionDenied,
            Code::ResourceExhausted,
            Code::FailedPrecondition,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unimplemented,
            Code::Internal,
            Code::Unavailable,
            Code::DataLoss,
            Code::Unauthenticated,
        ];
        ALL.into_iter().find(|code| code.number() == number)
    }

    /// The number of the code in gRPC.
    pub fn number(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What was sent, or stored, cannot be read: [`Code::InvalidArgument`].
#[diagnostic::do_not_recommend]
impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_grpc() {
        for number in 1..=16 {
            assert_eq!(Code::from_number(number).map(Code::number), Some(number));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(17), None);
        assert_eq!(Failure::unauthenticated("who?").code.number(), 16);
    }
}
