//! Runs user functions written with the original libraries behind our proxy, as two processes, and says what works.
//!
//! Not a part of `cargo test`: it needs the languages, and their package registries. `README.md` beside it says how it is
//! used. The program is `cloudstate` as well, so that the proxies it starts are of the same build.

#![allow(clippy::unwrap_used, reason = "whoever panics is a check, which has failed then")]

mod checks;
mod client;
mod library;
mod site;

use std::process::ExitCode;

use clap::Parser;
use tokio::{runtime, task::LocalSet};

use crate::{
    checks::{CHECKS, Check},
    library::{LIBRARIES, Library},
};

/// What starts the proxies of this program: it is `cloudstate` then.
const COMMANDS_OF_CLOUDSTATE: [&str; 3] = ["proxy", "dev", "guard"];

/// Runs user functions written with the original libraries behind our proxy
#[derive(Debug, Parser)]
struct Arguments {
    /// Of these libraries only: java, node, python
    libraries: Vec<String>,
    /// Only the checks that have this in their name
    #[arg(long, value_name = "TEXT", default_value = "")]
    check: String,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| COMMANDS_OF_CLOUDSTATE.contains(&&*first)) {
        return cloudstate_cli::main();
    }
    let arguments = Arguments::parse();
    if let Some(unknown) = arguments.libraries.iter().find(|name| !LIBRARIES.iter().any(|l| l.name == **name))
    {
        eprintln!("error: there is no library `{unknown}`; there are: java, node, python");
        return ExitCode::from(2);
    }
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // One thread is enough for what waits most of the time.
    let failed = LocalSet::new().block_on(&runtime, run(&arguments));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The number of checks that failed.
async fn run(arguments: &Arguments) -> usize {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let named = |library: &&Library| {
        arguments.libraries.is_empty() || arguments.libraries.iter().any(|name| name == library.name)
    };
    for library in LIBRARIES.iter().filter(named) {
        println!("{}", library.title);
        if let Err(why) = library.build() {
            println!("  FAIL  it can be built\n{}", indented(&why));
            failed += 1;
            continue;
        }
        for check in CHECKS.iter().filter(|check| check.name.contains(&arguments.check)) {
            match outcome(check, library).await {
                Outcome::Passed => passed += 1,
                Outcome::Failed => failed += 1,
                Outcome::Skipped => skipped += 1,
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    failed
}

enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// Runs a check, and prints what came of it.
async fn outcome(check: &'static Check, library: &'static Library) -> Outcome {
    if let Some((_, why)) = library.lacks.iter().find(|(feature, _)| *feature == check.feature) {
        println!("  skip  {}: {why}", check.name);
        return Outcome::Skipped;
    }
    // A panic is told by the hook, with its place.
    match tokio::task::spawn_local((check.run)(library)).await {
        Ok(()) => {
            println!("  ok    {}", check.name);
            Outcome::Passed
        }
        Err(_) => {
            println!("  FAIL  {}", check.name);
            Outcome::Failed
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("        {line}\n")).collect()
}
