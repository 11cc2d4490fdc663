//! Actions that behave at random, and clients that do: every call comes to an end, on both sides, those of side effects
//! included. What was played is printed when it fails.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cloudstate_proto::Metadata;
use futures_util::future::join_all;
use proptest::{prelude::*, test_runner::TestRunner};
use tonic::{Code, Status};

use crate::{
    action_calls::{ActionCall, failing, forwarding, only_effects, replying},
    actions::{CALLS, effect, spec},
    client::Client,
    contract::{any, request},
    hosted::{host_with, serving, settings},
    streams::StreamedCall,
    user_function::{UserFunction, soon},
    waiting::until,
};

/// What the function does with one call.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Reply,
    ReplyTwice,
    RespondWithNothing,
    Fail,
    BreakOff,
    EndAtOnce,
    ReadToTheEnd,
    Forward(&'static str),
    Effect(&'static str, bool),
    NeverAnswer,
}

const BEHAVIOURS: [Behaviour; 14] = [
    Behaviour::Reply,
    Behaviour::ReplyTwice,
    Behaviour::RespondWithNothing,
    Behaviour::Fail,
    Behaviour::BreakOff,
    Behaviour::EndAtOnce,
    Behaviour::ReadToTheEnd,
    Behaviour::Forward("Unary"),
    Behaviour::Forward("Both"),
    Behaviour::Effect("Unary", true),
    Behaviour::Effect("Out", true),
    Behaviour::Effect("In", false),
    Behaviour::Effect("Both", false),
    Behaviour::NeverAnswer,
];

/// What the client does: which rpc it calls, how many requests it sends, whether it says that these are all.
#[derive(Clone, Debug)]
struct Conduct {
    rpc: &'static str,
    requests: usize,
    half_closes: bool,
}

const RPCS: [&str; 4] = ["Unary", "In", "Out", "Both"];
/// How long the proxy waits for an action, and twice that a client for whatever has no limit.
const PATIENCE: Duration = Duration::from_millis(100);

fn conduct() -> impl Strategy<Value = Conduct> {
    (proptest::sample::select(&RPCS[..]), 0..3usize, proptest::bool::ANY)
        .prop_map(|(rpc, requests, half_closes)| Conduct { rpc, requests, half_closes })
}

#[test]
fn every_call_ends_on_both_sides() {
    let config =
        ProptestConfig { cases: 8, max_shrink_iters: 8, failure_persistence: None, ..Default::default() };
    let behaviours = proptest::collection::vec(proptest::sample::select(&BEHAVIOURS[..]), 0..40);
    let conducts = proptest::collection::vec(conduct(), 1..30);
    let played = TestRunner::new(config).run(&(behaviours, conducts), |(behaviours, conducts)| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(play(behaviours, conducts));
        Ok(())
    });
    played.unwrap();
}

async fn play(behaviours: Vec<Behaviour>, conducts: Vec<Conduct>) {
    let mut function = UserFunction::with_spec(spec());
    let held = misbehaving(&mut function, behaviours);
    let mut settings = settings(function.address);
    settings.relay_timeout = PATIENCE;
    let (proxy, client) = host_with(settings).await;
    let address = serving(&proxy).await.listen;
    join_all(conducts.into_iter().map(|conduct| call(address, conduct))).await;
    until("the function to be left alone", async || held.load(Ordering::SeqCst) == 0).await;
    recovers(&client).await;
    soon("the stop", proxy.shutdown()).await;
}

/// How many calls the function holds. When `behaviours` are used up, it replies.
fn misbehaving(function: &mut UserFunction, mut behaviours: Vec<Behaviour>) -> Arc<AtomicUsize> {
    behaviours.reverse();
    let behaviours = Mutex::new(behaviours);
    let held = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&held);
    let (_, nothing) = tokio::sync::mpsc::unbounded_channel();
    let mut calls = std::mem::replace(&mut function.action_calls, nothing);
    function.spawn(async move {
        while let Some(call) = calls.recv().await {
            let behaviour = behaviours.lock().unwrap().pop().unwrap_or(Behaviour::Reply);
            counted.fetch_add(1, Ordering::SeqCst);
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                misbehave(call, behaviour).await;
                counted.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    held
}

async fn misbehave(mut call: ActionCall, behaviour: Behaviour) {
    match behaviour {
        Behaviour::Reply => call.reply("fine"),
        Behaviour::ReplyTwice => {
            call.reply("fine");
            call.reply("fine, too");
        }
        Behaviour::RespondWithNothing => call.respond(only_effects(Vec::new())),
        Behaviour::Fail => call.respond(failing("no", 0)),
        Behaviour::BreakOff => call.fail(Status::internal("broken")),
        Behaviour::EndAtOnce => {}
        Behaviour::ReadToTheEnd => {
            call.read_to_the_end().await;
            call.reply("read");
        }
        Behaviour::Forward(rpc) => {
            let payload = any("Request", &request("", "forwarded"));
            call.respond(forwarding(CALLS, rpc, payload, Metadata::default()));
        }
        Behaviour::Effect(rpc, synchronous) => {
            let mut response = replying("with an effect");
            response.side_effects = vec![effect(CALLS, rpc, "", synchronous)];
            call.respond(response);
        }
        Behaviour::NeverAnswer => call.abandoned().await,
    }
}

/// Makes a call and takes what comes, as long as it has patience.
async fn call(proxy: SocketAddr, Conduct { rpc, requests, half_closes }: Conduct) {
    let takes_stream = matches!(rpc, "In" | "Both");
    let mut call = StreamedCall::begin(proxy, &format!("{CALLS}/{rpc}")).await;
    for _ in 0..if takes_stream { requests } else { 1 } {
        call.send("", "request");
    }
    if half_closes || !takes_stream {
        call.half_close();
    }
    let ended = async {
        loop {
            match call.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(status) => {
                    assert_ne!(status.code(), Code::Ok);
                    assert!(!status.message().is_empty(), "a failure without a reason: {status:?}");
                    return;
                }
            }
        }
    };
    if rpc == "Unary" {
        return soon("the end of a unary call", ended).await;
    }
    // It goes away in the middle of what may have no end.
    let _ = tokio::time::timeout(PATIENCE * 2, ended).await;
}

/// Asks until what the calls before left to be done is used up.
async fn recovers(client: &Client) {
    until("it to recover", async || client.call("test.Calls/Unary", "", "").await.code == Code::Ok).await;
}
