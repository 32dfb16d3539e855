//! The twin's own clock as domain time: it stands still while a call is under way, and then moves to the next instant for
//! which somebody waits. Nothing here knows real time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use switchback_executor::{
    env::Clock,
    ports::{Around, Call},
};
use switchback_twin::Twin;
use tokio::sync::Notify;

use super::watch::Watch;

/// Turns that everybody who can go on is given before the clock moves. A call that was just started, or an answer that was just
/// given, needs a few to get through; each turn also looks at the sockets.
const TURNS: usize = 24;

/// The clock of a twin. Clones share it.
#[derive(Clone)]
pub(crate) struct Time {
    twin: Twin,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when the clock moved, a call ended, or a sleeper went away.
    changed: Notify,
    watch: Mutex<Option<Arc<Mutex<Watch>>>>,
}

#[derive(Default)]
struct State {
    calls: usize,
    /// Who waits until when.
    sleepers: BTreeMap<u64, Timestamp>,
    next: u64,
}

impl Time {
    pub(crate) fn of(twin: &Twin) -> Self {
        Self { twin: twin.clone(), shared: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many seconds pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        let by = SignedDuration::from_secs(i64::try_from(seconds).expect("a short while"));
        self.sleep_until(self.now().checked_add(by).expect("an instant")).await;
    }

    /// From now on this one is shown the world whenever it may have changed.
    pub(crate) fn is_watched_by(&self, watch: &Arc<Mutex<Watch>>) {
        *self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(watch));
        self.show();
    }

    fn show(&self) {
        if let Some(watch) = &*self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner) {
            watch.lock().unwrap_or_else(PoisonError::into_inner).look(&self.twin.snapshot());
        }
    }

    fn enter(&self) -> Calling {
        self.state().calls += 1;
        Calling(self.clone())
    }
}

/// A call under way.
struct Calling(Time);

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.state().calls -= 1;
        self.0.shared.changed.notify_waiters();
    }
}

/// Somebody who waits, until it is dropped.
struct Sleeper(Time, u64);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.state().sleepers.remove(&self.1);
        self.0.shared.changed.notify_waiters();
    }
}

#[async_trait]
impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.twin.now()
    }

    async fn sleep_until(&self, when: Timestamp) {
        let sleeper = {
            let mut state = self.state();
            state.next += 1;
            let number = state.next;
            state.sleepers.insert(number, when);
            Sleeper(self.clone(), number)
        };
        while self.now() < when {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            let changed = self.shared.changed.notified();
            let first = {
                let state = self.state();
                state.calls == 0
                    && state.sleepers.iter().all(|(other, at)| (*at, *other) >= (when, sleeper.1))
            };
            if self.now() >= when {
                return;
            }
            if first {
                self.twin.advance_to(when);
                self.show();
                self.shared.changed.notify_waiters();
                return;
            }
            changed.await;
        }
    }
}

/// Draws numbers from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below another one.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The low bits of neighbouring draws are alike.
        (self.0 >> 11) % below.max(1)
    }
}

/// A seed that nobody knows before.
pub(crate) fn fresh() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}

/// What stands around the calls of a run: they hold the clock, and where a seed says so effects set out after a random while, so
/// that steps that are ready together reach the platform in any order.
pub(crate) struct Timed {
    pub(crate) time: Time,
    /// Where the whiles are drawn, and seconds that one takes at most.
    pub(crate) late: Option<(Arc<Mutex<Random>>, u64)>,
}

/// An effect under way. What it changed is shown when it has ended.
struct Changing(Calling);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.0.show();
    }
}

#[async_trait]
impl Around for Timed {
    async fn enter(&self, effect: Option<&Call>) -> Box<dyn Send> {
        let Some(call) = effect else { return Box::new(self.time.enter()) };
        if let Some((random, most)) = &self.late
            && call.operation.is_none()
        {
            let seconds = random.lock().unwrap_or_else(PoisonError::into_inner).below(*most);
            self.time.pass(seconds).await;
        }
        Box::new(Changing(self.time.enter()))
    }
}
