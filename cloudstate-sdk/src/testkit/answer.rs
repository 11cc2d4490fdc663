use cloudstate_proto as proto;
use cloudstate_proto::client_action::Action;

use super::caller::expect_readable;
use crate::command::SideEffect;
use crate::payload::{self, ProtobufMessage};
use crate::{Code, Failure, Metadata, ServiceCall};

/// What a command did that does not depend on the kind of entity: the part of every `Outcome` that the caller and
/// other services see.
#[derive(Debug)]
pub struct Answer<R> {
    /// The rpc that answers in place of this one.
    pub forwarded_to: Option<ServiceCall<R>>,
    /// The other calls, in order.
    pub side_effects: Vec<SideEffect>,
    /// What came with the reply.
    pub reply_metadata: Metadata,
    result: Option<Result<R, Failure>>,
}

impl<R: ProtobufMessage> Answer<R> {
    #[track_caller]
    pub(super) fn read(
        client_action: Option<proto::ClientAction>,
        side_effects: Vec<proto::SideEffect>,
    ) -> Self {
        let mut answer = Self {
            forwarded_to: None,
            side_effects: side_effects.into_iter().map(SideEffect::from_proto).collect(),
            reply_metadata: Metadata::new(),
            result: None,
        };
        match client_action.and_then(|client| client.action) {
            Some(Action::Reply(reply)) => {
                answer.result =
                    Some(Ok(expect_readable(payload::decode(&reply.payload.unwrap_or_default()))));
                answer.reply_metadata = Metadata::from_proto(reply.metadata);
            }
            Some(Action::Failure(failure)) => {
                let code = Code::from_number(failure.grpc_status_code).unwrap_or_default();
                answer.result = Some(Err(Failure::with_code(code, failure.description)));
            }
            Some(Action::Forward(forward)) => answer.forwarded_to = Some(ServiceCall::from_forward(forward)),
            None => {}
        }
        answer
    }
}

impl<R> Answer<R> {
    /// The reply or the failure; `None` after a forward.
    pub fn result(&self) -> Option<&Result<R, Failure>> {
        self.result.as_ref()
    }

    /// The reply.
    ///
    /// # Panics
    /// When the command failed or was forwarded.
    #[track_caller]
    pub fn reply(&self) -> &R {
        match &self.result {
            Some(Ok(reply)) => reply,
            Some(Err(failure)) => panic!("expected a reply, but the command failed: {failure}"),
            None => panic!("expected a reply, but the command was forwarded to {:?}", self.forwarded_to),
        }
    }

    /// The failure.
    ///
    /// # Panics
    /// When the command was accepted.
    #[track_caller]
    pub fn failure(&self) -> &Failure {
        match &self.result {
            Some(Err(failure)) => failure,
            _ => panic!("expected a failure, but the command was accepted"),
        }
    }
}
