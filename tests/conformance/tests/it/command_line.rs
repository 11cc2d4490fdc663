//! What people type, and what they are told.

use crate::{kit, service::Service};

#[tokio::test]
async fn a_right_service_passes_all_that_it_offers() {
    let service = Service::start(None).await;
    let run = kit::test(service.address, &[]).await;
    println!("{}", run.stdout);
    assert_eq!(run.failed(), [].into());
}
