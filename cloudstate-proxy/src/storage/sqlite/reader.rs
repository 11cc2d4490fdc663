//! Reading: a few threads, each with a connection that cannot write, and one bounded queue before them.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::damage::Damage;
use crate::storage::StoreError;

/// Whoever wants to read beyond these waits.
const QUEUED_READS: usize = 256;

/// Starts one thread for each connection.
pub(super) fn start(
    connections: Vec<Connection>,
    damage: Arc<Damage>,
) -> io::Result<(ReadQueue, Vec<JoinHandle<()>>)> {
    let (sender, receiver) = mpsc::channel(QUEUED_READS);
    let receiver = Arc::new(Mutex::new(receiver));
    let threads = connections
        .into_iter()
        .map(|connection| {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name("store-reader".to_owned()).spawn(move || run(&receiver, &connection))
        })
        .collect::<io::Result<_>>()?;
    Ok((ReadQueue { sender, damage }, threads))
}

fn run(requests: &Mutex<mpsc::Receiver<Request>>, connection: &Connection) {
    loop {
        let request = {
            let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
            let request = requests.blocking_recv();
            if matches!(request, Some(Request::Close)) {
                requests.close();
            }
            request
        };
        match request {
            Some(Request::Read(read)) => read(connection),
            Some(Request::Close) => {}
            None => break,
        }
    }
}

enum Request {
    Read(Box<dyn FnOnce(&Connection) + Send>),
    /// Answer what came before this, refuse what comes after.
    Close,
}

#[derive(Clone)]
pub(super) struct ReadQueue {
    sender: mpsc::Sender<Request>,
    damage: Arc<Damage>,
}

impl ReadQueue {
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let damage = Arc::clone(&self.damage);
        let read = move |connection: &Connection| {
            // Who asked may have gone.
            if !answer.is_closed() {
                let _ = answer.send(read(connection).inspect_err(|error| damage.note(error)));
            }
        };
        self.sender.send(Request::Read(Box::new(read))).await.map_err(|_| StoreError::closed())?;
        answered.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    /// Blocks while the queue is full.
    pub(super) fn close(&self) {
        // An error means that all readers have ended already.
        let _ = self.sender.blocking_send(Request::Close);
    }
}
