//! The processes that are measured: this program again, by its first argument.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use super::load::{DurableCounter, HttpJson};
use crate::{Error, load::Caller, proxy::load};

/// How long a process may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// Ends when this is dropped.
pub(super) struct Process {
    pub(super) port: u16,
    management: Option<u16>,
    child: Child,
}

impl Process {
    pub(super) fn user_function() -> Result<Self, Error> {
        Self::start_and_read_port(&["user-function".to_owned()])
    }

    pub(super) fn relay(user_function: &Process, store: Option<&Path>) -> Result<Self, Error> {
        let mut arguments = vec!["relay".to_owned(), user_function.port.to_string()];
        arguments.extend(store.map(|path| path.display().to_string()));
        Self::start_and_read_port(&arguments)
    }

    /// The proxy as it is shipped, ready to serve; and how long that took.
    pub(super) async fn proxy(
        user_function: &Process,
        store: Option<&Path>,
    ) -> Result<(Self, Duration), Error> {
        let [port, management] = free_ports()?;
        let store = store.map_or("memory".to_owned(), |path| format!("sqlite:{}", path.display()));
        let started = Instant::now();
        let child = program()?
            .args(["proxy", "--listen", &format!("127.0.0.1:{port}"), "--store", &store])
            .args(["--management", &format!("127.0.0.1:{management}")])
            .args(["--user-function", &format!("127.0.0.1:{}", user_function.port)])
            .env("RUST_LOG", "warn")
            .spawn()?;
        let mut process = Self { port, management: Some(management), child };
        while !process.answers().await {
            if let Some(status) = process.child.try_wait()? {
                return Err(format!("the proxy ended: {status}").into());
            }
            if started.elapsed() > PATIENCE {
                return Err("the proxy is not ready".into());
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Ok((process, started.elapsed()))
    }

    /// Whether a first command succeeds.
    async fn answers(&self) -> bool {
        match load::connect::<HttpJson<DurableCounter>>(self.port, 1).await {
            Ok(mut connections) => match connections.first_mut() {
                Some(connection) => connection.call().await.is_ok(),
                None => false,
            },
            Err(_) => false,
        }
    }

    /// The object of `restate-counter`, behind a Restate server that keeps its state in `folder`.
    pub(super) async fn restate(server: &Path, counter: &Path, folder: &Path) -> Result<(Self, Self), Error> {
        let counter = Self::read_port(&mut Command::new(counter))?;
        let [port, admin, node] = free_ports()?;
        let child = Command::new(server)
            .args(["--node-name", "bench"])
            .env("RESTATE_BASE_DIR", folder)
            .env("RESTATE_LISTEN_MODE", "tcp")
            .env("RESTATE_BIND_ADDRESS", format!("127.0.0.1:{node}"))
            .env("RESTATE_INGRESS__BIND_ADDRESS", format!("127.0.0.1:{port}"))
            .env("RESTATE_ADMIN__BIND_ADDRESS", format!("127.0.0.1:{admin}"))
            .env("RUST_LOG", "off")
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self { port, management: None, child };
        let deployment = format!(r#"{{"uri":"http://127.0.0.1:{}"}}"#, counter.port);
        let started = Instant::now();
        while !matches!(load::post(admin, "/deployments", deployment.clone()).await, Ok(true)) {
            if started.elapsed() > PATIENCE {
                return Err("the Restate server does not take the counter".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok((server, counter))
    }

    fn start_and_read_port(arguments: &[String]) -> Result<Self, Error> {
        Self::read_port(program()?.args(arguments))
    }

    fn read_port(command: &mut Command) -> Result<Self, Error> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take();
        // From here on, whatever fails, the process ends with the value.
        let mut process = Self { port: 0, management: None, child };
        let mut line = String::new();
        BufReader::new(stdout.ok_or("no standard output")?).read_line(&mut line)?;
        process.port = line.trim().parse().map_err(|_| format!("{command:?} does not start"))?;
        Ok(process)
    }

    /// Ends the process as an operator would, and waits for it.
    pub(super) fn stop(mut self) -> Result<(), Error> {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the proxy ended badly: {status}").into()) }
    }

    /// Resident memory in bytes, the program's own pages included.
    pub(super) fn memory(&self) -> Result<u64, Error> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let kibibytes = text
            .lines()
            .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kibibytes.ok_or_else(|| format!("{path} does not say how much is resident"))? * 1024)
    }

    /// What all threads have computed so far, in the program and for it in the kernel.
    pub(super) fn cpu_time(&self) -> Result<Duration, Error> {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(self.child.id())?))?;
        Ok(clock_gettime(clock)?.into())
    }

    /// How often the proxy has made something durable.
    pub(super) async fn commits(&self) -> Result<u64, Error> {
        let management = self.management.ok_or("no management port")?;
        let metrics = load::get(management, "/metrics").await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix("cloudstate_store_commits "));
        Ok(line.ok_or("the proxy does not count its commits")?.trim().parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Result<Command, Error> {
    Ok(Command::new(env::current_exe()?))
}

/// Different ones: all are held until the last is found.
fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
