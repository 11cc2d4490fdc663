//! Who is in a room, as a replicated set that callers follow. The contract is in `proto/`.

use std::collections::BTreeSet;

use cloudstate_sdk::crdt::*;

cloudstate_sdk::include_protos!();
use com::example::presence::{ConnectUser, LeaveRoom, Online, Visitor, WatchRoom, presence};

/// How many connections one room takes: each is told about each other.
const ROOM_FOR: usize = 100;

/// Those who are in one room, through whichever node of the cluster they came.
///
/// A connection is an element, not a user: so one that ends takes nobody out who is there through another.
#[crdt_entity(service = presence)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Room {
    visitors: ORSet<Visitor>,
}

impl CrdtEntity for Room {
    type Error = Failure;
}

impl presence::Crdt for Room {
    fn connect(&mut self, connect: ConnectUser, _: &Context) -> StreamReply<Self, Online> {
        let visitor = self.enter(connect)?;
        let leaving = visitor.clone();
        Ok(Effect::stream(self.online()).on_change(move |room: &Self| room.news_for(&visitor)).on_cancel(
            move |room: &mut Self| {
                room.visitors.remove(&leaving);
            },
        ))
    }

    fn leave(&mut self, leave: LeaveRoom, context: &Context) -> Reply<Self, ()> {
        let before = self.visitors.len();
        self.visitors.retain(|visitor| visitor.user != leave.user);
        if self.visitors.len() == before {
            return Err(Failure::not_found(format!("{} is not in {}", leave.user, context.entity_id())));
        }
        Ok(Effect::reply(()))
    }

    fn watch(&mut self, _: WatchRoom, _: &Context) -> StreamReply<Self, Online> {
        Ok(Effect::stream(self.online()).on_change(Self::online))
    }
}

impl Room {
    fn enter(&mut self, ConnectUser { room, user, session }: ConnectUser) -> Result<Visitor, Failure> {
        if user.is_empty() || session.is_empty() {
            return Err(Failure::invalid_argument("a connection needs a user and a session"));
        }
        let visitor = Visitor { user, session };
        if !self.visitors.insert(visitor.clone()) {
            return Err(Failure::already_exists(format!("this session is in {room}: take a new one")));
        }
        if self.visitors.len() > ROOM_FOR {
            // What the command has changed so far is taken back with it.
            return Err(Failure::resource_exhausted(format!("{room} is full")));
        }
        Ok(visitor)
    }

    /// Whoever was sent out hears of it last.
    fn news_for(&self, visitor: &Visitor) -> StreamMessage<Online> {
        let news = StreamMessage::reply(self.online());
        if self.visitors.contains(visitor) { news } else { news.and_end() }
    }

    fn online(&self) -> Online {
        let users: BTreeSet<&String> = self.visitors.iter().map(|visitor| &visitor.user).collect();
        Online { users: users.into_iter().cloned().collect() }
    }
}

/// Serves the entity until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or the entity and its contract do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    cloudstate_sdk::serve().await
}
