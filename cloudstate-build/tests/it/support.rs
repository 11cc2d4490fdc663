use std::{collections::BTreeMap, fs, io, path::Path};

use cloudstate_build::Builder;
use tempfile::TempDir;

/// A folder with `.proto` files, as a user has one beside `src`.
pub(crate) struct Contract {
    folder: TempDir,
}

impl Contract {
    /// Each file is a path and a text.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    /// One file of `proto3`, `shop.proto`, given without its first line.
    pub(crate) fn proto3(text: &str) -> Self {
        Self::new(&[("proto/shop.proto", &format!("syntax = \"proto3\";\n{text}"))])
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn compile(&self) -> io::Result<Output> {
        self.compile_with(cloudstate_build::configure(), &["proto/shop.proto"], &["proto"])
    }

    pub(crate) fn compile_with(
        &self,
        builder: Builder,
        protos: &[&str],
        includes: &[&str],
    ) -> io::Result<Output> {
        let here = |paths: &[&str]| paths.iter().map(|path| self.path().join(path)).collect::<Vec<_>>();
        builder.out_dir(self.path().join("out")).compile_protos(&here(protos), &here(includes))?;
        Ok(Output::read(&self.path().join("out")))
    }

    /// The error of compiling, with paths as if the contract's folder were the current one.
    pub(crate) fn error(&self) -> String {
        self.relative(&self.compile().unwrap_err())
    }

    pub(crate) fn relative(&self, error: &io::Error) -> String {
        error.to_string().replace(&format!("{}/", self.path().display()), "")
    }
}

/// What was written.
#[derive(Debug, PartialEq)]
pub(crate) struct Output(BTreeMap<String, Vec<u8>>);

impl Output {
    pub(crate) fn read(folder: &Path) -> Self {
        let files = fs::read_dir(folder).unwrap().map(|file| {
            let file = file.unwrap();
            (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
        });
        Self(files.collect())
    }

    #[track_caller]
    pub(crate) fn bytes(&self, file: &str) -> &[u8] {
        self.0.get(file).unwrap_or_else(|| panic!("no {file} in {:?}", self.0.keys()))
    }

    #[track_caller]
    pub(crate) fn text(&self, file: &str) -> &str {
        std::str::from_utf8(self.bytes(file)).unwrap()
    }

    pub(crate) fn files(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Makes `folder` hold exactly these files; returns the names it had to change.
    pub(crate) fn overwrite_if_different(&self, folder: &Path) -> Vec<&str> {
        fs::create_dir_all(folder).unwrap();
        let present = Self::read(folder);
        for file in present.files() {
            if !self.0.contains_key(file) {
                fs::remove_file(folder.join(file)).unwrap();
            }
        }
        let changed: Vec<_> =
            self.files().into_iter().filter(|file| present.0.get(*file) != self.0.get(*file)).collect();
        for file in &changed {
            fs::write(folder.join(file), self.bytes(file)).unwrap();
        }
        changed
    }
}
