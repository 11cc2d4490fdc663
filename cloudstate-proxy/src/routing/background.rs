//! What is carried out beside the calls that led to it.

use std::{future::Future, sync::Arc};

use tokio::{sync::watch, task::JoinHandle};

/// The tasks that outlive the calls that led to them, so that a stop can wait for them.
#[derive(Clone, Default)]
pub(crate) struct Background(Arc<watch::Sender<usize>>);

impl Background {
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let counted = Counted::new(self);
        tokio::spawn(async move {
            let _counted = counted;
            task.await
        })
    }

    /// Resolves when nothing is under way.
    pub(crate) async fn finished(&self) {
        // There is a sender as long as there is `self`.
        let _ = self.0.subscribe().wait_for(|tasks| *tasks == 0).await;
    }
}

/// One that is under way.
struct Counted(Background);

impl Counted {
    fn new(background: &Background) -> Self {
        background.0.send_if_modified(|tasks| {
            *tasks += 1;
            false
        });
        Self(background.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|tasks| {
            *tasks -= 1;
            *tasks == 0
        });
    }
}
