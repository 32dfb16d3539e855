//! One command: bound, carried out in a task of its own, answered. A waiter that goes away does not lose the end of a call.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use switchback_model::bind::{BindError, Binder};
use switchback_schemas::{
    Digest, RunId, StepId,
    journal::{Captured, Class, Evidence, Item, Outcome, Verdict, Way},
};
use tokio::sync::mpsc::UnboundedSender;
use tracing::Instrument as _;

use super::{Drivers, spans};
use crate::{
    machine::{Answer, Command, Machine, What, step_of},
    ports::{Call, Capturing, Failure, Fleet},
    store::Store,
};

/// What every call of a run shares.
#[derive(Clone)]
pub(super) struct Calls {
    pub run: RunId,
    pub drivers: Drivers,
    pub store: Arc<dyn Store>,
    pub fleet: Arc<Fleet>,
}

/// What only the run knows and a command may use.
struct Known {
    item: Option<Item>,
    captured: BTreeMap<(StepId, String), Captured>,
}

impl Calls {
    /// Starts a command. Its answer comes through the channel, also when the driver panics.
    pub(super) fn start(
        &self,
        machine: &Machine,
        command: Command,
        answers: &UnboundedSender<(u64, Answer)>,
    ) {
        let known = known(machine, &command);
        let Some(step) = step_of(machine.plan(), &command.at) else {
            // An index is never made of such a plan.
            let _ = answers.send((command.id, broken(&command.what, "the plan has no such step")));
            return;
        };
        let call = Call {
            run: self.run.clone(),
            at: command.at.clone(),
            target: step.target.clone(),
            token: command.token.clone(),
            attempt: command.attempt,
            fleet: Arc::clone(&self.fleet),
            operation: command.operation.clone(),
            back: command.at.way == Way::Rollback,
            waited: command.waited,
            looked: command.looked.clone(),
        };
        let (this, answers, id) = (self.clone(), answers.clone(), command.id);
        let span = spans::attempt(&call, &command.what);
        let what = command.what.clone();
        let work = async move {
            let answer = this.carry_out(&call, &what, known).await;
            spans::answered(&answer);
            answer
        };
        let work = tokio::spawn(work.instrument(span));
        tokio::spawn(async move {
            let answer = work.await.unwrap_or_else(|error| broken(&command.what, &error.to_string()));
            // Nobody listens any more when the process ends.
            let _ = answers.send((id, answer));
        });
    }

    async fn carry_out(&self, call: &Call, what: &What, known: Known) -> Answer {
        let captured = match self.values(known.captured).await {
            Ok(captured) => captured,
            Err(why) => return not_called(what, Class::Refused, &why),
        };
        let mut binder = Binder { item: known.item.as_ref(), captured: &captured };
        let unbound = |error: BindError| not_called(what, Class::Bug, &error.to_string());
        match what {
            What::Claim => broken(what, "a claim is no call"),
            What::Apply(effect) => match effect.map(&mut binder) {
                Ok(effect) => Answer::Applied(self.drivers.apply(call, &effect).await),
                Err(error) => unbound(error),
            },
            What::Check(condition) => match condition.map(&mut binder) {
                Ok(condition) => Answer::Checked(self.drivers.check(call, &condition).await),
                Err(error) => unbound(error),
            },
            What::Members(roll) => Answer::Members(self.drivers.members(call, roll).await),
            What::Census => Answer::Census(self.drivers.census().await),
            What::Capture(what) => match what.map(&mut binder) {
                Ok(what) => Answer::Captured(match self.drivers.capture(&what).await {
                    Ok(captured) => self.keep(captured).await,
                    Err(failure) => Err(failure),
                }),
                Err(error) => unbound(error),
            },
        }
    }

    /// Captures as values: an artifact is read, and is the list of its objects.
    async fn values(
        &self,
        captured: BTreeMap<(StepId, String), Captured>,
    ) -> Result<BTreeMap<(StepId, String), Value>, String> {
        let mut values = BTreeMap::new();
        for (key, captured) in captured {
            let value = match captured {
                Captured::Scalar(value) => value,
                Captured::Artifact { digest, .. } => Value::Array(self.objects(&digest).await?),
            };
            values.insert(key, value);
        }
        Ok(values)
    }

    /// Small values go into the journal; objects become an artifact, which is durable before the answer.
    async fn keep(&self, captured: Capturing) -> Result<Captured, Failure> {
        let objects = match captured {
            Capturing::Scalar(value) => return Ok(Captured::Scalar(value)),
            Capturing::Objects(objects) => objects,
        };
        let failed = |text: String| Failure { class: Class::Bug, evidence: Evidence::line(text) };
        let bytes = serde_json::to_vec(&objects).map_err(|error| failed(error.to_string()))?;
        let kept = self.store.put_artifact(&self.run, &bytes).await;
        let digest = kept.map_err(|error| failed(error.to_string()))?;
        Ok(Captured::Artifact { digest, bytes: bytes.len() as u64 })
    }

    async fn objects(&self, digest: &Digest) -> Result<Vec<Value>, String> {
        let bytes = self.store.artifact(&self.run, digest).await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes).map_err(|error| format!("artifact {digest}: {error}"))
    }
}

fn known(machine: &Machine, command: &Command) -> Known {
    let item = machine.state().item(&command.at);
    let used = match &command.what {
        What::Apply(effect) => effect.captures_used(),
        What::Check(condition) => condition.captures_used(),
        What::Claim | What::Capture(_) | What::Members(_) | What::Census => Vec::new(),
    };
    let captured = used.into_iter().filter_map(|(step, name)| {
        let captured = machine.captured(&step, &name, item.map(|item| &item.key))?.clone();
        Some(((step, name), captured))
    });
    Known { item: item.cloned(), captured: captured.collect() }
}

/// The answer to a command of which nothing was called.
fn not_called(what: &What, class: Class, why: &str) -> Answer {
    match what {
        What::Apply(_) => Answer::Applied(Outcome::NotDone { class, evidence: Evidence::line(why) }),
        other => broken(other, why),
    }
}

/// The answer to a command that our own code could not carry out. A call that broke off may have had its effect.
pub(super) fn broken(what: &What, why: &str) -> Answer {
    let evidence = Evidence::line(why);
    let failure = || Failure { class: Class::Bug, evidence: evidence.clone() };
    match what {
        What::Apply(_) => Answer::Applied(Outcome::InDoubt { class: Class::Bug, evidence }),
        What::Capture(_) => Answer::Captured(Err(failure())),
        What::Members(_) => Answer::Members(Err(failure())),
        What::Census => Answer::Census(Err(failure())),
        What::Claim | What::Check(_) => Answer::Checked(Verdict::Unknown { evidence }),
    }
}
