//! A user function with entities of two kinds.

use cloudstate_proto::entity_passivation_strategy::Strategy;
use cloudstate_proto::{ProxyInfo, entity_type};
use cloudstate_sdk::CloudState;

use super::model::{MODEL, Model, TWO, Two};
use crate::cart::Cart;
use crate::proxy::UserFunction;

#[tokio::test]
async fn both_kinds_are_described() {
    let function =
        UserFunction::start(CloudState::new().register::<Cart>().register::<Model>().register::<Two>()).await;
    let spec = function.discovery().await.discover(ProxyInfo::default()).await.unwrap().into_inner();
    let described: Vec<_> = spec
        .entities
        .iter()
        .map(|entity| {
            let timeout = entity.passivation_strategy.map(|strategy| match strategy.strategy {
                Some(Strategy::Timeout(timeout)) => timeout.timeout,
                None => panic!("an empty passivation strategy"),
            });
            (entity.entity_type.as_str(), entity.service_name.as_str(), &*entity.persistence_id, timeout)
        })
        .collect();
    assert_eq!(
        described,
        [
            (entity_type::EVENT_SOURCED, "com.example.shoppingcart.ShoppingCart", "shopping-cart", None),
            (entity_type::VALUE_ENTITY, MODEL, "value-entity-tck-model", None),
            (entity_type::VALUE_ENTITY, TWO, "value-entity-tck-model-two", Some(100)),
        ]
    );
}
