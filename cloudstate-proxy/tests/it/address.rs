//! Addresses that nobody else on this machine is given while a test needs them.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpSocket;

/// An address at which nobody listens unless the test says so. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) at: SocketAddr,
    /// Who asks for any port is not given that of a socket, and whoever asks for this port may share it as long as only
    /// one of them listens. So it is on Linux; elsewhere the port is given back, and is unlikely to be somebody else's.
    _kept: Option<Arc<TcpSocket>>,
}

impl Address {
    pub(crate) fn new() -> Self {
        let socket = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        let at = socket.local_addr().unwrap();
        Self { at, _kept: cfg!(target_os = "linux").then(|| Arc::new(socket)) }
    }

    /// A socket of one's own that may listen there.
    pub(crate) fn socket(&self) -> TcpSocket {
        bound(self.at)
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}
