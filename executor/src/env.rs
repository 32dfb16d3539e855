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

/// How long the machine is up, the time in which it slept included. Real time: how long a look at somebody else's word is good for.
pub fn uptime() -> std::time::Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    std::time::Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
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

/// Time of a rehearsal: it begins where it is told to, and moves as the runtime's own timers do. In a runtime whose time is
/// paused, that is at once whenever nothing else is to be done.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeClock {
    start: Timestamp,
    began: tokio::time::Instant,
}

impl RuntimeClock {
    /// A clock that shows `start` now. Has to be made inside of a runtime.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, began: tokio::time::Instant::now() }
    }
}

#[async_trait]
impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let passed =
            jiff::SignedDuration::try_from(self.began.elapsed()).unwrap_or(jiff::SignedDuration::MAX);
        self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    async fn sleep_until(&self, when: Timestamp) {
        let left = when.duration_since(self.now());
        if let Ok(left) = std::time::Duration::try_from(left) {
            tokio::time::sleep(left).await;
        }
    }
}
