//! User functions that behave at random: every call gets exactly one answer, and what was acknowledged is kept.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use cloudstate_proto::{client_action::Action, eventsourced::event_sourced_stream_in::Message as In};
use futures_util::future::join_all;
use proptest::{prelude::*, test_runner::TestRunner};
use prost::Message as _;
use tonic::{Code, Status};

use crate::{
    client::{Answer, Client},
    contract::Request,
    hosted::{host_with, metric, settings},
    user_function::{Out, Stream, UserFunction, With, acting, failure, refusal, reply, soon},
    waiting::found,
};

/// What the function does with one command.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Reply,
    Persist,
    PersistAndSnapshot,
    Fail,
    FailAndRestart,
    PersistAndFail,
    ReplyToAnother,
    ReplyTwice,
    SayNothingInAMessage,
    FailTheStream,
    EndTheStream,
    BreakTheStream,
    NeverAnswer,
}

const BEHAVIOURS: [Behaviour; 13] = [
    Behaviour::Reply,
    Behaviour::Persist,
    Behaviour::PersistAndSnapshot,
    Behaviour::Fail,
    Behaviour::FailAndRestart,
    Behaviour::PersistAndFail,
    Behaviour::ReplyToAnother,
    Behaviour::ReplyTwice,
    Behaviour::SayNothingInAMessage,
    Behaviour::FailTheStream,
    Behaviour::EndTheStream,
    Behaviour::BreakTheStream,
    Behaviour::NeverAnswer,
];

/// What the commands will meet, in the order in which they arrive; afterwards the function behaves.
type Script = Arc<Mutex<Vec<Behaviour>>>;

#[test]
fn every_call_has_one_answer_and_nothing_acknowledged_is_lost() {
    for_random_scripts(play);
}

#[test]
fn a_stop_ends_with_an_answer_for_every_command_that_was_accepted() {
    for_random_scripts(stop_amid);
}

fn for_random_scripts<F: Future<Output = ()>>(test: impl Fn(Vec<Behaviour>) -> F) {
    let config =
        ProptestConfig { cases: 10, max_shrink_iters: 20, failure_persistence: None, ..Default::default() };
    let script = proptest::collection::vec(proptest::sample::select(&BEHAVIOURS[..]), 0..60);
    let played = TestRunner::new(config).run(&script, |script| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(test(script));
        Ok(())
    });
    played.unwrap();
}

const ENTITIES: usize = 4;
const CALLS: usize = 15;

/// A user function that follows `script`.
fn function(script: Vec<Behaviour>) -> UserFunction {
    let script: Script = Arc::new(Mutex::new(script.into_iter().rev().collect()));
    let mut function = UserFunction::new();
    let mut streams = function.take_streams();
    function.spawn(async move {
        while let Some(stream) = streams.recv().await {
            tokio::spawn(misbehave(stream, Arc::clone(&script)));
        }
    });
    function
}

async fn stop_amid(script: Vec<Behaviour>) {
    let function = function(script);
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(200);
    let (proxy, client) = host_with(settings).await;
    let calls = (0..ENTITIES * CALLS).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { client.act(&format!("e{}", number % ENTITIES), "call").await })
    });
    let calls: Vec<_> = calls.collect();
    let received = r#"eventsourced_received_commands_total{entity_name="test.things"}"#;
    metric(&proxy, received, (ENTITIES * CALLS) as u64).await;
    soon("the stop", proxy.shutdown()).await;
    for call in join_all(calls).await {
        is_acknowledged(&call.unwrap());
    }
}

async fn play(script: Vec<Behaviour>) {
    let function = function(script);
    let mut settings = settings(function.address);
    settings.relay_timeout = Duration::from_millis(400);
    let (_proxy, client) = host_with(settings).await;

    let calls = (0..ENTITIES * CALLS).map(|number| {
        let client = client.clone();
        let id = format!("e{}", number % ENTITIES);
        async move {
            let text = format!("call {number}");
            let answer = client.act(&id, &text).await;
            (id, text, answer)
        }
    });
    let mut acknowledged: Vec<BTreeSet<String>> = vec![BTreeSet::new(); ENTITIES];
    for (id, text, answer) in join_all(calls).await {
        if is_acknowledged(&answer) {
            let entity: usize = id[1..].parse().unwrap();
            acknowledged[entity].insert(text);
        }
    }
    for (entity, acknowledged) in acknowledged.iter().enumerate() {
        let kept = history(&client, &format!("e{entity}")).await;
        let unique: BTreeSet<_> = kept.iter().cloned().collect();
        assert_eq!(unique.len(), kept.len(), "an event was stored twice: {kept:?}");
        let lost: Vec<_> = acknowledged.difference(&unique).collect();
        assert!(lost.is_empty(), "acknowledged but lost: {lost:?} of {kept:?}");
    }
}

/// The reply says whether its event was emitted.
fn is_acknowledged(answer: &Answer) -> bool {
    match answer.code {
        Code::Ok => answer.reply() == "persisted",
        _ => {
            assert!(!answer.text.is_empty(), "a failure without a reason: {answer:?}");
            false
        }
    }
}

/// Asks until the entity has got over what it went through.
async fn history(client: &Client, id: &str) -> Vec<String> {
    let history = async || {
        let answer = client.act(id, "history").await;
        (answer.code == Code::Ok).then(|| answer.reply())
    };
    let history = found("the entity to recover", history).await;
    history.split(';').filter(|event| !event.is_empty()).map(str::to_owned).collect()
}

async fn misbehave(mut stream: Stream, script: Script) {
    let mut history: Vec<String> = Vec::new();
    while let Some(message) = stream.next_while_it_lasts().await {
        match message {
            In::Init(init) => {
                if let Some(snapshot) = init.snapshot {
                    let text = String::from_utf8(snapshot.snapshot.unwrap().value.to_vec()).unwrap();
                    history = text.split(';').map(str::to_owned).collect();
                    assert_eq!(history.len() as i64, snapshot.snapshot_sequence);
                }
            }
            In::Event(event) => {
                history.push(String::from_utf8(event.payload.unwrap().value.to_vec()).unwrap());
                assert_eq!(history.len() as i64, event.sequence, "a gap in the replay");
            }
            In::Command(command) => {
                let text = Request::decode(command.payload.unwrap().value).unwrap().text;
                if text == "history" {
                    stream.reply(command.id, &history.join(";"));
                    continue;
                }
                let behaviour = script.lock().unwrap().pop().unwrap_or(Behaviour::Persist);
                match carry_out(stream, behaviour, command.id, &text, &mut history) {
                    Some(going_on) => stream = going_on,
                    None => return,
                }
            }
        }
    }
}

/// None: the stream is over.
fn carry_out(
    stream: Stream,
    behaviour: Behaviour,
    id: i64,
    text: &str,
    history: &mut Vec<String>,
) -> Option<Stream> {
    let reply_with = |reply| stream.send(Out::Reply(reply));
    match behaviour {
        Behaviour::Reply => reply_with(reply(id, "only said")),
        Behaviour::Persist => {
            history.push(text.to_owned());
            reply_with(reply(id, "persisted").with_events([text]));
        }
        Behaviour::PersistAndSnapshot => {
            history.push(text.to_owned());
            reply_with(reply(id, "persisted").with_events([text]).with_snapshot(&history.join(";")));
        }
        Behaviour::Fail => reply_with(refusal(id, "no")),
        Behaviour::FailAndRestart => {
            let failure = cloudstate_proto::Failure { restart: true, ..failure(id, "no, again") };
            reply_with(acting(id, Action::Failure(failure)));
        }
        Behaviour::PersistAndFail => reply_with(refusal(id, "no").with_events([text])),
        Behaviour::ReplyToAnother => reply_with(reply(id + 1, "persisted").with_events([text])),
        Behaviour::ReplyTwice => {
            history.push(text.to_owned());
            reply_with(reply(id, "persisted").with_events([text]));
            reply_with(reply(id, "persisted").with_events(["never"]));
        }
        Behaviour::SayNothingInAMessage => stream.send_nothing(),
        Behaviour::FailTheStream => stream.send(Out::Failure(failure(id, "I fell over"))),
        Behaviour::EndTheStream => return None,
        Behaviour::BreakTheStream => {
            stream.fail(Status::internal("broken"));
            return None;
        }
        Behaviour::NeverAnswer => {}
    }
    Some(stream)
}
