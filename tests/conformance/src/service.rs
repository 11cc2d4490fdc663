//! The service under test.

use std::{fmt, time::Duration};

use cloudstate_proto::{
    EntitySpec, PROTOCOL_MAJOR_VERSION, PROTOCOL_MINOR_VERSION, ProxyInfo,
    entity_discovery_client::EntityDiscoveryClient, entity_type,
};
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::{Channel, Endpoint};

use crate::{
    conversation,
    discovery::Discovered,
    mismatch::Mismatch,
    readable,
    scenario::{Scenario, Script},
};

/// The most that the reference proxy takes as well.
const LARGEST_SPEC: usize = 12 * 1024 * 1024;

/// Where the service listens, and how long each of its messages may take.
pub(crate) struct Service {
    endpoint: Endpoint,
    address: String,
    deadline: Duration,
}

/// The service cannot be tested at all.
#[derive(Debug)]
pub(crate) struct Unreachable(String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

impl Service {
    pub(crate) fn new(address: &str, deadline: Duration) -> Result<Self, Unreachable> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| Unreachable(format!("`{address}` is not an address: {error}")))?;
        Ok(Self { endpoint: endpoint.connect_timeout(deadline), address: address.to_owned(), deadline })
    }

    /// Asks what the service offers, again and again for `patience` while it does not answer.
    pub(crate) async fn discover(&self, patience: Duration) -> Result<Discovered, Unreachable> {
        let give_up = Instant::now() + patience;
        loop {
            match self.ask().await {
                Ok(spec) => return Ok(Discovered::new(spec)),
                Err(error) if Instant::now() >= give_up => return Err(error),
                // A service that starts: asking is all one can do.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn ask(&self) -> Result<EntitySpec, Unreachable> {
        let channel = self.connect().await.map_err(Unreachable)?;
        let mut client = EntityDiscoveryClient::new(channel).max_decoding_message_size(LARGEST_SPEC);
        let address = &self.address;
        match timeout(self.deadline, client.discover(proxy_info())).await {
            Ok(Ok(spec)) => Ok(spec.into_inner()),
            Ok(Err(status)) => Err(Unreachable(format!(
                "the service at {address} does not answer discover: {}",
                readable::status(&status)
            ))),
            Err(_) => Err(Unreachable(format!(
                "the service at {address} does not answer discover within {:?}",
                self.deadline
            ))),
        }
    }

    async fn connect(&self) -> Result<Channel, String> {
        let address = &self.address;
        match timeout(self.deadline, self.endpoint.connect()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(format!("cannot connect to {address}: {}", readable::root_cause(&error))),
            Err(_) => Err(format!("cannot connect to {address} within {:?}", self.deadline)),
        }
    }

    /// Plays one scenario, on a connection of its own: what one conversation breaks must not hurt the others.
    ///
    /// # Errors
    ///
    /// The first thing that was not as it should be.
    pub(crate) async fn play(
        &self,
        scenario: &Scenario,
        discovered: &Discovered,
    ) -> Result<(), Box<Mismatch>> {
        if let Script::Discovery(checks) = &scenario.script {
            return checks
                .iter()
                .try_for_each(|check| discovered.check(check))
                .map_err(Mismatch::outside_conversations);
        }
        let channel = self.connect().await.map_err(Mismatch::outside_conversations)?;
        match &scenario.script {
            Script::Discovery(_) => Ok(()),
            Script::EventSourced(script) => conversation::hold(script, channel, self.deadline).await,
            Script::ValueEntity(script) => conversation::hold(script, channel, self.deadline).await,
            Script::Crdt(script) => conversation::hold(script, channel, self.deadline).await,
            Script::Action(script) => conversation::hold(script, channel, self.deadline).await,
        }
    }
}

fn proxy_info() -> ProxyInfo {
    let supported =
        [entity_type::ACTION, entity_type::VALUE_ENTITY, entity_type::EVENT_SOURCED, entity_type::CRDT];
    ProxyInfo {
        protocol_major_version: PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: PROTOCOL_MINOR_VERSION,
        proxy_name: "cloudstate-tck".to_owned(),
        proxy_version: env!("CARGO_PKG_VERSION").to_owned(),
        supported_entity_types: supported.map(str::to_owned).to_vec(),
    }
}
