//! The libraries that are tried: how a user function with each is built and started, and what it lacks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use protox::Compiler;

/// What a check needs of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    EventSourced,
    Snapshots,
    SideEffects,
    Crdts,
    Stateless,
}

pub(crate) struct Library {
    /// Also its folder.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What does not work with it, whatever the proxy, and why.
    pub(crate) lacks: &'static [(Feature, &'static str)],
    /// Commands that build the user function, run in its folder one after the other.
    build: &'static [&'static str],
    /// The command that starts it.
    pub(crate) start: &'static [&'static str],
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// What a refused command is told.
    pub(crate) refusal: &'static str,
}

const NOT_THERE: &str = "the library has none";

pub(crate) const LIBRARIES: [Library; 3] = [
    Library {
        name: "java",
        title: "java: io.cloudstate:cloudstate-java-support 0.5.2",
        lacks: &[
            (Feature::SideEffects, "the library forgets them before it replies"),
            (Feature::Stateless, NOT_THERE),
        ],
        build: &["mvn -q -B package"],
        start: &["java", "-cp", "target/shop-1.jar:target/lib/*", "shop.Main"],
        environment: &[],
        refusal: "Cannot add a negative quantity of tea",
    },
    Library {
        name: "node",
        title: "node: cloudstate 0.0.3",
        lacks: &[],
        // The library's own install script fetches a protobuf compiler; only the texts beside it are needed.
        build: &["npm install --ignore-scripts --no-audit --no-fund", "npm run include"],
        start: &["node", "index.js"],
        environment: &[],
        refusal: "Cannot add a negative quantity of tea",
    },
    Library {
        name: "python",
        title: "python: cloudstate 0.1.1",
        lacks: &[
            (Feature::Snapshots, "the library cannot read back the snapshots it makes"),
            (Feature::Crdts, NOT_THERE),
            (Feature::Stateless, NOT_THERE),
        ],
        build: &[
            "python3 -m venv .venv",
            ".venv/bin/pip install -q --disable-pip-version-check --no-deps -r requirements.txt",
            ".venv/bin/python compile.py",
        ],
        start: &[".venv/bin/python", "shop.py"],
        environment: &[("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")],
        refusal: "['Cannot add a negative quantity of tea']",
    },
];

impl Library {
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.name)
    }

    /// # Errors
    ///
    /// What the command that failed wrote.
    pub(crate) fn build(&self) -> Result<(), String> {
        fs::write(self.folder().join("user-function.desc"), descriptor_set())
            .map_err(|error| error.to_string())?;
        for command in self.build {
            let output = Command::new("sh").args(["-c", command]).current_dir(self.folder()).output();
            let output = output.map_err(|error| format!("{command}: {error}"))?;
            if !output.status.success() {
                let written = [output.stdout, output.stderr].concat();
                return Err(format!("{command}\n{}", String::from_utf8_lossy(&written)));
            }
        }
        Ok(())
    }
}

/// `shop.proto` with all imports, as `protoc --include_imports` writes it; the Node library reads it from a file.
fn descriptor_set() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["proto", "options", "../../proto/frontend"].map(|name| folder.join(name));
    let mut compiler = Compiler::new(folders).unwrap();
    compiler.include_imports(true).open_file("shop.proto").unwrap();
    compiler.encode_file_descriptor_set()
}
