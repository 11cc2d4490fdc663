//! `cloudstate dev` on real packages and commands, as far as it needs no user function that speaks the protocol.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::NamedTempFile;

/// Long enough to compile a small package on a busy machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// A running `cloudstate dev` and what it says on stderr.
struct Dev {
    process: Child,
    said: Receiver<String>,
    lines: Vec<String>,
}

impl Dev {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut process = cloudstate(folder)
            .args(["dev", "--listen", "127.0.0.1:0", "--management", "off", "--store", "memory"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (sender, said) = channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, said, lines: Vec::new() }
    }

    /// Waits for a line that contains `text`. Those of other processes may come before or after ours: the lines passed
    /// over are kept.
    #[track_caller]
    fn says(&mut self, text: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = self.lines.iter().position(|line| line.contains(text)) {
                return self.lines.remove(found);
            }
            match self.said.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.lines.push(line),
                Err(_) => panic!("it did not say {text:?} but:\n{}", self.lines.join("\n")),
            }
        }
    }

    fn press_ctrl_c(&self) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    fn interrupt(&mut self) -> ExitStatus {
        self.press_ctrl_c();
        self.process.wait().unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Without the settings of whoever runs the tests.
fn cloudstate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudstate"));
    command.current_dir(folder).env_remove("RUST_LOG").env_remove("CARGO_TARGET_DIR");
    command
}

fn refusal(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = cloudstate(folder).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// All at once, as editors save: a file that is empty for a moment would be built, too.
fn save(file: &Path, text: &str) {
    let mut beside = NamedTempFile::new_in(file.parent().unwrap()).unwrap();
    beside.write_all(text.as_bytes()).unwrap();
    beside.persist(file).unwrap();
}

/// `… runs as process 7, on port 8` → 8
fn port(line: &str) -> &str {
    line.rsplit_once("port ").unwrap().1
}

#[test]
fn a_changed_file_restarts_a_command_on_the_same_port() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("serve.sh");
    save(&script, "echo \"first on $HOST:$PORT\" >&2; sleep 1000");
    let mut dev = Dev::start(folder.path(), &["--", "sh", "serve.sh"]);
    let first = dev.says("sh runs as process ");
    dev.says(&format!("first on 127.0.0.1:{}", port(&first)));

    save(&script, "echo \"second on $HOST:$PORT\" >&2; exit 3");
    dev.says("serve.sh changed");
    dev.says(&format!("second on 127.0.0.1:{}", port(&first)));
    dev.says("sh ended with exit status 3; save a file to start it again");
    assert_eq!(dev.interrupt().code(), Some(0));
}

/// It is the management port of a proxy, since a shell cannot listen. Hidden files are not watched.
#[test]
fn a_command_that_takes_its_time_is_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("serve.sh");
    save(&script, "exit");
    let mut dev = Dev::start(folder.path(), &["--", "sh", "serve.sh"]);
    dev.says("sh ended with exit status 0");

    let proxy = env!("CARGO_BIN_EXE_cloudstate");
    let listen = format!("exec {proxy} proxy --store memory --listen 127.0.0.1:0 --management $HOST:$PORT");
    save(&script, &format!("while [ ! -e .go ]; do sleep 0.1; done; {listen}"));
    dev.says("sh has not opened port");
    save(&folder.path().join(".go"), "");
    dev.says("sh is back");
    assert_eq!(dev.interrupt().code(), Some(0));
}

/// Only the one that ends at once is no graceful stop: the exit code tells them apart.
#[test]
fn a_second_ctrl_c_does_not_wait_for_the_user_function() {
    let folder = tempfile::tempdir().unwrap();
    let stubborn = "trap '' TERM; echo ready >&2; while true; do sleep 1; done";
    let mut dev = Dev::start(folder.path(), &["--", "sh", "-c", stubborn]);
    dev.says("ready");
    dev.says("runs as process");
    dev.press_ctrl_c();
    dev.says("stopping; Ctrl-C again stops at once");
    assert_eq!(dev.interrupt().code(), Some(1));
}

#[test]
fn a_failed_build_is_shown_once_and_waits_for_the_next_save() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| save(&folder.path().join(path), text);
    write("Cargo.toml", "[package]\nname = \"cart\"\nedition = \"2024\"\n");
    fs::create_dir(folder.path().join("src")).unwrap();
    write("src/main.rs", "fn main() { this is not Rust }");

    let mut dev = Dev::start(folder.path(), &[]);
    dev.says("error: expected one of");
    dev.says("cloudstate: the build failed; waiting for the next save");

    let waits = "fn main() { std::thread::park() }";
    write("src/main.rs", waits);
    dev.says("cloudstate: src/main.rs changed");
    dev.says("cloudstate: cart runs as process ");

    write("src/main.rs", "fn main() { nor is this }");
    dev.says("cloudstate: the build failed; cart keeps running as it was, waiting for the next save");
    assert_eq!(dev.interrupt().code(), Some(0));
    assert!(
        dev.lines
            .iter()
            .chain(&dev.said.iter().collect::<Vec<_>>())
            .all(|line| !line.contains("the build failed")),
        "a failed build was shown more than once"
    );
}

#[test]
fn what_cannot_be_developed_is_explained_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let base = ["dev", "--listen", "127.0.0.1:0", "--management", "off", "--store", "memory"];
    let cases: [(&[&str], i32, &str); 5] = [
        (&[], 1, "error: there is no Cargo.toml in "),
        (&["cart"], 1, "error: there is no Cargo.toml in "),
        (&["--", "no-such-command"], 1, "error: cannot run no-such-command: No such file or directory"),
        (&["--watch", "nowhere", "--", "sh"], 1, "error: cannot watch nowhere: No such file or directory"),
        (&["--user-function", "a:1", "--", "sh"], 2, "error: --user-function: dev starts"),
    ];
    for (arguments, code, expected) in cases {
        let (exit, stderr) = refusal(folder.path(), &[&base[..], arguments].concat());
        assert_eq!(exit, Some(code), "{stderr}");
        assert!(stderr.starts_with(expected) && stderr.lines().count() == 1, "{stderr}");
    }
}

/// What the program writes to the same terminal cannot come between.
#[test]
fn a_line_is_one_write() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let status = cloudstate(folder.path()).arg("dev").stderr(OwnedFd::from(theirs)).status().unwrap();
    assert_eq!(status.code(), Some(1));
    let mut written = [0; 1000];
    let length = ours.recv(&mut written).unwrap();
    let line = str::from_utf8(&written[..length]).unwrap();
    assert!(line.starts_with("error: there is no Cargo.toml in ") && line.ends_with('\n'), "{line:?}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["proxy", "--listen", "nowhere"][..], "error: --listen: \"nowhere\" is not an address"),
        (&["proxy", "--no-such-flag"], "error: unexpected argument '--no-such-flag'"),
        (&["dev", "cart", "--", "sh"], "error: the argument '[PACKAGE]' cannot be used with '[COMMAND]...'"),
    ] {
        let (exit, stderr) = refusal(folder.path(), arguments);
        assert_eq!(exit, Some(2), "{stderr}");
        assert!(stderr.starts_with(expected), "{stderr}");
    }
}
