//! The loop: files change, builds finish, the program ends, the proxy has news, a person presses Ctrl-C.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    future::{Future, pending},
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use cloudstate_proxy::{Route, Status};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    Reason,
    banner::banner,
    build::BuildError,
    child::{Child, Ended, Launcher, NotStarted},
    program::Program,
    watch::Watch,
};
use crate::{logging::print_notice, stop::Stop};

/// A program that listens has done so by then, or a person wants to know.
const COMES_UP_WITHIN: Duration = Duration::from_secs(5);

type Work<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// A program under development.
pub(super) struct Session {
    program: Arc<Program>,
    launcher: Launcher,
    watch: Watch,
    status: watch::Receiver<Status>,
    child: Option<Child>,
    /// Dropped, it stops cargo.
    build: Work<Result<Vec<OsString>, BuildError>>,
    coming_up: Work<bool>,
    /// How often the program was started.
    starts: usize,
    /// The routes that were printed last.
    routes: Option<Vec<Route>>,
}

impl Session {
    pub(super) fn new(
        program: Program,
        launcher: Launcher,
        watch: Watch,
        mut status: watch::Receiver<Status>,
    ) -> Self {
        // What happened before is news as well.
        status.mark_changed();
        Self {
            program: Arc::new(program),
            launcher,
            watch,
            status,
            child: None,
            build: None,
            coming_up: None,
            starts: 0,
            routes: None,
        }
    }

    /// Goes on until a person stops it or the proxy fails.
    pub(super) async fn run(&mut self, mut stop: Stop) -> Result<(), Reason> {
        self.start_build();
        loop {
            tokio::select! {
                // Cargo gets the terminal's Ctrl-C as well: the stop goes first, or it would look like a failed build.
                biased;
                () = stop.asked() => {
                    print_notice("stopping; Ctrl-C again stops at once");
                    return Ok(());
                }
                // What changes during a build is built after it.
                changed = self.watch.changed(), if self.build.is_none() => {
                    print_notice(&format!("{} changed", listed(&changed)));
                    self.start_build();
                }
                built = finished(&mut self.build) => match built {
                    Ok(command) => self.start(&command).await?,
                    Err(error) => print_notice(&self.build_failed(&error)),
                },
                ended = ended(&mut self.child) => {
                    self.coming_up = None;
                    print_notice(&format!("{} {ended}; {}", self.program.name, self.program.remedy()));
                }
                up = finished(&mut self.coming_up) => self.came_up(up),
                news = self.status.changed() => {
                    news.map_err(|_| Reason::Proxy("the proxy ended unexpectedly".to_owned()))?;
                    self.tell_status()?;
                }
            }
        }
    }

    /// Ends what still runs.
    pub(super) async fn end(self) {
        drop(self.build);
        if let Some(child) = self.child {
            child.stop().await;
        }
    }

    fn start_build(&mut self) {
        let program = Arc::clone(&self.program);
        self.build = Some(Box::pin(async move { program.build().await }));
    }

    /// Puts `command` in the place of what ran before.
    async fn start(&mut self, command: &[OsString]) -> Result<(), Reason> {
        self.coming_up = None;
        if let Some(before) = self.child.take() {
            before.stop().await;
        }
        match self.launcher.start(command).await {
            Ok(child) => {
                let (name, pid, port) = (&self.program.name, child.pid(), self.launcher.port);
                print_notice(&format!("{name} runs as process {pid}, on port {port}"));
                self.child = Some(child);
                let up = async move { timeout(COMES_UP_WITHIN, opened(port)).await.is_ok() };
                self.coming_up = Some(Box::pin(up));
                self.starts += 1;
                Ok(())
            }
            Err(reason) => self.not_started(command, reason),
        }
    }

    /// A wrong command at the very beginning is a mistake on the command line; later it is a mistake in a file.
    fn not_started(&self, command: &[OsString], reason: NotStarted) -> Result<(), Reason> {
        let command =
            command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
        let failure = Reason::CommandNotStarted { command, reason };
        if self.starts == 0 {
            return Err(failure);
        }
        print_notice(&format!("{failure}; {}", self.program.remedy()));
        Ok(())
    }

    fn build_failed(&self, error: &BuildError) -> String {
        let name = &self.program.name;
        match self.child {
            Some(_) => format!("{error}; {name} keeps running as it was, waiting for the next save"),
            None => format!("{error}; waiting for the next save"),
        }
    }

    fn came_up(&mut self, up: bool) {
        let (name, port) = (&self.program.name, self.launcher.port);
        if !up {
            print_notice(&format!(
                "{name} has not opened port {port} for {} s; it must listen on the address that the environment \
                 variables HOST and PORT name; still waiting",
                COMES_UP_WITHIN.as_secs()
            ));
            self.coming_up = Some(Box::pin(async move {
                opened(port).await;
                true
            }));
        } else if self.starts > 1 {
            print_notice(&format!("{name} is back"));
        }
    }

    fn tell_status(&mut self) -> Result<(), Reason> {
        let status = self.status.borrow_and_update().clone();
        match status {
            Status::Serving(serving) if self.routes.as_ref() != Some(&serving.routes) => {
                // Nobody may be reading stdout; that is no reason to stop.
                let _ = io::stdout().write_all(banner(&self.program.name, &serving).as_bytes());
                self.routes = Some(serving.routes.clone());
            }
            // The proxy's log says why; the routes are news again when it is mended.
            Status::Rejected { .. } => self.routes = None,
            Status::Failed { reason } => return Err(Reason::Proxy(reason)),
            Status::Serving(_) | Status::Connecting { .. } => {}
        }
        Ok(())
    }
}

/// The outcome of `work`, which is then gone; never when there is none. May be cancelled.
async fn finished<T>(work: &mut Work<T>) -> T {
    let outcome = match work {
        Some(work) => work.await,
        None => pending().await,
    };
    *work = None;
    outcome
}

/// How the child ended, which is then gone; never when there is none. May be cancelled.
async fn ended(child: &mut Option<Child>) -> Ended {
    let ended = match child {
        Some(child) => child.ended().await,
        None => pending().await,
    };
    *child = None;
    ended
}

/// Waits until somebody listens on `port`.
async fn opened(port: u16) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect(address).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Some of `changed`, as seen from the current folder.
fn listed(changed: &[PathBuf]) -> String {
    const SHOWN: usize = 3;
    let here = std::env::current_dir().unwrap_or_default();
    let shown: BTreeSet<_> = changed
        .iter()
        .take(SHOWN)
        .map(|path| path.strip_prefix(&here).unwrap_or(path).display().to_string())
        .collect();
    let mut text = Vec::from_iter(shown).join(", ");
    if changed.len() > SHOWN {
        text += &format!(" and {} more", changed.len() - SHOWN);
    }
    text
}
