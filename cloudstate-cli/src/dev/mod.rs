//! `cloudstate dev`: a program, a proxy before it, and a loop that starts the program anew when its files change.

mod banner;
mod build;
mod child;
pub(crate) mod guard;
mod program;
mod session;
mod store;
mod watch;
mod workspace;

use std::{
    ffi::{OsStr, OsString},
    io,
    net::TcpListener,
    path::PathBuf,
    process,
    time::Duration,
};

use cloudstate_proxy::{Proxy, Settings, settings, storage::StoreUrl};

use self::{
    child::Launcher,
    program::Program,
    session::Session,
    watch::{FileId, Scope, Watch},
};
use crate::{Error as CommandError, environment, logging, stop::Stop};

/// Develop a user function: build it, run it behind a proxy, start it anew whenever its files change
///
/// PACKAGE is a package of the cargo workspace around the current folder, by default the one that the folder
/// belongs to; COMMAND is anything that can be run, in any language. It gets the address to listen on in the
/// environment variables HOST and PORT.
///
/// The proxy serves gRPC and HTTP/JSON on 127.0.0.1:9000 and keeps its state in .cloudstate/<name>/ at the
/// root of the workspace (of a command: in the current folder). Watched are the package and the packages it
/// depends on by path (of a command: the current folder), as .gitignore allows.
///
/// Ctrl-C ends everything; a second one does so at once.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cloudstate dev [OPTIONS] [PACKAGE]\n       cloudstate dev [OPTIONS] -- <COMMAND>...",
    after_help = EXAMPLES,
    verbatim_doc_comment,
    mut_arg("user-function", |argument| argument.hide(true)),
    mut_arg("rediscover", |argument| argument.hide(true)),
    mut_arg("store", |argument| argument.help(STORE_HELP))
)]
pub(crate) struct Arguments {
    /// The cargo package to build and run
    #[arg(conflicts_with = "command")]
    package: Option<String>,
    /// The command to run, and its arguments
    #[arg(last = true)]
    command: Vec<OsString>,
    /// Watch this file or folder as well; may be repeated
    #[arg(long, value_name = "PATH")]
    watch: Vec<PathBuf>,
    /// Start with an empty store
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    settings: settings::Arguments,
}

const STORE_HELP: &str = "Where the events and snapshots of entities are kept \
    [default: sqlite:.cloudstate/<name>/store.db] [env: CLOUDSTATE_STORE]";

const EXAMPLES: &str = "\
Examples:
  cloudstate dev
  cloudstate dev shopping-cart
  cloudstate dev --fresh --listen 127.0.0.1:9001 shopping-cart
  cloudstate dev --store memory -- node index.js
  cloudstate dev --watch ../protos -- ./gradlew run

What the program writes appears as it is. RUST_LOG=info shows what the proxy does.";

/// Why `cloudstate dev` could not start, or not go on.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Error(#[from] Reason);

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Workspace(#[from] workspace::WorkspaceError),
    #[error("cannot find the current folder")]
    CurrentFolder(#[source] io::Error),
    #[error("`{0}` is not a command; write for example `cloudstate dev -- node index.js`")]
    NoCommand(String),
    #[error("cannot run {command}: {reason}")]
    CommandNotStarted { command: String, reason: child::NotStarted },
    #[error(transparent)]
    Watch(#[from] watch::WatchError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("there is no free port from 20000 to 29999 for the user function to listen on")]
    NoPort,
    #[error("{0}")]
    Proxy(String),
}

/// Develops until a signal or a failure.
pub(crate) async fn run(arguments: Arguments) -> Result<(), CommandError> {
    logging::start("warn", logging::Format::Text);
    if arguments.settings.names_user_function() {
        return Err(CommandError::Usage("--user-function: dev starts the user function itself"));
    }
    let program = program(&arguments).await.map_err(Error)?;
    let launcher = Launcher::new(free_port().map_err(Error)?)?;
    let settings = settings(&arguments.settings, &program, launcher.port)?;
    let watch = watch(&program, &arguments.watch, &settings.store).map_err(Error)?;
    if arguments.fresh {
        store::empty(&settings.store).await.map_err(|error| Error(error.into()))?;
    }

    let stop = Stop::listen()?;
    let proxy = Proxy::start(settings).await?;
    let mut session = Session::new(program, launcher, watch, proxy.status());
    let outcome = session.run(stop).await;
    // First the proxy, so that commands in progress still find their user function.
    proxy.shutdown().await;
    session.end().await;
    Ok(outcome.map_err(Error)?)
}

async fn program(arguments: &Arguments) -> Result<Program, Reason> {
    let folder = std::env::current_dir().map_err(Reason::CurrentFolder)?;
    let command = &arguments.command;
    if command.is_empty() {
        return Ok(Program::package(arguments.package.as_deref(), &folder).await?);
    }
    Program::command(command.clone(), &folder)
        .ok_or_else(|| Reason::NoCommand(command.join(OsStr::new(" ")).to_string_lossy().into_owned()))
}

fn settings(arguments: &settings::Arguments, program: &Program, port: u16) -> Result<Settings, CommandError> {
    for warning in arguments.warnings() {
        logging::print_notice(&warning);
    }
    let defaults = Settings {
        store: store::default_store(&program.root, &program.name),
        management_optional: true,
        rediscover: true,
        // A person waits for the program to come back.
        backoff_max: Duration::from_millis(500),
        ..Settings::default()
    };
    let settings = arguments.resolve(environment, defaults)?;
    // The environment may still name a user function of somewhere else.
    Ok(Settings { user_function: format!("127.0.0.1:{port}"), ..settings })
}

/// Watches the sources of `program`, and what a person named.
fn watch(program: &Program, also: &[PathBuf], store: &StoreUrl) -> Result<Watch, Reason> {
    let store = match store {
        StoreUrl::Sqlite(path) => Some(std::path::absolute(path).map_err(Reason::CurrentFolder)?),
        StoreUrl::Memory => None,
    };
    Ok(Watch::start(Scope {
        paths: program.folders.iter().chain(also).cloned().collect(),
        output: program.output(),
        store,
        logs: [FileId::of(io::stdout()), FileId::of(io::stderr())].into_iter().flatten().collect(),
    })?)
}

/// A port for the user function to keep. Not one of those that the system gives to outgoing connections: while the user
/// function is being built, one of these could take it.
fn free_port() -> Result<u16, Reason> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    let offset = process::id() % u32::from(COUNT);
    (0..COUNT)
        .map(|step| FIRST + ((offset + u32::from(step)) % u32::from(COUNT)) as u16)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or(Reason::NoPort)
}
