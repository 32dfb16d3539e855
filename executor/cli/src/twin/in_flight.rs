//! Calls under way. A twin's clock stands still while there are any: a call that takes milliseconds of real time must
//! not take minutes of domain time because somebody else waits beside it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use switchback_executor::ports::{Around, Call};
use tokio::sync::watch;

/// Counts calls under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<watch::Sender<usize>>);

/// A call under way, until it is dropped.
pub(crate) struct Guard(Arc<watch::Sender<usize>>);

impl InFlight {
    pub(crate) fn enter(&self) -> Guard {
        self.0.send_modify(|calls| *calls += 1);
        Guard(Arc::clone(&self.0))
    }

    /// Comes back when nothing is under way; after a real time too, since a call may itself wait for the clock (a twin
    /// that was told to answer late).
    pub(crate) async fn idle(&self, at_most: Duration) {
        let mut calls = self.0.subscribe();
        // Neither the passing of the time nor a sender that went away is an error here.
        drop(tokio::time::timeout(at_most, calls.wait_for(|calls| *calls == 0)).await);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls = calls.saturating_sub(1));
    }
}

#[async_trait]
impl Around for InFlight {
    async fn enter(&self, _effect: Option<&Call>) -> Box<dyn Send> {
        Box::new(Self::enter(self))
    }
}
