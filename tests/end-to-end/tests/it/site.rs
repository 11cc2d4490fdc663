//! A proxy and a user function as processes of their own, in a folder of their own.

use std::{
    fs::File,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::client;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Site {
    pub(crate) folder: TempDir,
    store: PathBuf,
    pub(crate) port: u16,
    pub(crate) management_port: u16,
    user_function_port: u16,
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
        Self {
            store: folder.path().join("store.db"),
            folder,
            port: free_port(),
            management_port: free_port(),
            user_function_port: free_port(),
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

    /// SIGTERM, SIGINT, …
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap();
        assert!(sent.success(), "the process is there to get {name}");
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
        let end = Instant::now() + PATIENCE;
        while !condition().await {
            assert!(Instant::now() < end, "{what}: not within {PATIENCE:?} ({caller})");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
