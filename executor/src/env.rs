//! Clock and sleep: the one module through which time enters.
//!
//! Two kinds of time never mix. Domain time ([`Clock`]) is what windows, soaks, polls and backoffs are measured in; in a
//! rehearsal, or against a twin, it is the twin's own. The deadline of an I/O call is real time and belongs to the
//! leaf crate that makes the call.

use async_trait::async_trait;
use jiff::Timestamp;

/// Domain time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Comes back when it is at least that time.
    async fn sleep_until(&self, when: Timestamp);
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the module that the rule points to")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep_until(&self, when: Timestamp) {
        let left = when.duration_since(self.now());
        if let Ok(left) = std::time::Duration::try_from(left) {
            tokio::time::sleep(left).await;
        }
    }
}
