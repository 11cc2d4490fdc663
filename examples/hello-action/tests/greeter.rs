//! The action, tested without server: unary rpcs through the test kit, streamed ones as what they are, functions.

use cloudstate_sdk::action::{
    Code, Context, Requests,
    testkit::{Outcome, TestKit},
};
use hello_action::{
    Greeter,
    com::example::hello::{
        Greeting, Person,
        greeter::{self, Action as _},
    },
};

fn person(name: &str) -> Person {
    Person { name: name.into() }
}

fn people<const N: usize>(names: [&str; N]) -> Requests<Person> {
    Requests::from_messages(names.map(person))
}

/// The text of a greeting, or the message of a failure.
fn text(outcome: &Outcome<Greeting>) -> &str {
    match outcome.result() {
        Some(Ok(greeting)) => &greeting.text,
        _ => &outcome.failure().message,
    }
}

fn texts(outcomes: &[Outcome<Greeting>]) -> Vec<&str> {
    outcomes.iter().map(text).collect()
}

#[tokio::test]
async fn one_is_greeted() {
    let greeter = TestKit::new(Greeter);
    assert_eq!(greeter.call(greeter::hello(person("Ann"))).await.reply().text, "Hello, Ann!");
}

#[tokio::test]
async fn nobody_is_not_greeted() {
    let greeter = TestKit::new(Greeter);
    assert_eq!(greeter.call(greeter::hello(person(""))).await.failure().code, Code::InvalidArgument);
}

#[tokio::test]
async fn all_are_greeted_at_once() {
    let outcome = Outcome::of(Greeter.hello_all(people(["Ann", "Bob"]), &Context::default()).await);
    assert_eq!(outcome.reply().text, "Hello, Ann, Bob!");
}

#[tokio::test]
async fn there_is_a_limit_to_one_greeting() {
    for (count, fits) in [(0, false), (1, true), (100, true), (101, false)] {
        let people = Requests::from_messages(vec![person("Ann"); count]);
        let outcome = Outcome::of(Greeter.hello_all(people, &Context::default()).await);
        assert_eq!(matches!(outcome.result(), Some(Ok(_))), fits, "{count}");
    }
}

#[tokio::test]
async fn one_is_greeted_in_every_language() {
    let replies = Greeter.hello_everywhere(person("Ann"), &Context::default()).await;
    let outcomes = Outcome::all(replies).await;
    assert_eq!(texts(&outcomes), ["Hello, Ann!", "Bonjour, Ann!", "Hallo, Ann!", "Ciao, Ann!"]);
}

#[tokio::test]
async fn each_is_greeted_and_a_failure_is_one_of_the_answers() {
    let replies = Greeter.hello_each(people(["Ann", "", "Bob"]), &Context::default()).await;
    let outcomes = Outcome::all(replies).await;
    assert_eq!(texts(&outcomes), ["Hello, Ann!", "the name is empty", "Hello, Bob!"]);
}
