//! `cloudstate dev`: build, serve, edit, break, mend, kill.

use std::{
    fs::{self, File},
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::{NamedTempFile, TempDir};
use tokio::net::TcpSocket;

use crate::{
    client::Http,
    site::{Process, held_port, holds_within},
};

/// A slow machine builds the SDK and all that it depends on in this time.
const BUILT_WITHIN: Duration = Duration::from_secs(30 * 60);

/// A cargo workspace of its own with a copy of the shopping cart, so that its files can be edited.
struct Workshop {
    folder: TempDir,
    port: u16,
    /// The port stays ours while nothing listens there.
    _held: Option<TcpSocket>,
    dev: Option<Process>,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        copy(&repository.join("examples/shopping-cart"), &folder.path().join("shopping-cart"));
        fs::copy(repository.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
        let manifest = fs::read_to_string(repository.join("Cargo.toml")).unwrap();
        fs::write(folder.path().join("Cargo.toml"), relocated(&manifest, &repository)).unwrap();
        let (port, held) = held_port();
        Self { folder, port, _held: held, dev: None }
    }

    fn start(&mut self, arguments: &[&str]) {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_e2e-cloudstate"))
            .arg("dev")
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--management", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(self.folder.path())
            // Kept from run to run, so that only what was edited is built.
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.dev = Some(Process::new(child.unwrap()));
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("dev.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn http(&self) -> Http {
        Http::new(self.port)
    }

    /// All at once, as editors save: a file that is empty for a moment would be built, too.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.folder.path().join("shopping-cart").join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{} has {from:?}", file.display());
        let mut beside = NamedTempFile::new_in(file.parent().unwrap()).unwrap();
        beside.write_all(text.replace(from, to).as_bytes()).unwrap();
        beside.persist(file).unwrap();
    }

    async fn eventually<F: Future<Output = bool>>(&self, what: &'static str, condition: impl Fn() -> F) {
        let holds = holds_within(BUILT_WITHIN, condition).await;
        assert!(holds, "{what}: not within {BUILT_WITHIN:?}; the log:\n{}", self.log());
    }

    /// What is told may come a little after what it tells of.
    async fn tells(&self, text: &'static str) {
        self.eventually(text, || async { self.log().contains(text) }).await;
    }

    async fn serves(&self, path: &str) -> bool {
        matches!(self.http().try_get(path).await, Some(response) if response.status == 200)
    }

    /// The process group of the user function, as the log tells it.
    fn user_function(&self) -> u32 {
        let log = self.log();
        let line = log.lines().rev().find(|line| line.contains("runs as process")).unwrap();
        let words: Vec<_> = line.split([' ', ',']).collect();
        let at = words.iter().position(|word| *word == "process").unwrap();
        words[at + 1].parse().unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// The workspace manifest for the copy alone, with our crates where they are.
fn relocated(manifest: &str, repository: &Path) -> String {
    let start = manifest.find("members = [").unwrap();
    let end = start + manifest[start..].find(']').unwrap() + 1;
    let manifest = format!("{}members = [\"shopping-cart\"]{}", &manifest[..start], &manifest[end..]);
    manifest.replace("path = \"", &format!("path = \"{}/", repository.display()))
}

/// A process that has ended but was not waited for yet, which is up to process 1, does not run.
fn is_running(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_zombie = status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
    !is_zombie && kill(Pid::from_raw(pid.try_into().unwrap()), None).is_ok()
}

#[tokio::test]
async fn a_session() {
    let mut workshop = Workshop::new();
    workshop.start(&["shopping-cart"]);
    workshop.eventually("the cart is served", || workshop.serves("/carts/u1")).await;
    workshop.tells("POST /cart/{user_id}/items/add").await;
    workshop.tells("-H 'content-type: application/json' -d '{\"productId\"").await;
    let http = workshop.http();
    assert_eq!(http.add("u1", "p1", 2).await.status, 200);

    // An edit restarts it.
    workshop.edit("src/lib.rs", "no such item in the cart", "that is not in the cart");
    let edited = || async {
        let removed = http.try_post("/cart/u1/items/p9/remove", "").await;
        removed.is_some_and(|response| response.body == "that is not in the cart")
    };
    workshop.eventually("the edited cart is served", edited).await;
    assert_eq!(http.cart("u1").await, [("p1".to_owned(), 2)], "with what was stored before");

    // A changed contract brings its route.
    workshop.edit(
        "proto/shoppingcart/shoppingcart.proto",
        "get: \"/carts/{user_id}\"",
        "get: \"/basket/{user_id}\"",
    );
    workshop.eventually("the new route is served", || workshop.serves("/basket/u1")).await;
    assert_eq!(http.get("/carts/u1").await.status, 404);
    workshop.tells("GET /basket/{user_id}").await;

    // A broken build is told once; what ran goes on.
    workshop.edit("src/lib.rs", "impl Snapshot for Cart", "impl Snapshop for Cart");
    workshop.tells("waiting for the next save").await;
    assert!(workshop.log().contains("Snapshop"), "with the compiler's own words");
    assert!(workshop.serves("/basket/u1").await);
    workshop.edit("src/lib.rs", "impl Snapshop for Cart", "impl Snapshot for Cart");
    let mended = || async {
        let log = workshop.log();
        log.rsplit_once("waiting for the next save").unwrap().1.contains("is back")
    };
    workshop.eventually("the mended cart is served", mended).await;
    assert_eq!(workshop.log().matches("waiting for the next save").count(), 1, "{}", workshop.log());

    // SIGKILL leaves no orphan and loses nothing.
    let user_function = workshop.user_function();
    assert!(is_running(user_function));
    drop(workshop.dev.take());
    workshop.eventually("the user function ends, too", || async { !is_running(user_function) }).await;
    workshop.start(&["shopping-cart"]);
    workshop.eventually("the cart is served again", || workshop.serves("/basket/u1")).await;
    let cart = workshop.http().get("/basket/u1").await.body;
    assert!(cart.contains(r#""productId":"p1""#), "{cart}");

    // Ctrl-C ends everything quietly.
    let user_function = workshop.user_function();
    let mut dev = workshop.dev.take().unwrap();
    dev.signal(Signal::SIGINT);
    assert_eq!(dev.ended().await.code(), Some(0), "{}", workshop.log());
    assert!(!is_running(user_function), "no orphan");
    assert!(!workshop.log().contains("panicked"), "{}", workshop.log());

    // --fresh forgets.
    workshop.start(&["--fresh", "shopping-cart"]);
    workshop.eventually("an empty cart is served", || workshop.serves("/basket/u1")).await;
    assert_eq!(workshop.http().get("/basket/u1").await.body, r#"{"items":[]}"#);
}

#[tokio::test]
async fn any_command_is_served_and_restarted() {
    let mut workshop = Workshop::new();
    let watched = workshop.folder.path().join("watched");
    fs::create_dir(&watched).unwrap();
    let cart = env!("CARGO_BIN_EXE_e2e-shopping-cart");
    workshop.start(&["--watch", "watched", "--store", "memory", "--", cart]);
    workshop.eventually("the cart is served", || workshop.serves("/carts/u1")).await;
    let first = workshop.user_function();
    fs::write(watched.join("settings.txt"), "new").unwrap();
    workshop.eventually("it was restarted", || async { workshop.user_function() != first }).await;
    workshop.eventually("the cart is served", || workshop.serves("/carts/u1")).await;
    assert!(!is_running(first));
}

#[tokio::test]
async fn mistakes_on_the_command_line_are_one_clear_line() {
    let mut workshop = Workshop::new();
    for (arguments, words) in [
        (&["no-such-package"][..], &["no-such-package", "shopping-cart"][..]),
        (&["--", "no-such-command"], &["no-such-command"]),
        (&["--", env!("CARGO_BIN_EXE_e2e-shopping-cart")], &["--listen"]),
    ] {
        let _taken =
            (words == ["--listen"]).then(|| TcpListener::bind(("127.0.0.1", workshop.port)).unwrap());
        fs::write(workshop.log_file(), "").unwrap();
        workshop.start(arguments);
        let status = workshop.dev.as_mut().unwrap().ended().await;
        assert!(!status.success(), "{arguments:?}");
        let log = workshop.log();
        for word in words {
            assert!(log.contains(word), "{arguments:?} should mention {word}: {log}");
        }
        assert!(log.trim().lines().count() <= 3, "{arguments:?}: {log}");
    }
}
