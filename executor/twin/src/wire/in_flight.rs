//! Calls under way: the clock is moved between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls under way, the clock's own not counted.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// Counts a call until the guard is dropped.
    pub(super) fn enter(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(self.0.clone())
    }

    /// Whether none is under way.
    pub(super) fn idle(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// A call under way.
pub(super) struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
