//! The documents explain the contract of the shopping cart: `include_protos!()` in their code brings it in.

fn main() -> std::io::Result<()> {
    let proto = "../../examples/shopping-cart/proto";
    cloudstate_build::compile_protos(
        &[
            format!("{proto}/shoppingcart/shoppingcart.proto"),
            format!("{proto}/shoppingcart/persistence/domain.proto"),
        ],
        &[proto],
    )
}
