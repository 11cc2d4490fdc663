//! Starts the kit and, where the kit says that it listens, the proxy.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use cloudstate_proxy::{Proxy, Settings, storage::StoreUrl};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpSocket,
    process::Command,
};

use crate::{
    kit::Run,
    spoil::{Relay, Spoil},
};

/// What is around the proxy.
#[derive(Default)]
pub(crate) struct Around {
    /// Where clients are told to call, if not at the proxy.
    pub(crate) at: Option<SocketAddr>,
    /// Between clients and the proxy.
    pub(crate) before: Option<Spoil>,
    /// Between the proxy and its user function.
    pub(crate) behind: Option<Spoil>,
}

impl Around {
    /// Runs `cloudstate-tck proxy` to its end, with a proxy that has a store of its own.
    pub(crate) async fn play(self, arguments: &[&str]) -> Run {
        let [(listen, _held), (management, _also_held)] = [held_address(), held_address()];
        let before = match self.before {
            Some(spoil) => Some(Relay::start(spoil, listen).await),
            None => None,
        };
        let at = self.at.or(before).unwrap_or(listen).to_string();
        let mut kit = Command::new(env!("CARGO_BIN_EXE_cloudstate-tck"))
            .args(["proxy", "--listen", "127.0.0.1:0", "--at", &at, "--management", &management.to_string()])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(kit.stderr.take().unwrap());
        let mut said = String::new();
        stderr.read_line(&mut said).await.unwrap();
        let user_function = match port_in(&said) {
            Some(port) => port,
            None => panic!("the kit does not listen: {said}"),
        };
        let user_function = match self.behind {
            Some(spoil) => Relay::start(spoil, user_function).await,
            None => user_function,
        };
        let proxy = Proxy::start(Settings {
            listen,
            user_function: user_function.to_string(),
            store: StoreUrl::Memory,
            management: Some(management),
            backoff_min: Duration::from_millis(50),
            graceful_termination_timeout: Duration::from_secs(1),
            // However long a busy machine takes for a scenario, no entity becomes idle in it.
            passivation_timeout: Duration::from_secs(3600).into(),
            ..Settings::default()
        });
        let proxy = proxy.await.unwrap();
        let mut stdout = String::new();
        let mut out = kit.stdout.take().unwrap();
        let (out, err) = tokio::join!(out.read_to_string(&mut stdout), stderr.read_to_string(&mut said));
        out.unwrap();
        err.unwrap();
        let status = kit.wait().await.unwrap();
        proxy.shutdown().await;
        Run { code: status.code().unwrap(), stdout, stderr: said }
    }
}

/// `… listening on port 1234: …`
fn port_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("port ")?;
    let (port, _) = rest.split_once(':')?;
    Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)))
}

/// Both programs must be told of the other before it is there, so one port is chosen beforehand. The socket is bound and
/// does not listen: so the system gives the port to nobody who asks for any, nor to a client as its own end, and the
/// proxy, whose socket may use addresses again, can listen there. On Linux, that is; other systems would refuse the
/// proxy, and get a port that is free by now.
pub(crate) fn held_address() -> (SocketAddr, Option<TcpSocket>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (address, cfg!(target_os = "linux").then_some(socket))
}

/// Serves the models until the test ends.
pub(crate) async fn models() -> SocketAddr {
    let server = tck_models::models().address("127.0.0.1", 0).bind().await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    address
}
