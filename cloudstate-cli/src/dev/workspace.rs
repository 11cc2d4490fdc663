//! What cargo knows: packages, their binaries, their folders.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tokio::process::Command;

/// A binary of a workspace's package, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binary {
    pub(super) package: String,
    /// Which of the package's binaries.
    pub(super) name: String,
    pub(super) workspace_root: PathBuf,
    /// Where cargo puts what it builds.
    pub(super) target_directory: PathBuf,
    /// The folder of the package and those of the packages it depends on by path.
    pub(super) folders: Vec<PathBuf>,
}

/// Why there is nothing to build. One line each, except for cargo's own words.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkspaceError {
    #[error(
        "cannot run cargo; install Rust from https://rustup.rs, or start any other command with \
         `cloudstate dev -- <command>`"
    )]
    NoCargo(#[source] io::Error),
    #[error(
        "there is no Cargo.toml in {} or above it; go to a cargo workspace, or start any other command with \
         `cloudstate dev -- <command>`",
        .0.display()
    )]
    NoWorkspace(PathBuf),
    #[error("cargo cannot read the workspace:\n{0}")]
    Unreadable(String),
    #[error("cargo's description of the workspace is not understood")]
    NotUnderstood(#[from] serde_json::Error),
    #[error("there is no package `{package}` here; packages with a binary: {}", listed(known))]
    UnknownPackage { package: String, known: Vec<String> },
    #[error("{} is in no package: say which one to develop; packages with a binary: {}", folder.display(), listed(known))]
    NotInPackage { folder: PathBuf, known: Vec<String> },
    #[error("the package `{0}` has no binary to run: it needs a src/main.rs")]
    NoBinary(String),
    #[error(
        "the package `{package}` has several binaries ({}); name one in its Cargo.toml: default-run = \"…\"",
        binaries.join(", ")
    )]
    ManyBinaries { package: String, binaries: Vec<String> },
}

/// The executable to call for cargo; cargo itself says so to what it runs.
pub(super) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.kill_on_drop(true);
    cargo
}

/// Asks cargo for the binary of a package in the workspace around `folder`: the one of this name, or the one that
/// `folder` belongs to.
pub(super) async fn find_binary(package: Option<&str>, folder: &Path) -> Result<Binary, WorkspaceError> {
    let output = cargo()
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(folder)
        .output()
        .await
        .map_err(WorkspaceError::NoCargo)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        let nothing_here = said.contains("could not find `Cargo.toml`");
        return Err(match nothing_here {
            true => WorkspaceError::NoWorkspace(folder.to_owned()),
            false => WorkspaceError::Unreadable(said),
        });
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    metadata.binary(match package {
        Some(name) => metadata.named(name)?,
        None => metadata.around(folder)?,
    })
}

/// The part of `cargo metadata` that we read.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    default_run: Option<String>,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    kind: Option<String>,
    path: Option<PathBuf>,
}

impl Metadata {
    fn named(&self, name: &str) -> Result<&Package, WorkspaceError> {
        let unknown = || WorkspaceError::UnknownPackage { package: name.to_owned(), known: self.runnable() };
        self.packages.iter().find(|package| package.name == name).ok_or_else(unknown)
    }

    /// The innermost one, as cargo would choose; or the only one that can be run.
    fn around(&self, folder: &Path) -> Result<&Package, WorkspaceError> {
        let around = self.packages.iter().filter(|package| folder.starts_with(package.folder()));
        if let Some(package) = around.max_by_key(|package| package.folder().components().count()) {
            return Ok(package);
        }
        match &*self.runnable() {
            [only] => self.named(only),
            known => Err(WorkspaceError::NotInPackage { folder: folder.to_owned(), known: known.to_vec() }),
        }
    }

    fn binary(&self, package: &Package) -> Result<Binary, WorkspaceError> {
        Ok(Binary {
            package: package.name.clone(),
            name: package.binary()?,
            folders: self.folders(package),
            workspace_root: self.workspace_root.clone(),
            target_directory: self.target_directory.clone(),
        })
    }

    fn runnable(&self) -> Vec<String> {
        let with_binary = self.packages.iter().filter(|package| !package.binaries().is_empty());
        with_binary.map(|package| package.name.clone()).collect()
    }

    /// Path dependencies count as well: their change changes the package. Tests' dependencies do not.
    fn folders(&self, package: &Package) -> Vec<PathBuf> {
        let mut folders = BTreeSet::new();
        let mut open = vec![package.folder().to_owned()];
        while let Some(folder) = open.pop() {
            let dependencies = self
                .packages
                .iter()
                .filter(|package| package.folder() == folder)
                .flat_map(|package| &package.dependencies)
                .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
                .filter_map(|dependency| dependency.path.clone());
            if folders.insert(folder.clone()) {
                open.extend(dependencies);
            }
        }
        folders.into_iter().collect()
    }
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    fn binaries(&self) -> Vec<String> {
        let is_binary = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
        self.targets.iter().filter(is_binary).map(|target| target.name.clone()).collect()
    }

    fn binary(&self) -> Result<String, WorkspaceError> {
        let mut binaries = self.binaries();
        if let Some(chosen) = &self.default_run {
            return Ok(chosen.clone());
        }
        match binaries.len() {
            0 => Err(WorkspaceError::NoBinary(self.name.clone())),
            1 => Ok(binaries.remove(0)),
            _ if binaries.contains(&self.name) => Ok(self.name.clone()),
            _ => Err(WorkspaceError::ManyBinaries { package: self.name.clone(), binaries }),
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace as cargo describes it: `cart` needs `sdk` by path, `sdk` needs `proto`, tests of `cart` need `kit`.
    fn metadata() -> Metadata {
        serde_json::from_str(
            r#"{
              "workspace_root": "/w", "target_directory": "/w/target", "version": 1,
              "packages": [
                {"name": "cart", "manifest_path": "/w/cart/Cargo.toml", "default_run": null,
                 "targets": [{"name": "cart", "kind": ["lib"]}, {"name": "cart", "kind": ["bin"]}],
                 "dependencies": [{"kind": null, "path": "/w/sdk"}, {"kind": "dev", "path": "/w/kit"},
                                  {"kind": null, "path": null}, {"kind": "build", "path": "/elsewhere/gen"}]},
                {"name": "sdk", "manifest_path": "/w/sdk/Cargo.toml", "default_run": null,
                 "targets": [{"name": "sdk", "kind": ["lib"]}],
                 "dependencies": [{"kind": null, "path": "/w/proto"}]},
                {"name": "two", "manifest_path": "/w/two/Cargo.toml", "default_run": null,
                 "targets": [{"name": "a", "kind": ["bin"]}, {"name": "b", "kind": ["bin"]}], "dependencies": []},
                {"name": "chosen", "manifest_path": "/w/chosen/Cargo.toml", "default_run": "b",
                 "targets": [{"name": "a", "kind": ["bin"]}, {"name": "b", "kind": ["bin"]}], "dependencies": []}
              ]
            }"#,
        )
        .unwrap()
    }

    fn binary(name: &str) -> Result<Binary, WorkspaceError> {
        let metadata = metadata();
        metadata.binary(metadata.named(name)?)
    }

    #[test]
    fn a_package_is_found_with_its_path_dependencies() {
        let binary = binary("cart").unwrap();
        assert_eq!(binary.name, "cart");
        assert_eq!(
            binary.folders,
            ["/elsewhere/gen", "/w/cart", "/w/proto", "/w/sdk"].map(PathBuf::from),
            "the folder of a test's dependency is not watched"
        );
    }

    #[test]
    fn the_default_binary_is_the_one_cargo_would_run() {
        assert_eq!(binary("chosen").unwrap().name, "b");
    }

    #[test]
    fn what_cannot_be_run_is_explained() {
        let refused = |package| binary(package).unwrap_err().to_string();
        assert_eq!(
            refused("crat"),
            "there is no package `crat` here; packages with a binary: cart, two, chosen"
        );
        assert_eq!(refused("sdk"), "the package `sdk` has no binary to run: it needs a src/main.rs");
        assert_eq!(
            refused("two"),
            "the package `two` has several binaries (a, b); name one in its Cargo.toml: default-run = \"…\""
        );
    }

    #[test]
    fn without_a_name_it_is_the_package_around_the_folder() {
        let metadata = metadata();
        let around = |folder: &str| metadata.around(Path::new(folder)).map(|package| &*package.name);
        assert_eq!(around("/w/cart").unwrap(), "cart");
        assert_eq!(around("/w/cart/src/bin").unwrap(), "cart");
        assert_eq!(around("/w/sdk").unwrap(), "sdk", "that it cannot be run is said later");
        assert_eq!(
            around("/w").unwrap_err().to_string(),
            "/w is in no package: say which one to develop; packages with a binary: cart, two, chosen"
        );
    }

    #[test]
    fn at_the_root_of_a_workspace_it_is_the_only_package_that_can_be_run() {
        let mut metadata = metadata();
        metadata.packages.truncate(2);
        assert_eq!(metadata.around(Path::new("/w")).unwrap().name, "cart");
    }

    #[tokio::test]
    async fn a_folder_outside_of_every_workspace_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let refused = find_binary(Some("cart"), folder.path()).await.unwrap_err().to_string();
        assert!(refused.starts_with("there is no Cargo.toml in "), "{refused}");
        assert!(refused.ends_with("start any other command with `cloudstate dev -- <command>`"), "{refused}");
    }

    #[tokio::test]
    async fn a_broken_manifest_is_shown_in_cargos_words() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "[package]\nname = 7\n").unwrap();
        let refused = find_binary(Some("cart"), folder.path()).await.unwrap_err().to_string();
        assert!(refused.starts_with("cargo cannot read the workspace:\n"), "{refused}");
        assert!(refused.contains("name = 7"), "{refused}");
    }
}
