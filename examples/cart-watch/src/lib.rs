//! An action that follows the events of all shopping carts, served beside them. The contract is in `proto/`.

mod index;

use cloudstate_sdk::action::*;

cloudstate_sdk::include_protos!();
use com::example::{
    cartwatch::{Carts, Product, cart_watch},
    shoppingcart::persistence::{ItemAdded, ItemRemoved},
};

pub use index::{InMemory, Index};

/// Keeps an index of the carts that hold a product.
#[action(service = cart_watch)]
pub struct CartWatch<I: Index> {
    index: I,
}

impl<I: Index> ActionService for CartWatch<I> {
    type Error = Failure;
}

// Three answers to an event: done (a reply), not for us (skip), and not now (an error: it comes again, and the later
// ones of its cart wait for it).
impl<I: Index> cart_watch::Action for CartWatch<I> {
    async fn find_carts(&self, product: Product, _: &Context) -> Reply<Self, Carts> {
        Ok(Carts { user_ids: self.index.carts(&product.product_id).map_err(not_now)? }.into())
    }

    async fn on_item_added(&self, added: ItemAdded, context: &Context) -> Reply<Self, ()> {
        let (Some(cart), Some(item)) = (cart(context), added.item) else {
            return Ok(Effect::skip("an item was added, but which, or to which cart, is not said"));
        };
        self.index.insert(&item.product_id, cart).map_err(not_now)?;
        Ok(().into())
    }

    async fn on_item_removed(&self, removed: ItemRemoved, context: &Context) -> Reply<Self, ()> {
        let Some(cart) = cart(context) else {
            return Ok(Effect::skip("an item was removed, but from which cart is not said"));
        };
        self.index.remove(&removed.product_id, cart).map_err(not_now)?;
        Ok(().into())
    }

    // Without it an event of a new kind would find no handler, and stop the log.
    async fn on_other(&self, event: Any, _: &Context) -> Reply<Self, ()> {
        Ok(Effect::skip(format!("`{}` does not say what is in a cart", event.type_url)))
    }
}

impl<I: Index> CartWatch<I> {
    /// Keeps what it learns in `index`.
    pub fn new(index: I) -> Self {
        Self { index }
    }
}

/// The entity to which the event happened.
fn cart(context: &Context) -> Option<&str> {
    context.metadata().cloud_event().subject()
}

fn not_now(error: std::io::Error) -> Failure {
    Failure::unavailable(format!("the index cannot be reached: {error}"))
}

/// Serves the action, and the carts it follows, until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or something served and its contract do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    let watch = CartWatch::new(InMemory::default());
    cloudstate_sdk::CloudState::new().register::<shopping_cart::Cart>().register_action(watch).serve().await
}
