//! What goes on behind the proxy.

use super::{Known, Reader, any_message, read_rest, speech::Speech};
use crate::{
    notation::cursor::{Cursor, Problem},
    proxy::{scenario::FunctionStep, wire::Status},
};

impl Reader<'_> {
    pub(super) fn function_step(
        &self,
        name: &str,
        part: &str,
        known: &mut Known,
    ) -> Result<FunctionStep, Problem> {
        if let Some(rest) = part.strip_prefix("new stream") {
            let speech = self.new_call(rest)?;
            let path = Some(speech.stream().ok_or("is no service of entities")?);
            known.calls.insert(name.to_owned(), speech);
            return Ok(FunctionStep::New { path });
        }
        if let Some(rest) = part.strip_prefix("new call") {
            known.calls.insert(name.to_owned(), self.new_call(rest)?);
            return Ok(FunctionStep::New { path: None });
        }
        match part {
            "closed" => return Ok(FunctionStep::Closed),
            "> half-close" => return Ok(FunctionStep::HearHalfClose),
            "> cancelled" => return Ok(FunctionStep::HearCancel),
            "> gone" => return Ok(FunctionStep::HearEnd),
            "> anything" => return Ok(FunctionStep::HearAnything),
            "> nothing" => return Ok(FunctionStep::HearNothing),
            "< end" => return Ok(FunctionStep::End),
            _ => {}
        }
        if part.starts_with("< status ") {
            return read_rest(part, "< status", |line| {
                let code = any_message::code(line)?;
                Ok(FunctionStep::Fail(Status { code, message: line.text()?.to_owned() }))
            });
        }
        let speech =
            known.calls.get(name).ok_or("there has been no `new stream` or `new call` of that name")?;
        match part.strip_prefix('>') {
            Some(_) => read_rest(part, ">", |line| Ok(FunctionStep::Hear(Box::new(speech.heard(line)?)))),
            None => read_rest(part, "<", |line| Ok(FunctionStep::Say(speech.said(line)?))),
        }
    }

    /// Of the area's model, or of the service and the entity that are named.
    pub(super) fn new_call(&self, rest: &str) -> Result<Speech, Problem> {
        let mut line = Cursor::new(rest);
        let named = if line.is_empty() { None } else { Some(line.word()?) };
        let service = named.or(self.area.model()).ok_or("a service is missing")?;
        let id = if line.is_empty() { None } else { Some(line.text()?) };
        line.end()?;
        self.who(service, id)
    }
}
