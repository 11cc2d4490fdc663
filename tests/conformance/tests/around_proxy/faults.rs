//! The kit can fail: each broken rule fails the scenarios that speak about it, and no others.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use cloudstate_proto::{
    Metadata,
    action::ActionCommand,
    crdt::{CrdtStreamIn, crdt_stream_in},
    eventsourced::{EventSourcedStreamIn, event_sourced_stream_in},
    valueentity::{ValueEntityStreamIn, value_entity_stream_in},
};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue};
use prost::Message;

use crate::{
    around::Around,
    kit::{AT_ONCE, IN_VAIN},
    spoil::Spoil,
};

const EVENT_SOURCED: &str = "/cloudstate.eventsourced.EventSourced/handle";
const VALUE_ENTITY: &str = "/cloudstate.valueentity.ValueEntity/handle";
const CRDT: &str = "/cloudstate.crdt.Crdt/handle";
const UNARY: &str = "/cloudstate.action.ActionProtocol/handleUnary";

/// On one side of the proxy: what is wrong, what is played, and what of it fails.
async fn check(side: fn(Spoil) -> Around, faults: &[(&str, Spoil, &str, &str)]) {
    let checked =
        stream::iter(faults).for_each_concurrent(AT_ONCE, |(name, spoil, played, expected)| async move {
            let only = played.split_whitespace().flat_map(|what| ["--only", what]);
            // A call too many may come late.
            let silence = if spoil.twice.is_some() { "3" } else { "0.01" };
            let limits = ["--deadline", IN_VAIN, "--silence", silence];
            let run = side(*spoil).play(&limits.into_iter().chain(only).collect::<Vec<_>>()).await;
            let expected: BTreeSet<_> = expected.split_whitespace().collect();
            assert_eq!(run.failed(), expected, "{name}\n{}{}", run.stderr, run.stdout);
            assert_eq!(run.code, i32::from(!expected.is_empty()), "{name}");
        });
    checked.await;
}

fn behind(spoil: Spoil) -> Around {
    Around { behind: Some(spoil), ..Around::default() }
}

fn before(spoil: Spoil) -> Around {
    Around { before: Some(spoil), ..Around::default() }
}

/// Changes a message of one kind, or loses it.
fn change<M: Message + Default>(message: Bytes, change: impl FnOnce(&mut M) -> bool) -> Vec<Bytes> {
    let mut decoded = M::decode(message).unwrap();
    if change(&mut decoded) { vec![decoded.encode_to_vec().into()] } else { vec![] }
}

/// The kit answers the second attempt; whoever asks once more is one too many.
fn is_second_discovery(path: &str) -> bool {
    static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
    path.ends_with("/discover") && ATTEMPTS.fetch_add(1, Ordering::Relaxed) == 1
}

/// Calls of unary actions.
fn is_unary(path: &str) -> bool {
    path == UNARY
}

fn is_entity(path: &str) -> bool {
    [EVENT_SOURCED, VALUE_ENTITY, CRDT].contains(&path)
}

/// Changes a command of an event sourced entity.
fn of_command(path: &str, message: Bytes, spoil: fn(&mut cloudstate_proto::Command)) -> Vec<Bytes> {
    if path != EVENT_SOURCED {
        return vec![message];
    }
    change(message, |message: &mut EventSourcedStreamIn| {
        if let Some(event_sourced_stream_in::Message::Command(command)) = &mut message.message {
            spoil(command);
        }
        true
    })
}

/// Keeps or loses a message to an event sourced entity.
fn kept(path: &str, message: Bytes, keep: fn(&mut event_sourced_stream_in::Message) -> bool) -> Vec<Bytes> {
    if path != EVENT_SOURCED {
        return vec![message];
    }
    change(message, |message: &mut EventSourcedStreamIn| message.message.as_mut().is_none_or(keep))
}

const EVERY_EVENT_SOURCED: &str = "PX-ES-1 PX-ES-2 PX-ES-3 PX-ES-4 PX-ES-5";

#[tokio::test(flavor = "multi_thread")]
async fn of_what_entities_are_told() {
    check(
        behind,
        &[
            // Not a fault: nothing is spoilt.
            ("nothing is spoilt", Spoil::default(), "reference", ""),
            (
                "commands have metadata",
                Spoil {
                    request: Some(|path, message| {
                        of_command(path, message, |command| command.metadata = Some(Metadata::default()))
                    }),
                    ..Spoil::default()
                },
                EVERY_EVENT_SOURCED,
                EVERY_EVENT_SOURCED,
            ),
            (
                "commands are counted from 0",
                Spoil {
                    request: Some(|path, message| of_command(path, message, |command| command.id -= 1)),
                    ..Spoil::default()
                },
                EVERY_EVENT_SOURCED,
                EVERY_EVENT_SOURCED,
            ),
            (
                "replayed events are lost",
                Spoil {
                    request: Some(|path, message| {
                        kept(path, message, |message| {
                            !matches!(message, event_sourced_stream_in::Message::Event(_))
                        })
                    }),
                    ..Spoil::default()
                },
                "PX-ES-1 PX-ES-3 PX-ES-4 PX-ES-X01 PX-ES-X02 PX-ES-X03 PX-ES-X04",
                "PX-ES-3 PX-ES-4 PX-ES-X01 PX-ES-X02 PX-ES-X03",
            ),
            (
                "replayed events come twice",
                Spoil {
                    request: Some(|path, message| {
                        let is_event = |message: &Bytes| {
                            let decoded = EventSourcedStreamIn::decode(message.clone()).unwrap().message;
                            matches!(decoded, Some(event_sourced_stream_in::Message::Event(_)))
                        };
                        let twice = path == EVENT_SOURCED && is_event(&message);
                        vec![message; if twice { 2 } else { 1 }]
                    }),
                    ..Spoil::default()
                },
                "PX-ES-1 PX-ES-3 PX-ES-X01 PX-ES-X04",
                "PX-ES-3 PX-ES-X01",
            ),
            (
                "snapshots are lost",
                Spoil {
                    request: Some(|path, message| {
                        kept(path, message, |message| {
                            if let event_sourced_stream_in::Message::Init(init) = message {
                                init.snapshot = None;
                            }
                            true
                        })
                    }),
                    ..Spoil::default()
                },
                "PX-ES-X01 PX-ES-X03 PX-ES-X04 PX-ES-C02",
                "PX-ES-X03 PX-ES-X04 PX-ES-C02",
            ),
            (
                "values begin without a state",
                Spoil {
                    request: Some(|path, message| {
                        if path != VALUE_ENTITY {
                            return vec![message];
                        }
                        change(message, |message: &mut ValueEntityStreamIn| {
                            if let Some(value_entity_stream_in::Message::Init(init)) = &mut message.message {
                                init.state = None;
                            }
                            true
                        })
                    }),
                    ..Spoil::default()
                },
                "PX-VE-1 PX-VE-3 PX-VE-X01 PX-ES-1",
                "PX-VE-1 PX-VE-3 PX-VE-X01",
            ),
            (
                "cancelled streams are not told of",
                Spoil {
                    request: Some(|path, message| {
                        if path != CRDT {
                            return vec![message];
                        }
                        change(message, |message: &mut CrdtStreamIn| {
                            !matches!(message.message, Some(crdt_stream_in::Message::StreamCancelled(_)))
                        })
                    }),
                    ..Spoil::default()
                },
                "PX-CRDT-1 PX-CRDT-4 PX-CRDT-X20 PX-CRDT-X21 PX-CRDT-X22",
                "PX-CRDT-4 PX-CRDT-X21 PX-CRDT-X22",
            ),
            (
                "the state of CRDTs is forgotten",
                Spoil {
                    request: Some(|path, message| {
                        if path != CRDT {
                            return vec![message];
                        }
                        change(message, |message: &mut CrdtStreamIn| {
                            if let Some(crdt_stream_in::Message::Init(init)) = &mut message.message {
                                init.delta = None;
                            }
                            true
                        })
                    }),
                    ..Spoil::default()
                },
                "PX-CRDT-1 PX-CRDT-X01 PX-CRDT-X04 PX-CRDT-X15 PX-CRDT-X20",
                "PX-CRDT-X01 PX-CRDT-X04 PX-CRDT-X15",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_calls() {
    check(
        behind,
        &[
            (
                "half-closes are lost",
                Spoil { loses_half_close: Some(is_entity), ..Spoil::default() },
                "PX-ES-1 PX-ES-3 PX-ES-5 PX-CRDT-1 PX-CRDT-4 PX-CRDT-6",
                "PX-ES-3 PX-ES-5 PX-CRDT-1 PX-CRDT-4 PX-CRDT-6",
            ),
            (
                "half-closes are resets",
                Spoil { resets: Some(is_entity), ..Spoil::default() },
                "PX-ES-1 PX-ES-5 PX-CRDT-1",
                "PX-ES-5 PX-CRDT-1",
            ),
            (
                "unary actions are called twice",
                Spoil { twice: Some(is_unary), ..Spoil::default() },
                "PX-ACT-1 PX-ACT-2 PX-ACT-3 PX-ACT-7 PX-ES-1",
                "PX-ACT-1 PX-ACT-7",
            ),
            (
                "discovery is asked twice",
                Spoil { twice: Some(is_second_discovery), ..Spoil::default() },
                "DISC PX-ES-1",
                "PX-DISC-X01",
            ),
            (
                "metadata does not reach actions",
                Spoil {
                    request: Some(|path, message| {
                        if path != UNARY {
                            return vec![message];
                        }
                        change(message, |command: &mut ActionCommand| {
                            command.metadata = None;
                            true
                        })
                    }),
                    ..Spoil::default()
                },
                "PX-ACT-1 PX-ACT-X01 PX-ACT-X02 PX-ACT-X04 PX-ACT-X08 PX-ACT-X09",
                "PX-ACT-X01 PX-ACT-X04 PX-ACT-X08 PX-ACT-X09",
            ),
            (
                "the first command of a streamed call has a payload",
                Spoil {
                    request: Some(|path, message| {
                        if path == UNARY || !path.starts_with("/cloudstate.action.") {
                            return vec![message];
                        }
                        change(message, |command: &mut ActionCommand| {
                            command.payload.get_or_insert_default();
                            true
                        })
                    }),
                    ..Spoil::default()
                },
                "PX-ACT-1 PX-ACT-2 PX-ACT-3 PX-ACT-4",
                "PX-ACT-2 PX-ACT-4",
            ),
        ],
    )
    .await;
}

fn reword(headers: &mut HeaderMap) {
    if headers.contains_key("grpc-message") {
        headers.insert("grpc-message", HeaderValue::from_static("something went wrong"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_clients_are_told() {
    check(
        before,
        &[
            ("nothing is spoilt", Spoil::default(), "PX-ACT-1 PX-ACT-9 PX-ES-1 REFL GRPC", ""),
            (
                "failures have another text",
                Spoil { trailers: Some(reword), ..Spoil::default() },
                "PX-ACT-1 PX-ACT-7 PX-ACT-8 PX-ACT-9 PX-ES-3 PX-VE-3 PX-CRDT-3",
                "PX-ACT-7 PX-ACT-8 PX-ES-3 PX-VE-3 PX-CRDT-3",
            ),
            (
                "replies come in another order",
                Spoil { responses: Some(|_, messages| messages.reverse()), ..Spoil::default() },
                "PX-ACT-1 PX-ACT-2 PX-ACT-3 PX-ACT-4",
                "PX-ACT-3 PX-ACT-4",
            ),
            (
                "replies come twice",
                Spoil { responses: Some(|_, messages| messages.extend_from_within(..)), ..Spoil::default() },
                "PX-ACT-1 PX-ACT-3 PX-ACT-7 PX-ES-1",
                "PX-ACT-1 PX-ACT-3 PX-ES-1",
            ),
            (
                "JSON has white space",
                Spoil {
                    http: Some(|body| String::from_utf8_lossy(body).replace("\":", "\": ").into_bytes()),
                    ..Spoil::default()
                },
                "PX-ACT-1 PX-ACT-9 PX-ES-4 PX-VE-4 PX-CRDT-5",
                "PX-ACT-9 PX-ES-4 PX-VE-4 PX-CRDT-5",
            ),
            (
                "JSON has a charset",
                Spoil {
                    response_head: Some(|head| {
                        let is_json = |value: &HeaderValue| value == "application/json";
                        if head.headers.get("content-type").is_some_and(is_json) {
                            let value = HeaderValue::from_static("application/json; charset=utf-8");
                            head.headers.insert("content-type", value);
                        }
                    }),
                    ..Spoil::default()
                },
                "PX-ACT-1 PX-ACT-9 PX-ES-4 PX-VE-4 PX-CRDT-5",
                "PX-ACT-9 PX-ES-4 PX-VE-4 PX-CRDT-5",
            ),
            (
                "failures are no failures of HTTP",
                Spoil {
                    response_head: Some(|head| {
                        if head.status == http::StatusCode::INTERNAL_SERVER_ERROR {
                            head.status = http::StatusCode::BAD_REQUEST;
                        }
                    }),
                    ..Spoil::default()
                },
                "PX-ACT-1 PX-ACT-9 PX-ES-4 PX-VE-4 PX-CRDT-5",
                "PX-ACT-9 PX-ES-4 PX-VE-4 PX-CRDT-5",
            ),
            (
                "the metadata of replies is lost",
                Spoil {
                    response_head: Some(|head| {
                        head.headers.remove("x-reply");
                    }),
                    ..Spoil::default()
                },
                "PX-ACT-1 PX-ACT-X05 PX-ACT-X06 PX-ACT-X07 PX-ROUTE-X07 PX-ROUTE-X09",
                "PX-ACT-X05 PX-ACT-X06 PX-ACT-X07 PX-ROUTE-X07 PX-ROUTE-X09",
            ),
            (
                "what clients say in headers is lost",
                Spoil {
                    request_headers: Some(|headers| {
                        headers.remove("x-kit");
                    }),
                    ..Spoil::default()
                },
                "PX-ACT-1 PX-ACT-X01 PX-ACT-X02 PX-ACT-X03 PX-ROUTE-X08",
                "PX-ACT-X01 PX-ACT-X02 PX-ACT-X03",
            ),
            (
                "clients call twice",
                Spoil { twice: Some(|path| path.ends_with("/ProcessUnary")), ..Spoil::default() },
                "PX-ACT-1 PX-ACT-2 PX-ACT-7",
                "PX-ACT-1 PX-ACT-7",
            ),
            (
                "services are listed in no order",
                Spoil {
                    responses: Some(|path, messages| {
                        if path.contains("reflection") {
                            messages.iter_mut().for_each(|message| *message = Bytes::new());
                        }
                    }),
                    ..Spoil::default()
                },
                "PX-REFL-1 PX-ACT-1",
                "PX-REFL-1",
            ),
        ],
    )
    .await;
}
