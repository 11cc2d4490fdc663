//! What is slow, stuck or silent harms nobody else. Answers are asserted, times are not.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crash_recovery::{Marks, SERVICES};
use futures_util::{StreamExt, future::join_all};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    book::{Address, Book},
    client::Client,
    silent_function::{self, STUCK},
    site::{PATIENCE, Site},
};

const IDLE: usize = 10_000;
const MARKS: u64 = 1_300;

/// The client and the proxy are processes of their own: each has room for so many connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_harm_nobody() {
    let site = Site::start().await;
    let before = resident_mib(site.proxy_id());
    let idle = IdleClients::connect(site.port);
    let end = Instant::now() + PATIENCE;
    while open_files(site.proxy_id()) < IDLE {
        assert!(Instant::now() < end, "the proxy has not accepted them all: {}", site.log("proxy"));
        sleep(Duration::from_millis(20)).await;
    }

    everybody_is_answered(&Client::new(site.port), SERVICES).await;
    let after = resident_mib(site.proxy_id());
    println!("{IDLE} idle connections: the proxy's resident memory goes from {before} to {after} MiB");
    drop(idle);
}

/// Its entities have commands that wait, up to the limit and beyond.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entities_that_are_stuck_harm_nobody() {
    let function = silent_function::start().await;
    let site = Site::start_before(function.port()).await;
    let client = Client::new(site.port);
    let mut waiting = Vec::new();
    for n in 0..300_u64 {
        let client = Client::new(site.port);
        let address = Address { service: "crash.Ledger", entity: format!("{STUCK}-{}", n % 2) };
        waiting.push(tokio::spawn(async move { client.put(&address, n).await }));
    }
    for n in 0..50 {
        let address = Address { service: "crash.Ledger", entity: format!("lively-{n}") };
        client.put(&address, n).await.unwrap();
    }
    // Whoever found no place is told so at once; the others wait on.
    let (refused, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|it| it.is_finished());
    for refused in refused {
        let why = refused.await.unwrap().unwrap_err();
        assert!(why.contains("commands are already waiting for this entity"), "{why}");
    }
    assert!(others.len() >= 2, "the first command of each stuck entity waits for its answer");
    others.iter().for_each(tokio::task::JoinHandle::abort);
}

/// One follows an entity and does not read what comes, others send requests and do not read the answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_harm_nobody() {
    let site = Site::start().await;
    let client = Client::new(site.port);
    let followed = Address { service: "crash.Tally", entity: "followed".to_owned() };
    client.put(&followed, 1).await.unwrap();
    let mut watching = client.watch(&followed).await;
    assert_eq!(watching.next().await.unwrap().unwrap().ids, [1], "it is followed");
    let _deaf = join_all((0..20).map(|_| deaf_client(site.port))).await;

    // Each is one more message for whoever follows: together they are more than the proxy keeps for a client.
    let marks: Vec<u64> = (2..=MARKS).collect();
    for marks in marks.chunks(60) {
        let put = join_all(marks.iter().map(|mark| client.put(&followed, *mark))).await;
        put.into_iter().for_each(|put| put.unwrap());
    }
    everybody_is_answered(&client, SERVICES).await;
    let shown = client.read(&followed).await.unwrap();
    assert_eq!(shown.count, MARKS);
    let resident = resident_mib(site.proxy_id());
    println!("clients that do not read: the proxy's resident memory is {resident} MiB");

    // Who begins to read finds what was kept for it, and at last the news or the reason why there are none.
    let read = async {
        let mut last = Ok(Marks::default());
        while let Some(next) = watching.next().await {
            let is_last = next.as_ref().is_ok_and(|marks| marks.count == MARKS);
            last = next;
            if is_last {
                break;
            }
        }
        last
    };
    match timeout(PATIENCE, read).await.unwrap() {
        Ok(marks) => assert_eq!(marks.count, MARKS, "the stream ended without a word"),
        Err(status) => assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status}"),
    }
}

/// Writes requests until the proxy takes no more, and never reads.
async fn deaf_client(port: u16) -> TcpStream {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let body = r#"{"entity":"followed"}"#;
    let request = format!(
        "POST /crash.Tally/Read HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let requests = request.repeat(2_000);
    // It takes no more when it cannot get rid of the answers.
    let _ = timeout(Duration::from_millis(300), tcp.write_all(requests.as_bytes())).await;
    tcp
}

/// New entities of every kind answer, at the same time.
async fn everybody_is_answered(client: &Client, services: &[&'static str]) {
    let mut book = Book::default();
    let mut commands = Vec::new();
    for service in services {
        for n in 0..20 {
            let address = Address { service, entity: format!("other-{n}") };
            let mark = book.send(&address);
            commands.push((address, mark));
        }
    }
    let answers = join_all(commands.iter().map(|(address, mark)| client.put(address, *mark))).await;
    for ((address, mark), answer) in commands.iter().zip(answers) {
        answer.unwrap_or_else(|why| panic!("{address:?}: {why}"));
        book.acknowledge(address, *mark);
        let shown = client.read(address).await.unwrap();
        book.check(address, &book.told(address), &shown).unwrap();
    }
}

/// A process with connections that say nothing.
struct IdleClients(Child);

impl IdleClients {
    fn connect(port: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crash-idle-clients"));
        command.args([port.to_string(), IDLE.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), IDLE.to_string());
        Self(child)
    }
}

impl Drop for IdleClients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn open_files(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

fn resident_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
