//! Holds a conversation, as a proxy would, and finds where it went wrong.

use std::{fmt, future::Future, ops::Range, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

use crate::{
    protocol::{Answers, Protocol},
    readable,
    scenario::{Expected, Line, Step},
};

/// More than any scenario sends without awaiting something.
const UNREAD_MESSAGES: usize = 64;

/// In lines; no message of any scenario comes near.
const LONGEST_MESSAGE: usize = 500;

const TIME_TO_BE_HEARD: Duration = Duration::from_millis(100);

/// Where a conversation left the script.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// What was said and heard until then, as in the scenario.
    pub(crate) transcript: Vec<String>,
    pub(crate) problem: String,
    /// The lines of the scenario that would have been right, each with its message.
    pub(crate) expected: Vec<(String, String)>,
    /// The message that came instead, if any.
    pub(crate) received: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.transcript {
            writeln!(f, "    {line}")?;
        }
        writeln!(f, "    {}", self.problem)?;
        let differing = match (self.expected.as_slice(), &self.received) {
            ([(_, expected)], Some(received)) => readable::differing_lines(expected, received),
            // With several to choose from, there is no saying which one was meant.
            _ => [0..0, 0..0],
        };
        for (line, message) in &self.expected {
            write_message(f, &format!("expected {line}"), message, &differing[0])?;
        }
        match &self.received {
            Some(message) => write_message(f, "received", message, &differing[1]),
            None => Ok(()),
        }
    }
}

fn write_message(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    message: &str,
    differing: &Range<usize>,
) -> fmt::Result {
    writeln!(f, "    {title}")?;
    for (number, line) in message.lines().enumerate().take(LONGEST_MESSAGE) {
        let mark = if differing.contains(&number) { '!' } else { ' ' };
        writeln!(f, "      {mark} {line}")?;
    }
    match message.lines().count().checked_sub(LONGEST_MESSAGE) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(f, "        (and {more} more lines)"),
    }
}

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
            let mut mismatch = self.mismatch("the message is not the expected one:", expected);
            let received = readable::message(message);
            if mismatch.expected.iter().any(|(_, text)| *text == received) {
                let in_bytes = |expected: &&Expected<P::Out>| {
                    (expected.text.clone(), readable::message_in_bytes(&expected.message))
                };
                mismatch.expected = expected.iter().map(in_bytes).collect();
                mismatch.received = Some(readable::message_in_bytes(message));
            } else {
                mismatch.received = Some(received);
            }
            mismatch
        })
    }

    async fn message(&mut self, expected: &[&Expected<P::Out>]) -> Result<P::Out, Box<Mismatch>> {
        let problem = match self.hear().await {
            Heard::Message(message) => return Ok(message),
            Heard::End => "the call ended before the expected message".to_owned(),
            Heard::Error(status) => format!("the call failed with {}", describe(&status)),
            Heard::NothingInTime => format!("no message within {:?}", self.deadline),
        };
        Err(self.mismatch(problem, expected))
    }

    async fn end(&mut self, any_status: bool) -> Result<(), Box<Mismatch>> {
        let mut unexpected = None;
        let problem = match self.hear().await {
            Heard::End => return Ok(()),
            Heard::Error(_) if any_status => return Ok(()),
            Heard::Error(status) => {
                format!("the call should end with status OK, and failed with {}", describe(&status))
            }
            Heard::Message(message) => {
                unexpected = Some(readable::message(&message));
                "the call should end now, and there is one more message:".to_owned()
            }
            Heard::NothingInTime => {
                format!("the call should end now, and does not within {:?}", self.deadline)
            }
        };
        let mut mismatch = self.mismatch(problem, &[]);
        mismatch.received = unexpected;
        Err(mismatch)
    }

    async fn hear(&mut self) -> Heard<P::Out> {
        let Some(call) = &mut self.call else { return Heard::End };
        match within(self.deadline, call.answers.next()).await {
            None => Heard::NothingInTime,
            Some(None) => Heard::End,
            Some(Some(Ok(message))) => Heard::Message(message),
            Some(Some(Err(status))) => Heard::Error(status),
        }
    }

    fn mismatch(&self, problem: impl Into<String>, expected: &[&Expected<P::Out>]) -> Box<Mismatch> {
        let messages =
            expected.iter().map(|expected| (expected.text.clone(), readable::message(&expected.message)));
        Box::new(Mismatch {
            transcript: self.transcript.clone(),
            problem: problem.into(),
            expected: messages.collect(),
            received: None,
        })
    }
}

async fn within<F: Future>(deadline: Duration, future: F) -> Option<F::Output> {
    timeout(deadline, future).await.ok()
}

fn describe(status: &Status) -> String {
    format!("gRPC status {:?}: {:?}", status.code(), status.message())
}
