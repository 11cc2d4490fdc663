//! Plays one scenario: lets clients call, follows what goes on behind the proxy, and finds where it goes wrong.

use std::{collections::HashMap, time::Duration};

use bytes::{Bytes, BytesMut};
use cloudstate_proto::{Metadata, action::ActionCommand};
use futures_util::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, HeaderValue, header};
use hyper::client::conn::http2;
use prost::Message as _;
use tokio::time::{Instant, timeout};

use super::{
    client::{self, Answer, Target},
    function::{Answers, Call, Discovery, Function},
    message::Message,
    scenario::{
        Body, ClientStep, DiscoveryCheck, Expected, FunctionStep, Heard as Expectation, Line, MetadataRule,
        Step, Via,
    },
    wire::{Heard, Outgoing, Status},
};
use crate::{discovery::Discovered, mismatch::Mismatch};

/// How long a client or a stream must be without a message to have got none.
const NOTHING: Duration = Duration::from_millis(100);

/// What a failed scenario left behind has settled when nobody calls the user function for so long, …
const SETTLED: Duration = Duration::from_millis(300);

/// … or never will after so many calls.
const MOST_LEFT: usize = 100;

/// Where scenarios are played.
pub(crate) struct Stage {
    pub(crate) target: Target,
    /// The management port, if it is known.
    pub(crate) management: Option<Target>,
    pub(crate) function: Function,
    pub(crate) discovery: Discovery,
    pub(crate) discovered: Discovered,
    /// For each message.
    pub(crate) deadline: Duration,
    /// How long nobody may call the user function after a scenario.
    pub(crate) silence: Duration,
}

type Verdict<T = ()> = Result<T, Box<Mismatch>>;

impl Stage {
    /// Plays a scenario once.
    ///
    /// # Errors
    ///
    /// The first thing that is not as the scenario says.
    pub(crate) async fn play(&mut self, lines: &[Line]) -> Verdict {
        while self.function.reports.try_recv().is_ok() {}
        let mut play = Play {
            stage: self,
            clients: HashMap::new(),
            calls: HashMap::new(),
            connection: None,
            headers: HeaderMap::new(),
            transcript: Vec::new(),
        };
        let verdict = match play.follow(lines).await {
            Ok(()) => play.silence().await,
            failed => failed,
        };
        let Play { calls, clients, connection, .. } = play;
        // For clients that are gone nobody calls the user function again.
        drop((clients, connection));
        let passed = verdict.is_ok();
        for call in calls.into_values() {
            leave(call.call, passed);
        }
        if !passed {
            self.settle().await;
        }
        verdict
    }

    /// What a failed scenario set going must not disturb the next.
    async fn settle(&mut self) {
        for _ in 0..MOST_LEFT {
            match self.function.next_call(SETTLED).await {
                Some(call) => leave(call, false),
                None => return,
            }
        }
    }
}

/// A call that nobody looks at any more ends when the proxy says so, or now.
fn leave(mut call: Call, in_peace: bool) {
    let Answers::Script(Some(writer)) = call.answers else {
        // The user function behind does what it does; it must not wait for a reader.
        tokio::spawn(async move { while call.heard.recv().await.is_some() {} });
        if let Answers::Recorded(mut answers) = call.answers {
            tokio::spawn(async move { while answers.recv().await.is_some() {} });
        }
        return;
    };
    tokio::spawn(async move {
        while in_peace && matches!(call.heard.recv().await, Some(Heard::Message(_))) {}
        let _ = writer.end(&Status::ok()).await;
    });
}

struct Play<'a> {
    stage: &'a mut Stage,
    clients: HashMap<String, Client>,
    calls: HashMap<String, FunctionCall>,
    connection: Option<http2::SendRequest<Outgoing>>,
    /// Of the next call.
    headers: HeaderMap,
    transcript: Vec<String>,
}

struct Client {
    call: client::Call,
    /// One message is all there is to come.
    single: bool,
    head: Option<(u16, HeaderMap)>,
    /// What has come of an HTTP body.
    body: BytesMut,
}

struct FunctionCall {
    call: Call,
    /// Its first message has been seen.
    is_known: bool,
}

impl Play<'_> {
    /// Boxed, because there are lines in lines.
    fn follow<'l>(&'l mut self, lines: &'l [Line]) -> BoxFuture<'l, Verdict> {
        async move {
            for line in lines {
                match &line.step {
                    Step::Either(name, alternatives) => self.either(name, alternatives).await?,
                    Step::UntilAnswered { client, at_most, steps } => {
                        self.until_answered(client, *at_most, steps).await?;
                    }
                    step => {
                        self.step(step, &line.text).await?;
                        self.transcript.push(line.text.clone());
                    }
                }
            }
            Ok(())
        }
        .boxed()
    }

    async fn step(&mut self, step: &Step, text: &str) -> Verdict {
        match step {
            Step::Client(name, step) => self.client(name, step, text).await,
            Step::Function(name, step) => self.function(name, step, text).await,
            Step::Reported(beginning) => self.reported(beginning).await,
            Step::BreakConnections => {
                self.stage.function.break_connections();
                Ok(())
            }
            Step::Quiet(time) => self.quiet(*time).await,
            Step::Discovery(check) => self.discovery(check),
            Step::Either(..) | Step::UntilAnswered { .. } => Ok(()),
        }
    }

    fn problem(&self, problem: impl Into<String>) -> Box<Mismatch> {
        let (transcript, problem) = (self.transcript.clone(), problem.into());
        Box::new(Mismatch { transcript, problem, expected: vec![], received: None })
    }

    fn instead(
        &self,
        problem: impl Into<String>,
        text: &str,
        expected: String,
        received: Option<String>,
    ) -> Box<Mismatch> {
        let (transcript, problem) = (self.transcript.clone(), problem.into());
        Box::new(Mismatch { transcript, problem, expected: vec![(text.to_owned(), expected)], received })
    }

    fn different(&self, text: &str, expected: &Message, received: &[u8]) -> Box<Mismatch> {
        let (expected, received) = expected.compared(received);
        self.instead("the message is not the expected one:", text, expected, Some(received))
    }

    /// Nobody may call after a scenario, and nothing may be left unread in it.
    async fn silence(&mut self) -> Verdict {
        self.quiet(self.stage.silence).await?;
        let unread = self.calls.iter_mut().find_map(|(name, call)| match call.call.heard.try_recv() {
            Ok(Heard::Message(message)) => Some((name.clone(), message)),
            _ => None,
        });
        match unread {
            Some((name, message)) => {
                Err(self.problem(format!("the proxy said one thing more{}: {message:?}", of(&name))))
            }
            None => Ok(()),
        }
    }

    async fn quiet(&mut self, time: Duration) -> Verdict {
        let end = Instant::now() + time;
        match self.stage.function.next_call(end - Instant::now()).await {
            None => Ok(()),
            Some(call) => {
                let problem =
                    format!("nobody should call the user function, and the proxy calls {}", call.path);
                leave(call, false);
                Err(self.problem(problem))
            }
        }
    }

    async fn reported(&mut self, beginning: &str) -> Verdict {
        let reports = &mut self.stage.function.reports;
        match timeout(self.stage.deadline, reports.recv()).await.ok().flatten() {
            Some(report) if report.starts_with(beginning) => Ok(()),
            report => Err(self.instead(
                "reportError was not told what it should be:",
                "",
                beginning.to_owned(),
                report,
            )),
        }
    }

    fn discovery(&self, check: &DiscoveryCheck) -> Verdict {
        let Discovery { proxy, spec, refused, .. } = &self.stage.discovery;
        let checked = match check {
            DiscoveryCheck::Proxy => crate::discovery::check_proxy(proxy),
            DiscoveryCheck::ServicesAreDescribed => {
                let missing = spec
                    .entities
                    .iter()
                    .find(|entity| !self.stage.discovered.describes(&entity.service_name));
                missing.map_or(Ok(()), |entity| Err(format!("{} is not described", entity.service_name)))
            }
            DiscoveryCheck::Retried if *refused == 0 => Err("discover was not refused at first".to_owned()),
            DiscoveryCheck::Retried => Ok(()),
        };
        checked.map_err(|problem| self.problem(problem))
    }

    async fn until_answered(&mut self, client: &str, at_most: usize, steps: &[Line]) -> Verdict {
        for _ in 0..at_most {
            // Whatever comes first: the answer, or one more call.
            let Some(waiting) = self.clients.get_mut(client) else {
                return Err(self.problem("there is no such client"));
            };
            tokio::select! {
                answer = waiting.call.next() => {
                    if let Some(Answer::Head(status, headers)) = answer {
                        waiting.head = Some((status, headers));
                        return Ok(());
                    }
                    return Err(self.problem(format!("the client hears {answer:?}")));
                }
                call = self.stage.function.next_call(self.stage.deadline) => match call {
                    Some(call) => {
                        self.calls.insert("again".to_owned(), FunctionCall { call, is_known: false });
                    }
                    None => return Err(self.problem("neither an answer nor another call")),
                }
            }
            self.follow(steps).await?;
        }
        Err(self.problem(format!("there is no answer after {at_most} calls")))
    }

    async fn either(&mut self, name: &str, alternatives: &[Vec<Line>]) -> Verdict {
        let received = match self.answer_of_function(name).await? {
            Heard::Message(message) => message,
            other => return Err(self.problem(format!("instead of a message: {}", show_heard(&other)))),
        };
        let fits = |lines: &&Vec<Line>| {
            matches!(lines.first(), Some(Line { step: Step::Function(_, FunctionStep::Say(message)), .. })
                if message.accepts(&received))
        };
        match alternatives.iter().find(fits) {
            Some(lines) => self.follow(&lines[1..]).await,
            None => Err(self.problem("the user function's answer is none of the expected ones")),
        }
    }
}

/// What clients do and hear.
impl Play<'_> {
    async fn client(&mut self, name: &str, step: &ClientStep, text: &str) -> Verdict {
        match step {
            ClientStep::Header(name, value) => {
                self.headers.append(name.clone(), value.clone());
                Ok(())
            }
            ClientStep::Call { via, path, message, single } => {
                self.call(name, *via, path, message.as_ref(), *single).await
            }
            ClientStep::Send(message) => {
                if let Some(client) = self.clients.get(name) {
                    client.call.send(message).await;
                }
                Ok(())
            }
            ClientStep::HalfClose => {
                if let Some(client) = self.clients.get_mut(name) {
                    client.call.half_close();
                }
                Ok(())
            }
            ClientStep::Cancel => {
                if let Some(client) = self.clients.remove(name) {
                    client.call.cancel().await;
                }
                Ok(())
            }
            ClientStep::Request { method, path, body, management } => {
                self.request(name, method, path, body, *management)
            }
            ClientStep::Expect(expected) => self.expect(name, expected, text).await,
        }
    }

    async fn call(
        &mut self,
        name: &str,
        via: Via,
        path: &str,
        message: Option<&Bytes>,
        single: bool,
    ) -> Verdict {
        let headers = std::mem::take(&mut self.headers);
        let call = match via {
            Via::Web(variant) => {
                let message = message.map_or(&[][..], Bytes::as_ref);
                self.stage.target.web(variant, path, &headers, message)
            }
            Via::Http2 => {
                let connection = self.http2().await?;
                self.stage.target.grpc(connection, path, &headers)
            }
        };
        let mut call = call.map_err(|problem| self.problem(problem))?;
        if let (Via::Http2, Some(message)) = (via, message) {
            call.send(message).await;
            call.half_close();
        }
        self.clients.insert(name.to_owned(), Client { call, single, head: None, body: BytesMut::new() });
        Ok(())
    }

    /// One connection for each scenario: what breaks one must not hurt the others.
    async fn http2(&mut self) -> Verdict<http2::SendRequest<Outgoing>> {
        if let Some(open) = self.connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let new = self.stage.target.http2().await.map_err(|problem| self.problem(problem))?;
        Ok(self.connection.insert(new).clone())
    }

    fn request(
        &mut self,
        name: &str,
        method: &http::Method,
        path: &str,
        body: &Bytes,
        management: bool,
    ) -> Verdict {
        let mut headers = std::mem::take(&mut self.headers);
        if !headers.contains_key(header::CONTENT_TYPE) && !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        // Written as empty: there shall be none.
        if headers.get(header::CONTENT_TYPE).is_some_and(|value| value.is_empty()) {
            headers.remove(header::CONTENT_TYPE);
        }
        let target = if management { self.stage.management.as_ref() } else { Some(&self.stage.target) };
        let Some(target) = target else { return Err(self.problem("the management port is not known")) };
        let call =
            target.http(method, path, &headers, body.clone()).map_err(|problem| self.problem(problem))?;
        self.clients
            .insert(name.to_owned(), Client { call, single: false, head: None, body: BytesMut::new() });
        Ok(())
    }

    /// What the client hears next, its head aside.
    async fn hear(&mut self, name: &str, within: Duration) -> Verdict<Option<Answer>> {
        let Some(client) = self.clients.get_mut(name) else {
            return Err(self.problem("there is no call of that name"));
        };
        let end = Instant::now() + within;
        loop {
            match tokio::time::timeout_at(end, client.call.next()).await {
                Err(_) => return Ok(None),
                Ok(Some(Answer::Head(status, headers))) => client.head = Some((status, headers)),
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) => return Ok(Some(Answer::Broken("the call is over".to_owned()))),
            }
        }
    }

    async fn expect(&mut self, name: &str, expected: &Expected, text: &str) -> Verdict {
        let deadline = self.stage.deadline;
        match expected {
            Expected::Nothing => match self.hear(name, NOTHING).await? {
                None => Ok(()),
                Some(answer) => {
                    Err(self.problem(format!("the client should hear nothing, and hears {}", show(&answer))))
                }
            },
            Expected::Headers { with, without } => self.expect_headers(name, with, without).await,
            Expected::Refusal => match self.head(name).await? {
                (400.., _) => Ok(()),
                (status, _) => {
                    Err(self.problem(format!("the request should be refused, and has status {status}")))
                }
            },
            Expected::Head { status, content_type } => {
                self.expect_head(name, *status, Some(content_type)).await
            }
            Expected::Response { status, content_type, body } => {
                self.expect_response(name, *status, content_type.as_deref(), body).await
            }
            Expected::Part(part) => self.expect_part(name, part).await,
            Expected::Message(message) => {
                match self.hear(name, deadline).await? {
                    Some(Answer::Part(received)) if message.accepts(&received) => {}
                    Some(Answer::Part(received)) => return Err(self.different(text, message, &received)),
                    other => return Err(self.no_message(text, message.show(), other)),
                }
                if self.clients.get(name).is_some_and(|client| client.single) {
                    self.ends_well(name).await
                } else {
                    Ok(())
                }
            }
            Expected::File(file) => self.expect_file(name, file, text).await,
            Expected::End => self.ends_well(name).await,
            Expected::Failure { code, message } => match self.hear(name, deadline).await? {
                Some(Answer::End(Some(status)))
                    if status.code != Status::OK
                        && code.is_none_or(|code| code == status.code)
                        && message.as_ref().is_none_or(|message| *message == status.message) =>
                {
                    Ok(())
                }
                other => Err(self.problem(format!(
                    "the call should fail as `{text}` says, and the client hears {}",
                    other.as_ref().map_or("nothing in time".to_owned(), show)
                ))),
            },
            Expected::NoSuccess => match self.hear(name, deadline).await? {
                Some(Answer::Broken(_)) => Ok(()),
                Some(Answer::End(Some(status))) if status.code != Status::OK => Ok(()),
                other => {
                    Err(self.problem(format!("the call should not succeed, and the client hears {other:?}")))
                }
            },
        }
    }

    async fn ends_well(&mut self, name: &str) -> Verdict {
        match self.hear(name, self.stage.deadline).await? {
            Some(Answer::End(None)) => Ok(()),
            Some(Answer::End(Some(status))) if status.code == Status::OK => Ok(()),
            other => Err(self.problem(format!(
                "the call should end now with status OK, and the client hears {}",
                other.as_ref().map_or("nothing in time".to_owned(), show)
            ))),
        }
    }

    fn no_message(&self, text: &str, expected: String, heard: Option<Answer>) -> Box<Mismatch> {
        let problem = match heard {
            None => format!("the client has no answer within {:?}", self.stage.deadline),
            Some(answer) => format!("instead of the expected message, the client hears {}", show(&answer)),
        };
        self.instead(problem, text, expected, None)
    }

    async fn expect_file(&mut self, name: &str, file: &str, text: &str) -> Verdict {
        let received = match self.hear(name, self.stage.deadline).await? {
            Some(Answer::Part(received)) => received,
            other => return Err(self.no_message(text, file.to_owned(), other)),
        };
        match crate::discovery::only_file(&received) {
            Some(found) if found == file => Ok(()),
            found => Err(self.instead("this is not the one file:", text, file.to_owned(), found)),
        }
    }

    /// The head of a response, which may have come already.
    async fn head(&mut self, name: &str) -> Verdict<(u16, HeaderMap)> {
        let deadline = self.stage.deadline;
        let Some(client) = self.clients.get_mut(name) else {
            return Err(self.problem("there is no call of that name"));
        };
        if let Some(head) = &client.head {
            return Ok(head.clone());
        }
        match timeout(deadline, client.call.next()).await {
            Ok(Some(Answer::Head(status, headers))) => {
                client.head = Some((status, headers.clone()));
                Ok((status, headers))
            }
            Ok(Some(other)) => {
                Err(self.problem(format!("instead of headers, the client hears {}", show(&other))))
            }
            Ok(None) => Err(self.problem("the call is over")),
            Err(_) => Err(self.problem(format!("the client has no headers within {deadline:?}"))),
        }
    }

    async fn expect_headers(
        &mut self,
        name: &str,
        with: &[(http::HeaderName, String)],
        without: &[http::HeaderName],
    ) -> Verdict {
        let (_, headers) = self.head(name).await?;
        for (key, value) in with {
            let found: Vec<_> =
                headers.get_all(key).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            if found != [value.as_str()] {
                return Err(self.problem(format!(
                    "the header {key} should be {value:?} and nothing else, and is {found:?}"
                )));
            }
        }
        match without.iter().find(|key| headers.contains_key(*key)) {
            Some(key) => {
                Err(self.problem(format!("the header {key} should not be there: {:?}", headers.get(key))))
            }
            None => Ok(()),
        }
    }

    async fn expect_head(&mut self, name: &str, status: u16, content_type: Option<&str>) -> Verdict {
        let (received, headers) = self.head(name).await?;
        let received_type = headers
            .get(header::CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let is_right = received == status
            && content_type.is_none_or(|expected| received_type.as_deref() == Some(expected));
        if is_right {
            return Ok(());
        }
        // The body says most about what went wrong.
        let _ = self.read_body(name, None).await;
        let body = self.clients.get(name).map(|client| String::from_utf8_lossy(&client.body).into_owned());
        Err(self.problem(format!(
            "the response should have status {status}{}, and has {received}, {received_type:?}, {:?}",
            content_type.map_or(String::new(), |expected| format!(" and content type {expected:?}")),
            body.unwrap_or_default(),
        )))
    }

    async fn expect_response(
        &mut self,
        name: &str,
        status: u16,
        content_type: Option<&str>,
        body: &Body,
    ) -> Verdict {
        self.expect_head(name, status, content_type).await?;
        self.read_body(name, None).await?;
        let received =
            self.clients.get(name).map(|client| String::from_utf8_lossy(&client.body).into_owned());
        let received = received.unwrap_or_default();
        let (is_right, expected) = match body {
            Body::Whatever => (true, ""),
            Body::Exactly(expected) => (received == *expected, expected.as_str()),
            Body::Contains(part) => (received.contains(part), part.as_str()),
        };
        if is_right {
            return Ok(());
        }
        Err(self.instead("the body is not the expected one:", "", expected.to_owned(), Some(received)))
    }

    async fn expect_part(&mut self, name: &str, part: &Bytes) -> Verdict {
        self.read_body(name, Some(part.len())).await?;
        let Some(client) = self.clients.get_mut(name) else { return Ok(()) };
        let received = client.body.split_to(part.len().min(client.body.len())).freeze();
        if received == *part {
            return Ok(());
        }
        let [expected, received] = [part, &received].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Err(self.instead("the body goes on in another way:", "", expected, Some(received)))
    }

    /// Reads so much of the body, or all of it.
    async fn read_body(&mut self, name: &str, length: Option<usize>) -> Verdict {
        loop {
            let read = self.clients.get(name).map_or(0, |client| client.body.len());
            if length.is_some_and(|length| read >= length) {
                return Ok(());
            }
            match self.hear(name, self.stage.deadline).await? {
                Some(Answer::Part(data)) => {
                    if let Some(client) = self.clients.get_mut(name) {
                        client.body.extend_from_slice(&data);
                    }
                }
                Some(Answer::End(_)) => return Ok(()),
                Some(other) => return Err(self.problem(format!("in the body: {}", show(&other)))),
                None => return Err(self.problem(format!("the body stalls for {:?}", self.stage.deadline))),
            }
        }
    }
}

/// What goes on behind the proxy.
impl Play<'_> {
    async fn function(&mut self, name: &str, step: &FunctionStep, text: &str) -> Verdict {
        match step {
            FunctionStep::New { path } => self.new_call(name, *path).await,
            FunctionStep::Hear(expected) => self.hear_of_proxy(name, expected, text).await,
            FunctionStep::HearHalfClose => match self.heard(name).await? {
                Heard::End(_) => Ok(()),
                other => Err(self.not_over(&other, "the proxy should half-close its side")),
            },
            FunctionStep::HearCancel => match self.heard(name).await? {
                Heard::Broken(_) => Ok(()),
                other => Err(self.not_over(&other, "the proxy should abandon the call")),
            },
            FunctionStep::HearAnything => match self.heard(name).await? {
                Heard::Message(_) => Ok(()),
                other => Err(self.not_over(&other, "the proxy should say something")),
            },
            FunctionStep::HearEnd => match self.heard(name).await? {
                Heard::End(_) | Heard::Broken(_) => Ok(()),
                other => Err(self.not_over(&other, "the proxy should have no more to say")),
            },
            FunctionStep::HearNothing => {
                let Some(call) = self.calls.get_mut(name) else {
                    return Err(self.problem("there is no such call"));
                };
                match timeout(NOTHING, call.call.heard.recv()).await {
                    Err(_) => Ok(()),
                    Ok(heard) => Err(self.problem(format!(
                        "the proxy should say nothing, and there is {}",
                        heard.as_ref().map_or("the end".to_owned(), show_heard)
                    ))),
                }
            }
            FunctionStep::Say(message) => self.say(name, message, text).await,
            FunctionStep::End => self.end(name, Status::ok()).await,
            FunctionStep::Fail(status) => self.end(name, status.clone()).await,
            FunctionStep::Closed => {
                match self.heard(name).await? {
                    Heard::End(_) => {}
                    other => return Err(self.not_over(&other, "the proxy should half-close its side")),
                }
                self.end(name, Status::ok()).await
            }
        }
    }

    fn not_over(&self, heard: &Heard, should: &str) -> Box<Mismatch> {
        self.problem(format!("{should}, and there is {}", show_heard(heard)))
    }

    async fn new_call(&mut self, name: &str, path: Option<&str>) -> Verdict {
        let Some(call) = self.stage.function.next_call(self.stage.deadline).await else {
            let problem =
                format!("the proxy does not call the user function within {:?}", self.stage.deadline);
            return Err(self.problem(problem));
        };
        let problem = path
            .filter(|path| *path != call.path)
            .map(|path| format!("the proxy should call {path}, and calls {}", call.path));
        if let Some(before) = self.calls.insert(name.to_owned(), FunctionCall { call, is_known: false }) {
            leave(before.call, true);
        }
        problem.map_or(Ok(()), |problem| Err(self.problem(problem)))
    }

    async fn heard(&mut self, name: &str) -> Verdict<Heard> {
        let Some(call) = self.calls.get_mut(name) else { return Err(self.problem("there is no such call")) };
        match timeout(self.stage.deadline, call.call.heard.recv()).await {
            Ok(Some(heard)) => Ok(heard),
            Ok(None) => Ok(Heard::Broken("the call is over".to_owned())),
            Err(_) => Err(self.problem(format!(
                "the proxy says nothing{} within {:?}",
                of(name),
                self.stage.deadline
            ))),
        }
    }

    async fn hear_of_proxy(&mut self, name: &str, expected: &Expectation, text: &str) -> Verdict {
        if let Some(call) = self.calls.get_mut(name) {
            let is_right = expected.path.is_none_or(|path| call.is_known || path == call.call.path);
            call.is_known = true;
            let path = call.call.path.clone();
            if !is_right {
                return Err(self.problem(format!("`{text}` is for another call than {path}")));
            }
        }
        let received = match self.heard(name).await? {
            Heard::Message(message) => message,
            other => {
                let problem = format!("instead of a message of the proxy there is {}", show_heard(&other));
                return Err(self.instead(problem, text, expected.message.show(), None));
            }
        };
        if !expected.message.accepts(&received) {
            return Err(self.different(text, &expected.message, &received));
        }
        expected.metadata.check(&received).map_err(|problem| self.problem(problem))
    }

    /// What the user function behind says next.
    async fn answer_of_function(&mut self, name: &str) -> Verdict<Heard> {
        let deadline = self.stage.deadline;
        let Some(FunctionCall { call: Call { answers: Answers::Recorded(answers), .. }, .. }) =
            self.calls.get_mut(name)
        else {
            return Err(self.problem("there is no such call of a user function"));
        };
        match timeout(deadline, answers.recv()).await {
            Ok(Some(heard)) => Ok(heard),
            Ok(None) => Ok(Heard::Broken("the call is over".to_owned())),
            Err(_) => {
                Err(self.problem(format!("the user function says nothing{} within {deadline:?}", of(name))))
            }
        }
    }

    async fn say(&mut self, name: &str, message: &Message, text: &str) -> Verdict {
        let Some(call) = self.calls.get_mut(name) else { return Err(self.problem("there is no such call")) };
        // These calls have one answer, and are over then.
        let is_single =
            call.call.path.ends_with("/handleUnary") || call.call.path.ends_with("/handleStreamedIn");
        match &mut call.call.answers {
            Answers::Script(writer) => {
                let sent = match writer {
                    Some(writer) => writer.message(&message.bytes).await.is_ok(),
                    None => false,
                };
                if !sent {
                    return Err(self.problem(format!("the proxy does not listen{} any more", of(name))));
                }
            }
            Answers::Recorded(_) => match self.answer_of_function(name).await? {
                Heard::Message(received) if message.accepts(&received) => {}
                Heard::Message(received) => return Err(self.different(text, message, &received)),
                other => {
                    let problem =
                        format!("instead of a message of the user function there is {}", show_heard(&other));
                    return Err(self.instead(problem, text, message.show(), None));
                }
            },
        }
        if is_single { self.end(name, Status::ok()).await } else { Ok(()) }
    }

    async fn end(&mut self, name: &str, status: Status) -> Verdict {
        let Some(call) = self.calls.get_mut(name) else { return Err(self.problem("there is no such call")) };
        if let Answers::Script(writer) = &mut call.call.answers {
            if let Some(writer) = writer.take() {
                let _ = writer.end(&status).await;
            }
            return Ok(());
        }
        match self.answer_of_function(name).await? {
            Heard::End(trailers)
                if Status::from_headers(&trailers).is_none_or(|status| status.code == Status::OK) =>
            {
                Ok(())
            }
            other => Err(self.not_over(&other, "the user function should end the call with status OK")),
        }
    }
}

impl MetadataRule {
    fn check(&self, command: &[u8]) -> Result<(), String> {
        let Ok(command) = ActionCommand::decode(command) else { return Ok(()) };
        let entries = command.metadata.map(|Metadata { entries }| entries).unwrap_or_default();
        let mut last = 0;
        for expected in &self.with {
            let is_it = |key: &str| key.eq_ignore_ascii_case(&expected.key);
            let found: Vec<_> = entries.iter().enumerate().filter(|(_, entry)| is_it(&entry.key)).collect();
            match found.as_slice() {
                [(at, entry)] if entry.value == expected.value && *at >= last => last = *at,
                _ => {
                    return Err(format!(
                        "the metadata should have {expected:?} once and in its place; it is {entries:?}"
                    ));
                }
            }
        }
        if let Some(entry) =
            entries.iter().find(|entry| self.without.iter().any(|key| key.eq_ignore_ascii_case(&entry.key)))
        {
            return Err(format!("the metadata should not have {entry:?}"));
        }
        if self.nothing_else && entries.len() != self.with.len() {
            return Err(format!(
                "the metadata should be {:?} and nothing else; it is {entries:?}",
                self.with
            ));
        }
        Ok(())
    }
}

fn of(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" in {name}") }
}

fn show(answer: &Answer) -> String {
    match answer {
        Answer::Head(status, _) => format!("headers with HTTP status {status}"),
        Answer::Part(bytes) => format!("a message of {} bytes: {bytes:?}", bytes.len()),
        Answer::End(Some(status)) => format!("the end with {status}"),
        Answer::End(None) => "the end".to_owned(),
        Answer::Broken(problem) => problem.clone(),
    }
}

fn show_heard(heard: &Heard) -> String {
    match heard {
        Heard::Message(message) => format!("a message of {} bytes: {message:?}", message.len()),
        Heard::End(trailers) => match Status::from_headers(trailers) {
            Some(status) => format!("the end with {status}"),
            None => "a half-close".to_owned(),
        },
        Heard::Broken(problem) => format!("an abandoned call ({problem})"),
    }
}
