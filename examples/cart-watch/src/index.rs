//! Where the action keeps what it learns.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which carts hold a product: in production a database, which may be out of reach.
///
/// Events come at least once. Doing any of this twice has the effect of doing it once, so nobody need notice.
pub trait Index: Send + Sync + 'static {
    /// The cart holds the product.
    ///
    /// # Errors
    ///
    /// When it was not stored.
    fn insert(&self, product: &str, cart: &str) -> io::Result<()>;

    /// The cart does not hold the product.
    ///
    /// # Errors
    ///
    /// When it was not stored.
    fn remove(&self, product: &str, cart: &str) -> io::Result<()>;

    /// The carts that hold the product, in order.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn carts(&self, product: &str) -> io::Result<Vec<String>>;
}

/// Forgets everything when the program ends. Enough to see how it works.
#[derive(Debug, Default)]
pub struct InMemory {
    carts: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl InMemory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.carts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for InMemory {
    fn insert(&self, product: &str, cart: &str) -> io::Result<()> {
        self.lock().entry(product.to_owned()).or_default().insert(cart.to_owned());
        Ok(())
    }

    fn remove(&self, product: &str, cart: &str) -> io::Result<()> {
        let mut carts = self.lock();
        if let Some(holders) = carts.get_mut(product) {
            holders.remove(cart);
        }
        carts.retain(|_, holders| !holders.is_empty());
        Ok(())
    }

    fn carts(&self, product: &str) -> io::Result<Vec<String>> {
        Ok(self.lock().get(product).into_iter().flatten().cloned().collect())
    }
}
