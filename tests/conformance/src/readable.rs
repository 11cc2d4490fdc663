//! Messages for people, in the text format of protobuf, with the payloads in them decoded; and errors.

use std::{collections::HashMap, error::Error, fmt::Debug, ops::Range, sync::LazyLock};

use cloudstate_proto::sources;
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, text_format::FormatOptions};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};
use tonic::Status;

/// The protocol and the models. Built when the first message is shown: a run without failures needs none.
static DESCRIPTORS: LazyLock<Result<DescriptorPool, protox::Error>> = LazyLock::new(|| {
    let texts = [sources::PROTOCOL, sources::FRONTEND, sources::TCK].concat();
    let names = texts.iter().map(|(name, _)| *name);
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(texts.iter().copied().collect()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_files(names)?;
    Ok(compiler.descriptor_pool())
});

/// The message, its payloads decoded.
pub(crate) fn message<M: Message + Name + Debug>(message: &M) -> String {
    text(message, true)
}

/// The message with the bytes of its payloads, for when there is no other difference.
pub(crate) fn message_in_bytes<M: Message + Name + Debug>(message: &M) -> String {
    text(message, false)
}

fn text<M: Message + Name + Debug>(message: &M, expand_payloads: bool) -> String {
    let options = FormatOptions::new().pretty(true).expand_any(expand_payloads);
    match dynamic(message) {
        // An empty message is shown as nothing at all.
        Some(dynamic) if message.encoded_len() > 0 => dynamic.to_text_format_with_options(&options),
        Some(_) => "(an empty message)".to_owned(),
        None => format!("{message:#?}"),
    }
}

/// The lines between what two texts have in common at their beginnings and at their ends.
pub(crate) fn differing_lines(one: &str, other: &str) -> [Range<usize>; 2] {
    let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    let start = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| lines.len() - start;
    let most = rest(&one).min(rest(&other));
    let end = one.iter().rev().zip(other.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    [start..one.len() - end, start..other.len() - end]
}

fn dynamic<M: Message + Name>(message: &M) -> Option<DynamicMessage> {
    let descriptor = DESCRIPTORS.as_ref().ok()?.get_message_by_name(&M::full_name())?;
    DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()
}

/// The status, and what caused it if that was not the service.
pub(crate) fn status(status: &Status) -> String {
    let text = format!("gRPC status {:?}: {:?}", status.code(), status.message());
    match status.source() {
        Some(source) => format!("{text} ({})", root_cause(source)),
        None => text,
    }
}

/// "transport error" says less than what it was caused by.
pub(crate) fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// `.proto` files in memory, by import path.
struct Texts(HashMap<&'static str, &'static str>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
