//! What clients say and hear.

use bytes::Bytes;
use http::Method;

use super::{Known, Reader, any_message, read_rest, speech::Speech};
use crate::{
    notation::cursor::{Cursor, Problem},
    proxy::{
        client::{self, Variant},
        scenario::{Body, ClientStep, Expected, Via},
    },
};

impl Reader<'_> {
    pub(super) fn client_step(
        &self,
        name: &str,
        part: &str,
        known: &mut Known,
    ) -> Result<ClientStep, Problem> {
        let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
        match word {
            "header" => read_rest(part, "header", |line| {
                let (name, value) = pair(line)?;
                let (name, value) = client::header(&name, &value)?;
                Ok(ClientStep::Header(name, value))
            }),
            "call" => self.call(name, Via::Http2, rest, known),
            "web" => self.call(name, Via::Web(Variant::Binary), rest, known),
            "web-text" => self.call(name, Via::Web(Variant::Text), rest, known),
            "open" => self.open(name, rest, known),
            "send" => {
                let (speech, method) =
                    known.clients.get(name).ok_or("there has been no call of that name")?;
                read_rest(part, "send", |line| Ok(ClientStep::Send(speech.request(method, line)?.bytes)))
            }
            "half-close" => Ok(ClientStep::HalfClose),
            "cancel" => Ok(ClientStep::Cancel),
            "=" => self.expected(rest, known.clients.get(name)).map(ClientStep::Expect),
            "management" => {
                known.clients.remove(name);
                request(rest, true)
            }
            _ => {
                let request = request(part, false)?;
                // What it hears is HTTP, and no message of a gRPC call before.
                known.clients.remove(name);
                Ok(request)
            }
        }
    }

    /// `[Service.]Method [for ID] payload`
    fn call(&self, name: &str, via: Via, rest: &str, known: &mut Known) -> Result<ClientStep, Problem> {
        let mut line = Cursor::new(rest);
        let (speech, method) = self.method(&mut line)?;
        let message = speech.request(&method, &mut line)?.bytes;
        line.end()?;
        let step = ClientStep::Call {
            via,
            path: path(&speech, &method),
            message: Some(message),
            single: is_single(&speech, &method),
        };
        known.clients.insert(name.to_owned(), (speech, method));
        Ok(step)
    }

    fn open(&self, name: &str, rest: &str, known: &mut Known) -> Result<ClientStep, Problem> {
        let mut line = Cursor::new(rest);
        let (speech, method) = self.method(&mut line)?;
        line.end()?;
        let step = ClientStep::Call {
            via: Via::Http2,
            path: path(&speech, &method),
            message: None,
            single: is_single(&speech, &method),
        };
        known.clients.insert(name.to_owned(), (speech, method));
        Ok(step)
    }

    fn method(&self, line: &mut Cursor<'_>) -> Result<(Speech, String), Problem> {
        let word = line.word()?;
        let (service, method) = match word.rsplit_once('.') {
            Some((service, method)) => (service, method),
            None => (self.area.model().ok_or("a service is missing")?, word),
        };
        let id = if line.eat("for") { Some(line.text()?) } else { None };
        Ok((self.who(service, id)?, method.to_owned()))
    }

    fn expected(&self, rest: &str, call: Option<&(Speech, String)>) -> Result<Expected, Problem> {
        if let Some(body) = rest.strip_prefix("part ") {
            return Ok(Expected::Part(Bytes::from(unescaped(body))));
        }
        if rest.as_bytes().first().is_some_and(u8::is_ascii_digit) && call.is_none() {
            return response(rest);
        }
        let mut line = Cursor::new(rest);
        let expected = if line.eat("end") {
            Expected::End
        } else if line.eat("nothing") {
            Expected::Nothing
        } else if line.eat("no success of HTTP") {
            Expected::Refusal
        } else if line.eat("no success") {
            Expected::NoSuccess
        } else if line.eat("error") {
            let code = if line.is_empty() || line.starts_with("\"") {
                None
            } else {
                Some(any_message::code(&mut line)?)
            };
            let message = if line.is_empty() { None } else { Some(line.text()?.to_owned()) };
            Expected::Failure { code, message }
        } else if line.eat("headers") {
            headers(&mut line)?
        } else if line.eat("file") {
            Expected::File(line.text()?.to_owned())
        } else if line.eat("head") {
            let status = line.number()?;
            Expected::Head { status, content_type: line.rest().to_owned() }
        } else {
            let (speech, method) = call.ok_or("there has been no call of that name")?;
            Expected::Message(speech.response(method, &mut line)?)
        };
        line.end()?;
        Ok(expected)
    }
}

fn path(speech: &Speech, method: &str) -> String {
    format!("/{}/{method}", speech.service)
}

/// Whether one message is all that a client gets.
fn is_single(speech: &Speech, method: &str) -> bool {
    any_message::method(&speech.service, method).is_ok_and(|method| !method.is_server_streaming())
}

/// `POST /path body`
fn request(part: &str, management: bool) -> Result<ClientStep, Problem> {
    let mut words = part.splitn(3, ' ');
    let method = words.next().unwrap_or_default();
    let is_method = !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase());
    let method = Method::from_bytes(method.as_bytes()).ok().filter(|_| is_method);
    let method = method.ok_or_else(|| format!("`{part}` is nothing that a client does"))?;
    let path = words.next().filter(|path| path.starts_with('/')).ok_or("a path is missing")?.to_owned();
    let body = Bytes::from(words.next().unwrap_or_default().to_owned());
    Ok(ClientStep::Request { method, path, body, management })
}

/// `200 body`, `200 (content/type) body`, `404 nothing`, `200 ~ part of the body`, `400` with any body
fn response(rest: &str) -> Result<Expected, Problem> {
    let (status, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let status = status.parse().map_err(|_| format!("`{status}` is no status"))?;
    let (content_type, rest) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((content_type, rest)) => (Some(content_type.to_owned()), rest.trim_start()),
        // Of a success it is exact.
        None => ((status == 200 && !rest.starts_with('~')).then(|| "application/json".to_owned()), rest),
    };
    let body = match rest {
        "" => Body::Whatever,
        "nothing" => Body::Exactly(String::new()),
        _ => match rest.strip_prefix("~ ") {
            Some(part) => Body::Contains(unescaped(part)),
            None => Body::Exactly(unescaped(rest)),
        },
    };
    Ok(Expected::Response { status, content_type, body })
}

/// `with "k" = "v"` and `without "k"`
fn headers(line: &mut Cursor<'_>) -> Result<Expected, Problem> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    loop {
        if line.eat("with") {
            let (name, value) = pair(line)?;
            with.push((client::header(&name, "")?.0, value));
        } else if line.eat("without") {
            without.push(client::header(line.text()?, "")?.0);
        } else {
            return Ok(Expected::Headers { with, without });
        }
    }
}

fn pair(line: &mut Cursor<'_>) -> Result<(String, String), Problem> {
    let name = line.text()?.to_owned();
    line.need("=")?;
    Ok((name, line.text()?.to_owned()))
}

/// `\n` is a line break.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
}
