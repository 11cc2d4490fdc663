//! A proxy and a user function as processes of their own, in a folder of their own.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::net::TcpSocket;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Site {
    folder: TempDir,
    pub(crate) port: u16,
    function_port: u16,
    /// The ports stay ours while the processes that listen there are away.
    _held: [Option<TcpSocket>; 2],
    proxy: Option<Process>,
    function: Option<Process>,
}

/// How a process is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Signal {
    Kill,
    Terminate,
}

impl Site {
    /// Ready for clients.
    pub(crate) async fn start() -> Self {
        let (function_port, held) = held_port();
        let mut site = Self::new(function_port, held);
        site.start_function();
        site.start_proxy();
        site.serving().await;
        site
    }

    /// A proxy alone, ready for clients of the user function at `function_port`.
    pub(crate) async fn start_before(function_port: u16) -> Self {
        let mut site = Self::new(function_port, None);
        site.start_proxy();
        site.serving().await;
        site
    }

    fn new(function_port: u16, held: Option<TcpSocket>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, own) = held_port();
        Self { folder, port, function_port, _held: [own, held], proxy: None, function: None }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    pub(crate) fn start_proxy(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crash-proxy"));
        command
            .arg("proxy")
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--management", "off"])
            .args(["--user-function", &format!("127.0.0.1:{}", self.function_port)])
            .args(["--store", &format!("sqlite:{}", self.store().display())])
            // A user function that comes back is found at once.
            .args(["--backoff-min", "5ms", "--backoff-max", "50ms"])
            // The patience of the tests ends first.
            .args(["--relay-timeout", "10m"]);
        self.proxy = Some(self.spawn("proxy", &mut command));
    }

    pub(crate) fn start_function(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crash-function"));
        command.env("PORT", self.function_port.to_string());
        self.function = Some(self.spawn("function", &mut command));
    }

    fn spawn(&self, name: &str, command: &mut Command) -> Process {
        let log = self.folder.path().join(name).with_extension("log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let child = command.current_dir(self.folder.path()).stdin(Stdio::null()).stderr(log).spawn();
        Process(child.unwrap())
    }

    pub(crate) fn proxy_id(&self) -> u32 {
        self.proxy.as_ref().expect("a proxy runs").0.id()
    }

    /// SIGKILL.
    pub(crate) fn kill_proxy(&mut self) {
        self.proxy.take().expect("a proxy runs").kill();
    }

    pub(crate) async fn end_function(&mut self, by: Signal) {
        let mut function = self.function.take().expect("a user function runs");
        match by {
            Signal::Kill => function.kill(),
            Signal::Terminate => function.terminate().await,
        }
    }

    /// Waits until clients are served.
    pub(crate) async fn serving(&mut self) {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.proxy.as_mut().expect("a proxy runs").0.try_wait().unwrap();
            assert!(ended.is_none(), "the proxy ended by itself: {}", self.log("proxy"));
            assert!(Instant::now() < end, "the proxy does not serve: {}", self.log("proxy"));
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// The end of what a process said.
    pub(crate) fn log(&self, of: &str) -> String {
        let log = std::fs::read(self.folder.path().join(of).with_extension("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4_000)..]).into_owned()
    }
}

/// A child that does not outlive its test.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    async fn terminate(&mut self) {
        let sent = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success(), "the process is there to be told to end");
        let end = Instant::now() + PATIENCE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "the process did not end");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port for a process of ours alone. The socket is bound and does not listen: so the system gives the port to nobody
/// who asks for any, nor to a client as its own end, and a server, whose socket may use addresses again, can listen
/// there. On Linux, that is; other systems would refuse the server, and get a port that is free by now.
fn held_port() -> (u16, Option<TcpSocket>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = socket.local_addr().unwrap().port();
    (port, cfg!(target_os = "linux").then_some(socket))
}
