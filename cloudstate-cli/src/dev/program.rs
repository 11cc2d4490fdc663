//! What is developed: a cargo package, or any command.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::{
    build::{self, BuildError},
    workspace::{self, Binary, WorkspaceError},
};

/// What to build, run and watch.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// For messages, and for the folder of its store.
    pub(super) name: String,
    /// The folder beside whose files `.cloudstate` lies.
    pub(super) root: PathBuf,
    /// The folders that its sources are in.
    pub(super) folders: Vec<PathBuf>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Package(Binary),
    Command(Vec<OsString>),
}

impl Program {
    /// Without a name it is the package that `folder` belongs to.
    pub(super) async fn package(name: Option<&str>, folder: &Path) -> Result<Self, WorkspaceError> {
        let binary = workspace::find_binary(name, folder).await?;
        Ok(Self {
            name: binary.package.clone(),
            root: binary.workspace_root.clone(),
            folders: binary.folders.clone(),
            kind: Kind::Package(binary),
        })
    }

    /// None when `command` names no file.
    pub(super) fn command(command: Vec<OsString>, folder: &Path) -> Option<Self> {
        let name = Path::new(command.first()?).file_name()?.to_string_lossy().into_owned();
        let (root, folders) = (folder.to_owned(), vec![folder.to_owned()]);
        Some(Self { name, root, folders, kind: Kind::Command(command) })
    }

    /// What building it writes: not sources.
    pub(super) fn output(&self) -> Vec<PathBuf> {
        match &self.kind {
            Kind::Package(binary) => {
                vec![binary.target_directory.clone(), binary.workspace_root.join("Cargo.lock")]
            }
            Kind::Command(_) => Vec::new(),
        }
    }

    /// The command that runs it, up to date.
    pub(super) async fn build(&self) -> Result<Vec<OsString>, BuildError> {
        match &self.kind {
            Kind::Package(binary) => Ok(vec![build::build(binary).await?.into_os_string()]),
            Kind::Command(command) => Ok(command.clone()),
        }
    }

    /// What makes it start anew, for messages.
    pub(super) fn remedy(&self) -> &'static str {
        match &self.kind {
            Kind::Package(_) => "save a source file to build and start it again",
            Kind::Command(_) => "save a file to start it again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_named_after_its_file() {
        let name = |command: &[&str]| {
            let command = command.iter().map(OsString::from).collect();
            Program::command(command, Path::new("/here")).map(|program| program.name)
        };
        assert_eq!(name(&["node", "index.js"]).as_deref(), Some("node"));
        assert_eq!(name(&["./bin/cart.sh", "--fast"]).as_deref(), Some("cart.sh"));
        assert_eq!(name(&[".."]), None);
        assert_eq!(name(&[]), None);
    }
}
