//! Clients that connect and then say nothing: `crash-idle-clients <port> <count>`. Says how many are connected, on one
//! line, and holds them until its stdin ends.

use std::{
    env,
    error::Error,
    io::{self, Read, Write, stdin, stdout},
    net::{Ipv4Addr, TcpStream},
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// So many fit the queue in which the system keeps connections that nobody has accepted yet.
const WAVE: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut number = || arguments.next().ok_or("usage: crash-idle-clients <port> <count>");
    let (port, count): (u16, usize) = (number()?.parse()?, number()?.parse()?);
    let (_, granted) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, granted, granted)?;

    let mut connections = Vec::with_capacity(count);
    while connections.len() < count {
        for _ in 0..WAVE.min(count - connections.len()) {
            connections.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?);
        }
        ask(port)?;
    }
    println!("{}", connections.len());
    stdout().flush()?;
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Connections are accepted in their order: when this one is answered, all before it have been.
fn ask(port: u16) -> io::Result<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    connection.read_to_end(&mut Vec::new()).map(|_| ())
}
