//! A user function as a process: environment, log, signals, exit code.
//!
//! The program is its own user function: without a harness, it can start itself in that role.

#![allow(clippy::unwrap_used)]

#[cfg(unix)]
fn main() {
    if std::env::var_os(unix::ROLE).is_some() {
        return unix::user_function();
    }
    unix::serves_until_sigterm_and_exits_well();
    unix::a_wrong_start_says_why_and_exits_with_an_error();
    println!("process: ok");
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, ChildStderr, Command, Stdio};
    use std::time::{Duration, Instant};

    use cloudstate_sdk::event_sourced::*;

    pub(crate) const ROLE: &str = "CLOUDSTATE_TEST_USER_FUNCTION";
    const PATIENCE: Duration = Duration::from_secs(120);

    mod entities {
        #![allow(unreachable_pub)]
        use super::*;

        include!("contract/generated/cloudstate.rs");
        include!("contract/cart.rs");
    }

    pub(crate) fn user_function() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // As a `main` that returns the error would show it.
        if let Err(error) = runtime.block_on(cloudstate_sdk::serve()) {
            eprintln!("Error: {error:?}");
            std::process::exit(1);
        }
    }

    pub(crate) fn serves_until_sigterm_and_exits_well() {
        for signal in ["TERM", "INT"] {
            let mut child = start("0");
            let mut log = BufReader::new(child.stderr.take().unwrap());
            let lines = read_until(&mut log, "listening on 127.0.0.1:");
            assert!(lines.contains("serving com.example.shoppingcart.ShoppingCart with "), "{lines}");
            let port: u16 = lines.trim_end().rsplit(':').next().unwrap().parse().unwrap();
            std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();

            let killed = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
            assert!(killed.unwrap().success());
            assert!(wait(&mut child).success());
            let mut rest = String::new();
            log.read_to_string(&mut rest).unwrap();
            assert!(rest.contains("stopping: no new streams"), "{rest}");
            assert!(!lines.contains('\x1b'), "colours in a log that is no terminal: {lines}");
        }
    }

    pub(crate) fn a_wrong_start_says_why_and_exits_with_an_error() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().port().to_string();
        for (port, expected) in [
            (
                "http",
                "Error: the environment variable PORT is `http`; it must be a number from 0 to 65535".into(),
            ),
            (taken.as_str(), format!("Error: cannot listen on 127.0.0.1:{taken}: ")),
        ] {
            let mut child = start(port);
            assert_eq!(wait(&mut child).code(), Some(1));
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            assert!(log.contains(&expected), "{log}");
        }
    }

    fn start(port: &str) -> Child {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.env(ROLE, "1").env("PORT", port).env_remove("HOST").env_remove("RUST_LOG");
        command.stderr(Stdio::piped()).spawn().unwrap()
    }

    /// All lines up to the one that contains `text`.
    fn read_until(log: &mut BufReader<ChildStderr>, text: &str) -> String {
        let mut lines = String::new();
        while !lines.contains(text) {
            assert_ne!(log.read_line(&mut lines).unwrap(), 0, "the log ended without `{text}`: {lines}");
        }
        lines
    }

    fn wait(child: &mut Child) -> std::process::ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("the user function did not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
