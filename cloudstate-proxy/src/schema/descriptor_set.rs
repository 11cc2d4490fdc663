//! From the bytes of a descriptor set to message types. The bytes come from outside: nothing in them may do more
//! harm than an error.

use std::{
    collections::{BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, decode_key, skip_field},
};
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use prost_types::FileDescriptorProto;

use super::{
    full_names::{FullNames, MAX_FULL_NAME, MAX_FULL_NAMES},
    parts::{MAX_PARTS, check_parts},
};

/// What is wrong with a descriptor set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// More parts than any contract needs.
    #[error(
        "the descriptor set has more than {MAX_PARTS} parts (messages, fields, comments and so on): compile it without \
         source info, or split the contract"
    )]
    TooManyParts,
    /// The bytes cannot be decoded.
    #[error("the descriptor set is no google.protobuf.FileDescriptorSet: {0}")]
    NotADescriptorSet(DecodeError),
    /// An edition, or a syntax that does not exist yet.
    #[error("{file} is written with `{syntax}`, which this proxy does not read: use proto3 (or proto2)")]
    UnsupportedSyntax {
        /// The file.
        file: String,
        /// Its syntax.
        syntax: String,
    },
    /// A file imports one that is not in the set.
    #[error(
        "{file} imports {import}, which is missing from the descriptor set: compile it with all its imports included"
    )]
    MissingImport {
        /// The importing file.
        file: String,
        /// What it imports.
        import: String,
    },
    /// Files import each other in a circle.
    #[error("the files import each other in a circle: {}", .0.join(" -> "))]
    CyclicImport(
        /// The files of the circle, the first one again at the end.
        Vec<String>,
    ),
    /// A full name longer than any contract needs.
    #[error(
        "the full name of `{name:.100}` in {file:.200} has more than {MAX_FULL_NAME} bytes: shorten it, or the names of \
         its package and of what it is nested in"
    )]
    NameTooLong {
        /// The file.
        file: String,
        /// Its last part.
        name: String,
    },
    /// More names than any contract needs, or too long ones.
    #[error(
        "the full names of all that is described take more than {MAX_FULL_NAMES} bytes: split the contract"
    )]
    TooManyNames,
    /// A name is missing, used twice or used wrongly; a number is invalid; and so on.
    #[error("the descriptor set is inconsistent: {0}")]
    Inconsistent(String),
}

/// A descriptor set whose files stay bytes, since decoding them into types loses what those do not know.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RawSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) file: Vec<Bytes>,
}

struct File {
    bytes: Bytes,
    descriptor: FileDescriptorProto,
}

pub(super) fn load(descriptor_set: &[u8]) -> Result<DescriptorPool, SchemaError> {
    check_parts(descriptor_set)?;
    let files = Files::decode(descriptor_set)?;
    files.check_syntax()?;
    files.check_names()?;
    files.check_imports()?;
    let pool = build(&files.encode()?)?;
    pool.all_messages().try_for_each(|message| check_map_entry(&message))?;
    Ok(pool)
}

/// The files of a set, each name once, in the order of their first appearance.
struct Files {
    files: Vec<File>,
    by_name: HashMap<String, usize>,
}

impl Files {
    fn decode(descriptor_set: &[u8]) -> Result<Self, SchemaError> {
        let set = RawSet::decode(descriptor_set).map_err(SchemaError::NotADescriptorSet)?;
        let mut files = Self { files: Vec::new(), by_name: HashMap::new() };
        for bytes in set.file {
            let descriptor =
                FileDescriptorProto::decode(bytes.clone()).map_err(SchemaError::NotADescriptorSet)?;
            files.add(File { bytes, descriptor });
        }
        Ok(files)
    }

    fn add(&mut self, file: File) {
        match self.by_name.get(file.descriptor.name()) {
            Some(&earlier) => self.files[earlier] = file,
            None => {
                self.by_name.insert(file.descriptor.name().to_owned(), self.files.len());
                self.files.push(file);
            }
        }
    }

    /// Must come before the library sees the set: it panics at editions.
    fn check_syntax(&self) -> Result<(), SchemaError> {
        let unsupported =
            self.files.iter().find(|file| !matches!(file.descriptor.syntax(), "" | "proto2" | "proto3"));
        match unsupported {
            None => Ok(()),
            Some(file) => Err(SchemaError::UnsupportedSyntax {
                file: file.descriptor.name().to_owned(),
                syntax: file.descriptor.syntax().to_owned(),
            }),
        }
    }

    /// Must come before the library sees the set: it keeps all full names, and what contains much has its name in many.
    fn check_names(&self) -> Result<(), SchemaError> {
        let mut names = FullNames::default();
        self.files.iter().try_for_each(|file| names.add_file(&file.descriptor))
    }

    /// Must come before the library sees the set: circles may overflow its stack.
    fn check_imports(&self) -> Result<(), SchemaError> {
        // Depth first, without recursion: (file, how many of its imports are done).
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut on_path = vec![false; self.files.len()];
        let mut done = vec![false; self.files.len()];
        for start in 0..self.files.len() {
            if done[start] {
                continue;
            }
            path.push((start, 0));
            on_path[start] = true;
            while let Some((file, imports_done)) = path.last_mut() {
                let file = *file;
                let Some(import) = self.files[file].descriptor.dependency.get(*imports_done) else {
                    on_path[file] = false;
                    done[file] = true;
                    path.pop();
                    continue;
                };
                *imports_done += 1;
                let Some(&imported) = self.by_name.get(import) else {
                    return Err(SchemaError::MissingImport {
                        file: self.files[file].descriptor.name().to_owned(),
                        import: import.clone(),
                    });
                };
                if on_path[imported] {
                    return Err(self.circle(&path, imported));
                }
                if !done[imported] {
                    on_path[imported] = true;
                    path.push((imported, 0));
                }
            }
        }
        Ok(())
    }

    fn circle(&self, path: &[(usize, usize)], imported: usize) -> SchemaError {
        let circle =
            path.iter().map(|(file, _)| *file).skip_while(|file| *file != imported).chain([imported]);
        SchemaError::CyclicImport(circle.map(|file| self.files[file].descriptor.name().to_owned()).collect())
    }

    /// The set for the library. Public imports are resolved into plain ones, because the library follows them
    /// only one step, and some of them over and over.
    fn encode(&self) -> Result<Vec<u8>, SchemaError> {
        let file = (0..self.files.len()).map(|file| self.with_plain_imports(file)).collect::<Result<_, _>>();
        let set = RawSet { file: file.map_err(SchemaError::NotADescriptorSet)? };
        Ok(set.encode_to_vec())
    }

    fn with_plain_imports(&self, file: usize) -> Result<Bytes, DecodeError> {
        let File { bytes, descriptor } = &self.files[file];
        let visible = self.visible_from(file);
        let direct: BTreeSet<usize> =
            descriptor.dependency.iter().filter_map(|import| self.by_name.get(import).copied()).collect();
        if descriptor.public_dependency.is_empty() && visible == direct {
            return Ok(bytes.clone());
        }
        let mut plain = without_public_imports(bytes)?;
        for import in visible.difference(&direct) {
            prost::encoding::string::encode(
                DEPENDENCY,
                &self.files[*import].descriptor.name().to_owned(),
                &mut plain,
            );
        }
        Ok(plain.freeze())
    }

    /// What a file imports, and all that its imports import publicly.
    fn visible_from(&self, file: usize) -> BTreeSet<usize> {
        let mut visible = BTreeSet::new();
        let mut to_visit: Vec<usize> = self.files[file]
            .descriptor
            .dependency
            .iter()
            .filter_map(|import| self.by_name.get(import).copied())
            .collect();
        while let Some(import) = to_visit.pop() {
            if visible.insert(import) {
                let descriptor = &self.files[import].descriptor;
                let public = descriptor.public_dependency.iter().filter_map(|index| {
                    let name = descriptor.dependency.get(usize::try_from(*index).ok()?)?;
                    self.by_name.get(name).copied()
                });
                to_visit.extend(public);
            }
        }
        visible
    }
}

/// The field numbers of `google.protobuf.FileDescriptorProto`.
const DEPENDENCY: u32 = 3;
const PUBLIC_DEPENDENCY: u32 = 10;

fn without_public_imports(file: &[u8]) -> Result<BytesMut, DecodeError> {
    let mut kept = BytesMut::with_capacity(file.len());
    let mut rest = file;
    while rest.has_remaining() {
        let field = rest;
        let (number, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
        if number != PUBLIC_DEPENDENCY {
            kept.put_slice(&field[..field.len() - rest.len()]);
        }
    }
    Ok(kept)
}

/// The library checks what a compiler would, but was not written against hostile sets: should it panic, that is an
/// error of the set.
fn build(descriptor_set: &[u8]) -> Result<DescriptorPool, SchemaError> {
    catch_unwind(AssertUnwindSafe(|| DescriptorPool::decode(descriptor_set)))
        .map_err(|_| {
            SchemaError::Inconsistent("it breaks rules that every protobuf compiler keeps".to_owned())
        })?
        .map_err(|error| SchemaError::Inconsistent(error.to_string()))
}

/// The library takes it for granted that a map entry has a key and a value.
fn check_map_entry(message: &MessageDescriptor) -> Result<(), SchemaError> {
    if !message.is_map_entry() {
        return Ok(());
    }
    let key = message.get_field(1).filter(|key| !key.is_list());
    let key_is_valid = key.is_some_and(|key| {
        !matches!(key.kind(), Kind::Double | Kind::Float | Kind::Bytes | Kind::Enum(_) | Kind::Message(_))
    });
    let value_is_valid = message.get_field(2).is_some_and(|value| !value.is_list() && !value.is_map());
    if key_is_valid && value_is_valid {
        Ok(())
    } else {
        Err(SchemaError::Inconsistent(format!(
            "{} is marked as a map entry, but is none",
            message.full_name()
        )))
    }
}
