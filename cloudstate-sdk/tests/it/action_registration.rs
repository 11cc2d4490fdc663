//! Which actions are served.

use cloudstate_proto::entity_type;
use cloudstate_sdk::CloudState;

use crate::action_model::vices::{SUMS, Vices};
use crate::action_model::{ActionModel, MODEL};
use crate::cart::com::example::sums::Number;
use crate::proxy::{UserFunction, any};

#[tokio::test]
async fn an_action_is_discovered_under_its_service_s_name() {
    let function = UserFunction::start(CloudState::new().register::<ActionModel>()).await;
    let spec = function.discovery().await.discover(cloudstate_proto::ProxyInfo::default()).await.unwrap();
    let entity = &spec.get_ref().entities[0];
    assert_eq!((&*entity.entity_type, &*entity.service_name), (entity_type::ACTION, MODEL));
    assert_eq!((&*entity.persistence_id, &entity.passivation_strategy), (MODEL, &None));
}

#[tokio::test]
async fn one_service_has_one_action() {
    let twice = CloudState::new().register_action(Vices::new()).register_action(Vices::new());
    let error = twice.address("127.0.0.1", 0).bind().await.unwrap_err();
    assert!(error.is_registered_twice());
    assert!(error.to_string().starts_with(&format!("`{SUMS}` is registered twice: ")), "{error}");
}

#[tokio::test]
async fn one_instance_serves_all_calls() {
    let made = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&made);
    let create = move |_: &_| {
        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Vices::new()
    };
    let function = UserFunction::start(CloudState::new().register_with(create)).await;
    for value in 1..=3 {
        let mut call = function.call_action("handleUnary", SUMS, "Square", any(&Number { value })).await;
        assert_eq!(call.reply::<Number>().await.value, value * value);
    }
    assert_eq!(made.load(std::sync::atomic::Ordering::SeqCst), 1);
}
