use std::{
    env, fmt, io,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use prost_build::{Config, Module};

use crate::{
    bundled_protos,
    compiler::{self, Compiled},
    doc_comments,
    error::Error,
    generate::ServiceModules,
    include_file::{self, OutDir},
    name_clashes, unnamed_messages,
};

/// What to generate, and how; made by [`configure`](crate::configure).
///
/// Options take paths of protobuf items. With a dot in front a path is a full name, and means the item with all below
/// it: `"."` everything, `".com.example"` a package, `".com.example.Cart"` a message, `".com.example.Cart.items"` a
/// field. Without it, `"Cart"` or `"Cart.items"`, it means the items whose full names end so.
pub struct Builder {
    config: Config,
    out_dir: Option<PathBuf>,
    /// As given by the user, and those of the bundled files: names without generated code.
    externs: Vec<String>,
    /// The first attribute that is none.
    wrong_attribute: Option<String>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let mut config = Config::new();
        config
            .prost_path("::cloudstate_sdk::prost")
            .prost_types_path("::cloudstate_sdk::prost_types")
            .enable_type_names()
            .type_name_domain(["."], "type.googleapis.com");
        let externs = vec![".google.protobuf".to_owned()];
        let builder = Self { config, out_dir: None, externs, wrong_attribute: None };
        bundled_protos::MESSAGES_IN_SDK
            .iter()
            .fold(builder, |builder, (message, rust)| builder.extern_path(*message, *rust))
    }

    /// Uses the existing Rust item at `rust_path` for the message, or everything in the package, `proto_path`,
    /// and generates nothing for it.
    ///
    /// `proto_path` starts with a dot: `.extern_path(".com.example.money", "::money")`. A Rust path within the
    /// own crate starts with `crate::`. A message used as a command or a reply must implement `prost::Name`.
    #[must_use]
    pub fn extern_path(mut self, proto_path: impl Into<String>, rust_path: impl Into<String>) -> Self {
        let proto_path = proto_path.into();
        self.externs.push(proto_path.clone());
        self.config.extern_path(proto_path, rust_path);
        self
    }

    /// Adds an attribute, such as `#[derive(serde::Serialize)]`, to the matching messages, enums and oneofs.
    #[must_use]
    pub fn type_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.note_attribute(attribute.as_ref());
        self.config.type_attribute(path, attribute);
        self
    }

    /// Adds an attribute to the matching messages.
    #[must_use]
    pub fn message_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.note_attribute(attribute.as_ref());
        self.config.message_attribute(path, attribute);
        self
    }

    /// Adds an attribute to the matching enums and oneofs.
    #[must_use]
    pub fn enum_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.note_attribute(attribute.as_ref());
        self.config.enum_attribute(path, attribute);
        self
    }

    /// Adds an attribute, such as `#[serde(skip)]`, to the matching fields.
    #[must_use]
    pub fn field_attribute(mut self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.note_attribute(attribute.as_ref());
        self.config.field_attribute(path, attribute);
        self
    }

    /// Generates `BTreeMap` instead of `HashMap` for the matching map fields: their order, and so the bytes of an
    /// encoded event, is always the same.
    #[must_use]
    pub fn btree_map<S: AsRef<str>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.config.btree_map(paths);
        self
    }

    /// Generates `bytes::Bytes` instead of `Vec<u8>` for the matching `bytes` fields: cheap to clone, and not
    /// copied when decoded.
    #[must_use]
    pub fn bytes<S: AsRef<str>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.config.bytes(paths);
        self
    }

    /// Boxes the matching fields. Recursive messages are boxed where they must be without it.
    #[must_use]
    pub fn boxed(mut self, path: impl AsRef<str>) -> Self {
        self.config.boxed(path);
        self
    }

    /// Leaves `Debug` off the matching messages, for those who write their own, to keep secrets out of logs.
    #[must_use]
    pub fn skip_debug<S: AsRef<str>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.config.skip_debug(paths);
        self
    }

    /// Leaves comments of the matching items out of the generated messages.
    #[must_use]
    pub fn disable_comments<S: AsRef<str>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.config.disable_comments(paths);
        self
    }

    /// Writes to this folder, which must exist, instead of `OUT_DIR`. Include `cloudstate.rs` from there, in
    /// place of `cloudstate_sdk::include_protos!()`.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Compiles `protos`, and whatever they import, with these options.
    ///
    /// # Errors
    ///
    /// When a file or include folder does not exist, a file is no valid contract (the error says file, line,
    /// column and reason), two names of the contract would become one name in Rust, an option makes no sense, or
    /// the output cannot be written.
    pub fn compile_protos(
        self,
        protos: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> io::Result<()> {
        let protos: Vec<_> = protos.iter().map(AsRef::as_ref).collect();
        let includes: Vec<_> = includes.iter().map(AsRef::as_ref).collect();
        self.compile(&protos, &includes).map_err(io::Error::from)
    }

    fn note_attribute(&mut self, attribute: &str) {
        if self.wrong_attribute.is_none() && !is_attributes(attribute) {
            self.wrong_attribute = Some(attribute.to_owned());
        }
    }

    fn compile(mut self, protos: &[&Path], includes: &[&Path]) -> Result<(), Error> {
        if let Some(attribute) = self.wrong_attribute.take() {
            return Err(Error::NoAttribute(attribute));
        }
        let out_dir = match self.out_dir.take() {
            Some(folder) => OutDir::Chosen(folder),
            None => OutDir::Cargo(env::var_os("OUT_DIR").ok_or(Error::NoOutDir)?.into()),
        };
        let Compiled { mut files, descriptors, places } = compiler::compile(protos, includes)?;
        for path in places.0.values() {
            println!("cargo:rerun-if-changed={}", path.display());
        }

        files.file.retain(|file| !bundled_protos::is_option_file(file.name()));
        name_clashes::check(&files.file, &self.externs, &places)?;
        unnamed_messages::check(&files.file, &self.externs, &places)?;
        doc_comments::make_safe(&mut files.file);

        self.config.service_generator(Box::new(ServiceModules::new(&descriptors)?));
        let files =
            files.file.into_iter().map(|file| (Module::from_protobuf_package_name(file.package()), file));
        let modules = self.config.generate(files.collect()).map_err(Error::Option)?;
        include_file::write(&out_dir, &modules, &descriptors)
    }
}

/// Whether `text` reads `#[…]`, once or several times.
fn is_attributes(text: &str) -> bool {
    let Ok(tokens) = text.parse::<TokenStream>() else { return false };
    let tokens: Vec<_> = tokens.into_iter().collect();
    !tokens.is_empty()
        && tokens.chunks(2).all(|pair| {
            matches!(pair, [TokenTree::Punct(hash), TokenTree::Group(group)]
                if hash.as_char() == '#' && group.delimiter() == Delimiter::Bracket)
        })
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).field("out_dir", &self.out_dir).finish()
    }
}
