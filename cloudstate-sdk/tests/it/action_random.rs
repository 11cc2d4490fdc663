//! Random streams of requests: whatever comes, each element is answered once and in order, and the call ends.

use cloudstate_proto::Any;
use cloudstate_proto::action::ActionCommand;
use cloudstate_sdk::CloudState;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use tonic::Code;

use crate::action_model::vices::{PANIC, REFUSE, SUMS, Vices};
use crate::cart::com::example::sums::{Count, Number};
use crate::proxy::{UserFunction, any};

#[derive(Clone, Debug)]
enum Element {
    Number(i64),
    Refused,
    WithoutPayload,
    OfAnotherType,
    Garbage(Vec<u8>),
    Panic,
}

impl Element {
    fn command(&self) -> ActionCommand {
        let payload = match self {
            Self::Number(value) => Some(any(&Number { value: *value })),
            Self::Refused => Some(any(&Number { value: REFUSE })),
            Self::Panic => Some(any(&Number { value: PANIC })),
            Self::OfAnotherType => Some(any(&Count { to: 1 })),
            // Field 1 with a type that it does not have, and then anything.
            Self::Garbage(bytes) => {
                let value = [b"\x0a\x7f", bytes.as_slice()].concat().into();
                Some(Any { type_url: "t/com.example.sums.Number".into(), value })
            }
            Self::WithoutPayload => None,
        };
        // Names in later commands mean nothing.
        ActionCommand { payload, name: "Cube".into(), ..Default::default() }
    }
}

fn element() -> impl Strategy<Value = Element> {
    prop_oneof![
        8 => (0i64..1_000).prop_map(Element::Number),
        1 => Just(Element::Refused),
        1 => Just(Element::WithoutPayload),
        1 => Just(Element::OfAnotherType),
        1 => prop::collection::vec(any_byte(), 0..20).prop_map(Element::Garbage),
        1 => Just(Element::Panic),
    ]
}

fn any_byte() -> impl Strategy<Value = u8> {
    0u8..=255
}

fn check(play: impl AsyncFn(&UserFunction, &[Element])) {
    let runtime = Runtime::new().unwrap();
    let function = runtime.block_on(UserFunction::start(CloudState::new().register_action(Vices::new())));
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(element(), 0..12), |elements| {
            runtime.block_on(play(&function, &elements));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_call_that_streams_both_ways_answers_each_element() {
    check(async |function, elements| {
        let mut call = function.open_action("handleStreamed", SUMS, "Running").await;
        for element in elements {
            call.send_command(element.command());
        }
        call.half_close();
        for element in elements {
            match element {
                Element::Number(value) => assert_eq!(call.reply::<Number>().await.value, *value),
                Element::Panic => {
                    assert_eq!(call.status().await.code(), Code::Internal);
                    return;
                }
                _ => assert!(!call.failure().await.description.is_empty()),
            }
        }
        call.expect_end().await;
    });
}

#[test]
fn a_call_that_streams_in_has_one_answer() {
    check(async |function, elements| {
        let mut call = function.open_action("handleStreamedIn", SUMS, "Sum").await;
        for element in elements {
            call.send_command(element.command());
        }
        call.half_close();
        match elements.iter().find(|element| !matches!(element, Element::Number(_))) {
            Some(Element::Panic) => {
                assert_eq!(call.status().await.code(), Code::Internal);
                return;
            }
            Some(_) => assert!(!call.failure().await.description.is_empty()),
            None => {
                let number =
                    |element: &Element| if let Element::Number(value) = element { *value } else { 0 };
                assert_eq!(call.reply::<Number>().await.value, elements.iter().map(number).sum::<i64>());
            }
        }
        call.expect_end().await;
    });
}
