//! A proxy and a user function as processes of their own, in a folder of their own.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::client;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Site {
    pub(crate) folder: TempDir,
    store: PathBuf,
    pub(crate) port: u16,
    pub(crate) management_port: u16,
    user_function_port: u16,
    /// The ports stay ours while the processes that listen there are away.
    _held: [Option<TcpSocket>; 3],
    program: &'static str,
    proxy_flags: Vec<String>,
    proxy: Option<Process>,
    user_function: Option<Process>,
}

/// A child that does not outlive its test.
pub(crate) struct Process(Child);

impl Site {
    /// A shopping cart behind a proxy, ready for clients.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(proxy_flags: &[&str]) -> Self {
        Self::start_function(env!("CARGO_BIN_EXE_e2e-shopping-cart"), proxy_flags).await
    }

    /// The same for the user function that `program` is.
    pub(crate) async fn start_function(program: &'static str, proxy_flags: &[&str]) -> Self {
        let mut site = Self { program, ..Self::new(proxy_flags) };
        site.start_user_function();
        site.start_proxy();
        site.ready().await;
        site
    }

    /// Nothing runs yet.
    pub(crate) fn new(proxy_flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [(port, first), (management_port, second), (user_function_port, third)] =
            [(); 3].map(|()| held_port());
        Self {
            store: folder.path().join("store.db"),
            folder,
            port,
            management_port,
            user_function_port,
            _held: [first, second, third],
            program: env!("CARGO_BIN_EXE_e2e-shopping-cart"),
            proxy_flags: proxy_flags.iter().map(|flag| (*flag).to_owned()).collect(),
            proxy: None,
            user_function: None,
        }
    }

    pub(crate) fn start_proxy(&mut self) {
        let mut command = self.proxy_command();
        self.proxy = Some(self.spawn("proxy.log", &mut command));
    }

    pub(crate) fn start_user_function(&mut self) {
        let mut command = Command::new(self.program);
        command.env("PORT", self.user_function_port.to_string());
        self.user_function = Some(self.spawn("user_function.log", &mut command));
    }

    pub(crate) fn proxy_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_e2e-cloudstate"));
        command
            .arg("proxy")
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--management", &format!("127.0.0.1:{}", self.management_port)])
            .args(["--user-function", &format!("127.0.0.1:{}", self.user_function_port)])
            .args(["--store", &format!("sqlite:{}", self.store().display())])
            .args(&self.proxy_flags)
            .env("RUST_LOG", "info");
        command
    }

    fn spawn(&self, log: &str, command: &mut Command) -> Process {
        let log = File::options().create(true).append(true).open(self.folder.path().join(log)).unwrap();
        let child = command.current_dir(self.folder.path()).stdin(Stdio::null()).stderr(log).spawn();
        Process(child.unwrap())
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.store.clone()
    }

    pub(crate) fn with_store(self, store: PathBuf) -> Self {
        Self { store, ..self }
    }

    pub(crate) fn log(&self, of: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{of}.log"))).unwrap_or_default()
    }

    /// Waits until clients are served.
    pub(crate) async fn ready(&self) {
        let ready = client::Http::new(self.management_port);
        eventually("the proxy is ready", || async {
            matches!(ready.try_get("/ready").await, Some(response) if response.status == 200)
        })
        .await;
    }

    pub(crate) fn http(&self) -> client::Http {
        client::Http::new(self.port)
    }

    pub(crate) fn kill_proxy(&mut self) {
        drop(self.proxy.take());
    }

    pub(crate) fn kill_user_function(&mut self) {
        drop(self.user_function.take());
    }

    pub(crate) fn proxy(&mut self) -> &mut Process {
        self.proxy.as_mut().unwrap()
    }

    pub(crate) fn user_function(&mut self) -> &mut Process {
        self.user_function.as_mut().unwrap()
    }
}

impl Process {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().try_into().unwrap()), signal).expect("the process is there to get it");
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the process did not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    /// SIGKILL.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Polls until `condition` holds.
#[track_caller]
pub(crate) fn eventually<F: Future<Output = bool>>(
    what: &'static str,
    condition: impl Fn() -> F,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let holds = holds_within(PATIENCE, condition).await;
        assert!(holds, "{what}: not within {PATIENCE:?} ({caller})");
    }
}

/// Polls until `condition` holds, or for so long.
pub(crate) async fn holds_within<F: Future<Output = bool>>(
    patience: Duration,
    condition: impl Fn() -> F,
) -> bool {
    let end = Instant::now() + patience;
    while !condition().await {
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// A port for a process of ours alone. The socket is bound and does not listen: so the system gives the port to nobody
/// who asks for any, nor to a client as its own end, and a server, whose socket may use addresses again, can listen
/// there. On Linux, that is; other systems would refuse the server, and get a port that is free by now.
pub(crate) fn held_port() -> (u16, Option<TcpSocket>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = socket.local_addr().unwrap().port();
    (port, cfg!(target_os = "linux").then_some(socket))
}
