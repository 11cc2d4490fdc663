//! An action with all four shapes of a call. The contract is in `proto/`.

use cloudstate_sdk::action::*;

cloudstate_sdk::include_protos!();
use com::example::hello::{Greeting, Person, greeter};

const EVERYWHERE: [&str; 4] = ["Hello", "Bonjour", "Hallo", "Ciao"];

/// How many people one greeting names: a caller decides how many it sends, so there has to be an end.
const MOST_AT_ONCE: usize = 100;

/// Greets. All calls share it; it has nothing to share.
#[action(service = greeter)]
#[derive(Default)]
pub struct Greeter;

impl ActionService for Greeter {
    type Error = Failure;
}

impl greeter::Action for Greeter {
    async fn hello(&self, person: Person, _: &Context) -> Reply<Self, Greeting> {
        Ok(greeting("Hello", person)?.into())
    }

    async fn hello_all(&self, mut people: Requests<Person>, _: &Context) -> Reply<Self, Greeting> {
        let mut names = Vec::new();
        while let Some(person) = people.try_next().await? {
            if names.len() == MOST_AT_ONCE {
                return Err(Failure::resource_exhausted(format!("at most {MOST_AT_ONCE} at once")));
            }
            names.push(name(person)?);
        }
        if names.is_empty() {
            return Err(Failure::invalid_argument("nobody to greet"));
        }
        Ok(Greeting { text: format!("Hello, {}!", names.join(", ")) }.into())
    }

    async fn hello_everywhere(&self, person: Person, _: &Context) -> StreamReply<Self, Greeting> {
        let name = name(person)?;
        let greetings = EVERYWHERE.map(|hello| Ok(Greeting { text: format!("{hello}, {name}!") }));
        Ok(Replies::from_stream(stream::iter(greetings)))
    }

    // A person without a name fails that greeting, not the others.
    async fn hello_each(&self, people: Requests<Person>, _: &Context) -> StreamReply<Self, Greeting> {
        Ok(Replies::from_stream(people.map(|person| greeting("Hello", person?))))
    }
}

fn greeting(hello: &str, person: Person) -> Result<Greeting, Failure> {
    Ok(Greeting { text: format!("{hello}, {}!", name(person)?) })
}

fn name(person: Person) -> Result<String, Failure> {
    if person.name.is_empty() { Err(Failure::invalid_argument("the name is empty")) } else { Ok(person.name) }
}

/// Serves the action until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or the action and its contract do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    cloudstate_sdk::serve().await
}
