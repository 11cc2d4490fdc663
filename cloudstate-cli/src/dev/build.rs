//! From the sources of a package to its executable.

use std::{io, path::PathBuf, process::Stdio};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::workspace::{self, Binary};

/// Why there is no new executable.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    /// The compiler has said why, on the terminal.
    #[error("the build failed")]
    Failed,
    #[error("cannot run cargo")]
    Cargo(#[from] io::Error),
    #[error("cargo built no executable")]
    NoExecutable,
}

/// Builds `binary`; cargo's progress and the compiler's messages go to the terminal as ever. Dropped, it stops cargo.
pub(super) async fn build(binary: &Binary) -> Result<PathBuf, BuildError> {
    run(cargo_build(binary), &binary.name).await
}

fn cargo_build(binary: &Binary) -> Command {
    let mut cargo = workspace::cargo();
    cargo
        .args(["build", "--package", &binary.package, "--bin", &binary.name])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(&binary.workspace_root);
    cargo
}

async fn run(mut cargo: Command, binary: &str) -> Result<PathBuf, BuildError> {
    let mut cargo = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut executable = None;
    if let Some(stdout) = cargo.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            executable = executable_in(&line, binary).or(executable);
        }
    }
    match cargo.wait().await?.success() {
        true => executable.ok_or(BuildError::NoExecutable),
        false => Err(BuildError::Failed),
    }
}

/// The part of cargo's messages that we read; those of another shape are of no interest.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

fn executable_in(message: &str, binary: &str) -> Option<PathBuf> {
    let artifact: Artifact = serde_json::from_str(message).ok()?;
    let is_wanted = artifact.target.name == binary && artifact.target.kind.iter().any(|kind| kind == "bin");
    artifact.executable.filter(|_| is_wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_executable_is_that_of_the_binary() {
        let artifact = |name, kind, executable| {
            format!(
                r#"{{"reason": "compiler-artifact", "target": {{"name": "{name}", "kind": ["{kind}"]}}, "executable": {executable}}}"#
            )
        };
        let cases = [
            (artifact("cart", "bin", r#""/t/cart""#), Some("/t/cart")),
            (artifact("cart", "lib", "null"), None),
            (artifact("other", "bin", r#""/t/other""#), None),
            (r#"{"reason": "build-finished", "success": true}"#.to_owned(), None),
            ("not JSON".to_owned(), None),
        ];
        for (message, expected) in cases {
            assert_eq!(executable_in(&message, "cart"), expected.map(PathBuf::from), "{message}");
        }
    }

    #[tokio::test]
    async fn outcomes_of_a_build() {
        let artifact = r#"echo '{"target": {"name": "cart", "kind": ["bin"]}, "executable": "/t/cart"}'"#;
        assert_eq!(run(says(artifact), "cart").await.unwrap(), PathBuf::from("/t/cart"));
        assert!(matches!(run(says("true"), "cart").await, Err(BuildError::NoExecutable)));
        let failed = run(says(&format!("{artifact}; exit 101")), "cart").await.unwrap_err();
        assert_eq!(failed.to_string(), "the build failed");
        let missing = run(Command::new("no-such-program-here"), "cart").await.unwrap_err();
        assert_eq!(missing.to_string(), "cannot run cargo");
    }
}
