//! How many asynchronous side effects are under way at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Asynchronous side effects that are under way at once; more wait.
pub(super) const MAX_ASYNC_EFFECTS: usize = 1024;

/// The places of all that are under way.
pub(super) struct Places(Arc<Semaphore>);

/// The place of one asynchronous side effect, and of whatever it is forwarded to.
pub(super) struct Place {
    places: Arc<Semaphore>,
    /// None while it is lent.
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Places {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_ASYNC_EFFECTS)))
    }

    /// Waits until fewer than [`MAX_ASYNC_EFFECTS`] are under way.
    pub(super) async fn take(&self) -> Place {
        let place = Place { places: Arc::clone(&self.0), permit: Mutex::default() };
        place.take_back().await;
        place
    }
}

impl Place {
    /// Gives it to others while further effects are carried out, which need places themselves: otherwise all places
    /// could be held by those who wait for one.
    pub(super) fn lend(&self) {
        self.set(None);
    }

    /// Waits for a place again.
    pub(super) async fn take_back(&self) {
        // Closing the semaphore is nobody's business, so a permit always comes.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        self.set(permit);
    }

    fn set(&self, permit: Option<OwnedSemaphorePermit>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }
}
