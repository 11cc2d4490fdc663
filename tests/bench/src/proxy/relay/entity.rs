//! A stream to the user function for each entity, and a task that uses it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use cloudstate_proto::{
    Any, Command,
    eventsourced::{
        EventSourcedInit, EventSourcedStreamIn, event_sourced_client::EventSourcedClient,
        event_sourced_stream_in::Message as In, event_sourced_stream_out::Message as Out,
    },
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use super::journal::Journal;
use crate::Error;

/// What any HTTP/2 server must be assumed to allow.
const STREAMS_PER_CONNECTION: usize = 100;

const SERVICE: &str = "bench.DurableCounter";

/// All entities, each with its task.
pub(super) struct Entities {
    endpoint: Endpoint,
    journal: Option<Journal>,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    mailboxes: HashMap<String, mpsc::Sender<Increase>>,
    channel: Option<Channel>,
}

struct Increase {
    payload: Bytes,
    done: oneshot::Sender<()>,
}

impl Entities {
    pub(super) fn new(user_function: u16, journal: Option<Journal>) -> Result<Self, Error> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{user_function}"))?.tcp_nodelay(true);
        Ok(Self { endpoint, journal, live: Mutex::default() })
    }

    /// Resolves when the event of this command is stored.
    pub(super) async fn increase(&self, id: String, payload: Bytes) -> Result<(), Error> {
        let (done, stored) = oneshot::channel();
        let mailbox = self.mailbox(id);
        mailbox.send(Increase { payload, done }).await.map_err(|_| "the entity has ended")?;
        stored.await.map_err(|_| "the entity has ended".into())
    }

    fn mailbox(&self, id: String) -> mpsc::Sender<Increase> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mailbox) = live.mailboxes.get(&id) {
            return mailbox.clone();
        }
        if live.mailboxes.len().is_multiple_of(STREAMS_PER_CONNECTION) {
            live.channel = None;
        }
        let channel = live.channel.get_or_insert_with(|| self.endpoint.connect_lazy()).clone();
        let (mailbox, commands) = mpsc::channel(100);
        let number = live.mailboxes.len() as i64;
        live.mailboxes.insert(id.clone(), mailbox.clone());
        let journal = self.journal.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(id, number, channel, commands, journal).await {
                eprintln!("relay: {error}");
            }
        });
        mailbox
    }
}

/// One command at a time.
async fn serve(
    id: String,
    number: i64,
    channel: Channel,
    mut commands: mpsc::Receiver<Increase>,
    journal: Option<Journal>,
) -> Result<(), Error> {
    let (requests, outbound) = mpsc::channel(1);
    let init = EventSourcedInit { service_name: SERVICE.to_owned(), entity_id: id.clone(), snapshot: None };
    requests.send(EventSourcedStreamIn { message: Some(In::Init(init)) }).await?;
    let mut client = EventSourcedClient::new(channel);
    let mut replies = client.handle(ReceiverStream::new(outbound)).await?.into_inner();
    let (mut command_id, mut sequence) = (0, 0);
    while let Some(Increase { payload, done }) = commands.recv().await {
        command_id += 1;
        let command = Command {
            entity_id: id.clone(),
            id: command_id,
            name: "Increase".to_owned(),
            payload: Some(Any { type_url: "type.googleapis.com/bench.By".to_owned(), value: payload }),
            ..Command::default()
        };
        requests.send(EventSourcedStreamIn { message: Some(In::Command(command)) }).await?;
        let answer = replies.message().await?.and_then(|answer| answer.message);
        let Some(Out::Reply(reply)) = answer else { return Err(format!("{answer:?}").into()) };
        let first = sequence + 1;
        sequence += reply.events.len() as i64;
        if let Some(journal) = &journal {
            journal.append(number, first, reply.events).await?;
        }
        let _ = done.send(());
    }
    Ok(())
}
