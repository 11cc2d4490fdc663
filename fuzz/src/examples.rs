//! A user function in this process, with a service of each kind from the examples.

use std::net::SocketAddr;

use cloudstate_sdk::CloudState;

/// Starts it; to where it listens.
pub async fn start() -> SocketAddr {
    let function = CloudState::new()
        .register::<shopping_cart::Cart>()
        .register::<shopping_cart_value::Cart>()
        .register::<presence::Room>()
        .register_action(hello_action::Greeter)
        .address("127.0.0.1", 0);
    let server = function.bind().await.expect("the user function starts");
    let address = server.address();
    tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    address
}
