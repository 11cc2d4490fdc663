use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why there is no generated code.
#[derive(thiserror::Error)]
pub(crate) enum Error {
    /// What the compiler says, with file, line and column.
    #[error("{0}")]
    Contract(String),
    #[error(
        "the .proto file `{}` does not exist (looked for {})", .file.display(), list(.looked_for)
    )]
    NoSuchFile { file: PathBuf, looked_for: Vec<PathBuf> },
    #[error(
        "the .proto file `{}` is below none of the include folders ({}); add the folder from which others would import it",
        .file.display(), list(.includes)
    )]
    NotIncluded { file: PathBuf, includes: Vec<PathBuf> },
    #[error("the include folder `{}` {problem} (looked for {})", .folder.display(), .absolute.display())]
    BadInclude { folder: PathBuf, absolute: PathBuf, problem: &'static str },
    #[error("no .proto file was given")]
    NothingToCompile,
    #[error("{place}: {first} and {second} would both become the Rust {item} `{rust}`; rename one of them")]
    NameClash { place: String, first: String, second: String, item: &'static str, rust: String },
    #[error(
        "{place}: the rpc `{rpc}` uses `{message}`, which cannot be a command or a reply by itself; put it into a message of your own"
    )]
    UnnamedMessage { place: String, rpc: String, message: String },
    #[error("`OUT_DIR` is not set: call this from a build script, or choose a folder with `out_dir`")]
    NoOutDir,
    #[error("`{0}` is no attribute; write it as `#[…]`")]
    NoAttribute(String),
    #[error("code generation option: {0}")]
    Option(io::Error),
    #[error("the compiled descriptors cannot be read back: {0}")]
    Descriptors(#[from] prost::DecodeError),
    #[error("cannot write `{}`: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// `main` in a build script prints the `Debug` form of the error it returns.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n\n{self}\n\n")
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::NoSuchFile { .. } | Error::BadInclude { .. } => io::ErrorKind::NotFound,
            Error::Contract(_) | Error::Descriptors(_) => io::ErrorKind::InvalidData,
            Error::Write { source, .. } => source.kind(),
            Error::NotIncluded { .. }
            | Error::NothingToCompile
            | Error::NameClash { .. }
            | Error::UnnamedMessage { .. }
            | Error::NoOutDir
            | Error::NoAttribute(_)
            | Error::Option(_) => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, error)
    }
}

fn list(paths: &[impl AsRef<Path>]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| format!("`{}`", path.as_ref().display())).collect();
    if paths.is_empty() { "none given".to_owned() } else { paths.join(", ") }
}
