//! Calls under way. A twin's clock stands still while there are any: a call that takes milliseconds of real time must
//! not take minutes of domain time because somebody else waits beside it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use switchback_executor::ports::{Call, Capturing, Driver, Failure, Member, Rehearsal};
use switchback_schemas::{
    journal::{Evidence, Outcome, Verdict},
    name::{Label, ObjectName},
    plan::{CaptureKind, Condition, Effect, Proof, Roll},
};
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

/// A driver whose calls are counted.
pub(crate) struct Counted {
    inner: Arc<dyn Driver>,
    calls: InFlight,
}

impl Counted {
    pub(crate) fn new(inner: Arc<dyn Driver>, calls: InFlight) -> Self {
        Self { inner, calls }
    }
}

#[async_trait]
impl Driver for Counted {
    fn applies(&self, effect: &Effect) -> bool {
        self.inner.applies(effect)
    }

    fn checks(&self, condition: &Condition) -> bool {
        self.inner.checks(condition)
    }

    async fn apply(&self, call: &Call, effect: &Effect) -> Outcome {
        let _call = self.calls.enter();
        self.inner.apply(call, effect).await
    }

    async fn check(&self, call: &Call, condition: &Condition) -> Verdict {
        let _call = self.calls.enter();
        self.inner.check(call, condition).await
    }

    async fn capture(&self, call: &Call, what: &CaptureKind) -> Option<Result<Capturing, Failure>> {
        let _call = self.calls.enter();
        self.inner.capture(call, what).await
    }

    async fn members(&self, call: &Call, roll: &Roll) -> Option<Result<Vec<Member>, Failure>> {
        let _call = self.calls.enter();
        self.inner.members(call, roll).await
    }

    async fn keep_release(
        &self,
        call: &Call,
        release: &ObjectName,
        revision: u64,
    ) -> Option<Result<Evidence, Failure>> {
        let _call = self.calls.enter();
        self.inner.keep_release(call, release, revision).await
    }

    async fn rehearse(&self, call: &Call, effect: &Effect) -> Option<Result<Rehearsal, Failure>> {
        let _call = self.calls.enter();
        self.inner.rehearse(call, effect).await
    }

    async fn proof(&self, target: &Label) -> Option<Result<Proof, Failure>> {
        let _call = self.calls.enter();
        self.inner.proof(target).await
    }
}
