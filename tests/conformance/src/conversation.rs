//! Holds a conversation, as a proxy would, and finds where it went wrong.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

use crate::{
    mismatch::Mismatch,
    protocol::{Answers, Protocol},
    readable,
    scenario::{Expected, Line, Step},
};

/// More than any scenario sends without awaiting something.
const UNREAD_MESSAGES: usize = 64;

const TIME_TO_BE_HEARD: Duration = Duration::from_millis(100);

/// Follows the script with a service.
///
/// # Errors
///
/// The first thing that is not as the script says.
pub(crate) async fn hold<P: Protocol>(
    script: &[Line<P>],
    channel: Channel,
    deadline: Duration,
) -> Result<(), Box<Mismatch>> {
    let mut conversation = Conversation::<P> { channel, deadline, transcript: vec![], call: None };
    conversation.follow(script).await
}

struct Conversation<P: Protocol> {
    channel: Channel,
    /// For each message.
    deadline: Duration,
    transcript: Vec<String>,
    call: Option<Call<P>>,
}

struct Call<P: Protocol> {
    /// None after a half-close.
    messages: Option<mpsc::Sender<P::In>>,
    answers: Answers<P::Out>,
}

/// What a call answers next.
enum Heard<M> {
    Message(M),
    End,
    Error(Status),
    NothingInTime,
}

impl<P: Protocol> Conversation<P> {
    /// Boxed, because alternatives are scripts in a script.
    fn follow<'a>(&'a mut self, script: &'a [Line<P>]) -> BoxFuture<'a, Result<(), Box<Mismatch>>> {
        async move {
            for line in script {
                self.step(line).await?;
            }
            Ok(())
        }
        .boxed()
    }

    async fn step(&mut self, line: &Line<P>) -> Result<(), Box<Mismatch>> {
        match &line.step {
            Step::Open(call) => self.open(call.clone()),
            Step::Send(message) => self.send(message.clone()).await,
            Step::HalfClose => self.half_close(),
            Step::Cancel => self.cancel().await,
            Step::Expect(expected) => {
                let message = self.message(std::slice::from_ref(&expected)).await?;
                self.choose(&[expected], &message)?;
            }
            Step::InAnyOrder(expected) => return self.in_any_order(expected).await,
            Step::Either(alternatives) => return self.either(alternatives).await,
            Step::End => self.end(false).await?,
            Step::Closed => self.end(true).await?,
        }
        self.transcript.push(line.text.clone());
        Ok(())
    }

    fn open(&mut self, call: P::Call) {
        let (sender, messages) = mpsc::channel(UNREAD_MESSAGES);
        let answers = P::call(self.channel.clone(), call, ReceiverStream::new(messages));
        self.call = Some(Call { messages: Some(sender), answers });
    }

    async fn send(&mut self, message: P::In) {
        if let Some(Call { messages: Some(messages), .. }) = &self.call {
            // A call that takes no more messages has ended or stalls; the next expectation says which.
            let _ = messages.send_timeout(message, self.deadline).await;
        }
    }

    fn half_close(&mut self) {
        if let Some(call) = &mut self.call {
            call.messages = None;
        }
    }

    async fn cancel(&mut self) {
        if let Some(mut call) = self.call.take() {
            // The service must have heard of the call before it can be abandoned. What it says meanwhile is lost.
            let _ = timeout(TIME_TO_BE_HEARD, call.answers.next()).await;
        }
    }

    async fn in_any_order(&mut self, expected: &[Expected<P::Out>]) -> Result<(), Box<Mismatch>> {
        let mut missing: Vec<_> = expected.iter().collect();
        while !missing.is_empty() {
            let message = self.message(&missing).await?;
            let found = self.choose(&missing, &message)?;
            self.transcript.push(missing.remove(found).text.clone());
        }
        Ok(())
    }

    async fn either(&mut self, alternatives: &[Vec<Line<P>>]) -> Result<(), Box<Mismatch>> {
        let (expected, continuations): (Vec<_>, Vec<_>) = alternatives
            .iter()
            .filter_map(|alternative| match alternative.split_first() {
                Some((Line { step: Step::Expect(expected), .. }, rest)) => Some((expected, rest)),
                _ => None,
            })
            .unzip();
        let message = self.message(&expected).await?;
        let chosen = self.choose(&expected, &message)?;
        self.transcript.push(expected[chosen].text.clone());
        self.follow(continuations[chosen]).await
    }

    /// The expectation that fits the message.
    fn choose(&self, expected: &[&Expected<P::Out>], message: &P::Out) -> Result<usize, Box<Mismatch>> {
        expected.iter().position(|expected| expected.accepts(message)).ok_or_else(|| {
            let problem = "the message is not the expected one:";
            let mismatch = self.mismatch(problem, expected, Some(message), readable::message);
            if mismatch.shows_a_difference() {
                return mismatch;
            }
            self.mismatch(problem, expected, Some(message), readable::message_in_bytes)
        })
    }

    async fn message(&mut self, expected: &[&Expected<P::Out>]) -> Result<P::Out, Box<Mismatch>> {
        let problem = match self.hear().await {
            Heard::Message(message) => return Ok(message),
            Heard::End => "the call ended before the expected message".to_owned(),
            Heard::Error(status) => format!("the call failed with {}", readable::status(&status)),
            Heard::NothingInTime => format!("no message within {:?}", self.deadline),
        };
        Err(self.mismatch(problem, expected, None, readable::message))
    }

    async fn end(&mut self, any_status: bool) -> Result<(), Box<Mismatch>> {
        let mut unexpected = None;
        let problem = match self.hear().await {
            Heard::End => return Ok(()),
            Heard::Error(_) if any_status => return Ok(()),
            Heard::Error(status) => {
                format!("the call should end with status OK, and failed with {}", readable::status(&status))
            }
            Heard::Message(message) => {
                unexpected = Some(message);
                "the call should end now, and there is one more message:".to_owned()
            }
            Heard::NothingInTime => {
                format!("the call should end now, and does not within {:?}", self.deadline)
            }
        };
        Err(self.mismatch(problem, &[], unexpected.as_ref(), readable::message))
    }

    async fn hear(&mut self) -> Heard<P::Out> {
        let Some(call) = &mut self.call else { return Heard::End };
        match timeout(self.deadline, call.answers.next()).await {
            Ok(Some(Ok(message))) => Heard::Message(message),
            Ok(Some(Err(status))) => Heard::Error(status),
            Ok(None) => Heard::End,
            Err(_) => Heard::NothingInTime,
        }
    }

    fn mismatch(
        &self,
        problem: impl Into<String>,
        expected: &[&Expected<P::Out>],
        received: Option<&P::Out>,
        show: fn(&P::Out) -> String,
    ) -> Box<Mismatch> {
        Box::new(Mismatch {
            transcript: self.transcript.clone(),
            problem: problem.into(),
            expected: expected.iter().map(|line| (line.text.clone(), show(&line.message))).collect(),
            received: received.map(show),
        })
    }
}
