//! A user function and our proxy as processes of their own.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{client::Client, library::Library};

/// Nothing takes this long, not even the start of a virtual machine while others are at work.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct Site {
    library: &'static Library,
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    pub(crate) management_port: u16,
    pub(crate) function_port: u16,
    proxy: Option<Process>,
    function: Option<Process>,
}

impl Site {
    /// Ready for clients.
    pub(crate) async fn start(library: &'static Library) -> Self {
        let mut site = Self::new(library);
        site.start_function();
        site.start_proxy();
        site.ready().await;
        site
    }

    /// Nothing runs yet.
    pub(crate) fn new(library: &'static Library) -> Self {
        Self {
            library,
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            management_port: free_port(),
            function_port: free_port(),
            proxy: None,
            function: None,
        }
    }

    pub(crate) fn start_function(&mut self) {
        let mut command = Command::new(self.library.start[0]);
        command
            .args(&self.library.start[1..])
            .current_dir(self.library.folder())
            .envs(self.library.environment.iter().copied())
            .env("PORT", self.function_port.to_string());
        self.function = Some(self.spawn("function.log", &mut command));
    }

    pub(crate) fn start_proxy(&mut self) {
        let mut command = self.cloudstate("proxy");
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--management", &format!("127.0.0.1:{}", self.management_port)])
            .args(["--user-function", &format!("127.0.0.1:{}", self.function_port)])
            .args(["--store", &format!("sqlite:{}", self.store().display())])
            .args(["--passivation-timeout", "1s"]);
        self.run_proxy(&mut command);
    }

    pub(crate) fn run_proxy(&mut self, command: &mut Command) {
        self.proxy = Some(self.spawn("proxy.log", command));
    }

    /// `cloudstate`, of this build.
    pub(crate) fn cloudstate(&self, what: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(what).current_dir(self.folder.path());
        command
    }

    fn spawn(&self, log: &str, command: &mut Command) -> Process {
        let log = File::options().create(true).append(true).open(self.folder.path().join(log)).unwrap();
        let command = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        // A group of its own: who is killed, is with all its children.
        Process(command.process_group(0).spawn().unwrap())
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    pub(crate) fn proxy_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("proxy.log")).unwrap()
    }

    /// Waits until clients are served.
    pub(crate) async fn ready(&self) {
        let management = Client::new(self.management_port);
        eventually("the proxy is ready", async || {
            matches!(management.send(http::Method::GET, "/ready", "").await, Some((200, _)))
        })
        .await;
    }

    /// Waits until no entity is in memory.
    pub(crate) async fn all_passivated(&self) {
        let management = Client::new(self.management_port);
        eventually("all entities are passivated", async || {
            let (_, metrics) = management.send(http::Method::GET, "/metrics", "").await.unwrap();
            let sum = |name: &str| -> u64 {
                let lines = metrics.lines().filter(|line| !line.starts_with('#') && line.contains(name));
                lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
            };
            let activated = sum("_activated_entities_total");
            activated > 0 && activated == sum("_passivated_entities_total")
        })
        .await;
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub(crate) fn kill_proxy(&mut self) {
        self.proxy = None;
    }

    /// Sends a signal to the user function and waits for its end.
    pub(crate) async fn end_function(&mut self, signal: Signal) {
        self.function.take().unwrap().end(signal).await;
    }

    /// Sends a signal to the proxy and waits for its end.
    pub(crate) async fn end_proxy(&mut self, signal: Signal) {
        self.proxy.take().unwrap().end(signal).await;
    }
}

/// A child, and its children, that do not outlive their check.
struct Process(Child);

impl Process {
    async fn end(mut self, signal: Signal) {
        self.signal(signal);
        let end = Instant::now() + PATIENCE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "a process did not end by {signal}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// Polls until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn is_listened_on(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
