//! One command: bound, carried out in a task of its own, answered. A waiter that goes away does not lose the end of a call.

use std::sync::Arc;

use serde_json::Value;
use switchback_model::bind::{BindError, Binder};
use switchback_schemas::{
    Digest, RunId, StepId,
    journal::{Captured, Class, Evidence, Outcome, Verdict, Way},
    plan::{CaptureKind, Condition, Effect, Roll},
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

/// A command with everything filled in that only the run knows.
enum Bound {
    Apply {
        effect: Effect,
        artifact: Option<Digest>,
    },
    Check(Condition),
    Capture(CaptureKind),
    Members(Roll),
    /// It cannot be bound, which lint would have found: the plan or the machine is wrong.
    Unbound(What, String),
}

impl Calls {
    /// Starts a command. Its answer comes through the channel, also when the driver panics.
    pub(super) fn start(
        &self,
        machine: &Machine,
        command: Command,
        answers: &UnboundedSender<(u64, Answer)>,
    ) {
        let bound = bind(machine, &command);
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
            artifact: None,
            operation: command.operation.clone(),
            back: command.at.way == Way::Rollback,
            waited: command.waited,
        };
        let (this, answers, id) = (self.clone(), answers.clone(), command.id);
        let span = spans::attempt(&call, &command.what);
        let work = async move {
            let answer = this.carry_out(call, bound).await;
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

    async fn carry_out(&self, mut call: Call, bound: Bound) -> Answer {
        match bound {
            Bound::Apply { effect, artifact } => {
                if let Some(digest) = artifact {
                    match self.objects(&digest).await {
                        Ok(objects) => call.artifact = Some(Arc::new(objects)),
                        Err(why) => return Answer::Applied(not_done(Class::Refused, why)),
                    }
                }
                Answer::Applied(self.drivers.apply(&call, &effect).await)
            }
            Bound::Check(condition) => Answer::Checked(self.drivers.check(&call, &condition).await),
            Bound::Members(roll) => Answer::Members(self.drivers.members(&call, &roll).await),
            Bound::Capture(what) => {
                let captured = match self.drivers.capture(&call, &what).await {
                    Ok(captured) => self.keep(captured).await,
                    Err(failure) => Err(failure),
                };
                Answer::Captured(captured)
            }
            // Nothing was called.
            Bound::Unbound(What::Apply(_), why) => Answer::Applied(not_done(Class::Bug, why)),
            Bound::Unbound(what, why) => broken(&what, &why),
        }
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

fn bind(machine: &Machine, command: &Command) -> Bound {
    let item = machine.state().item(&command.at);
    let key = item.map(|item| &item.key);
    let scalar = |step: &StepId, name: &str| match machine.captured(step, name, key)? {
        Captured::Scalar(value) => Some(value.clone()),
        Captured::Artifact { .. } => None,
    };
    let binder = Binder { item, captured: &scalar };
    let bound = match &command.what {
        What::Claim => Err("a claim is no call".to_owned()),
        What::Apply(effect) => binder.effect(effect).map_err(text).and_then(|effect| {
            let artifact = match &effect {
                Effect::KubeRestore(restore) => match machine.captured(&restore.step, &restore.name, key) {
                    Some(Captured::Artifact { digest, .. }) => Some(*digest),
                    _ => return Err(format!("{} captured no objects {:?}", restore.step, restore.name)),
                },
                _ => None,
            };
            Ok(Bound::Apply { effect, artifact })
        }),
        What::Check(condition) => binder.condition(condition).map(Bound::Check).map_err(text),
        What::Capture(what) => binder.capture(what).map(Bound::Capture).map_err(text),
        What::Members(roll) => Ok(Bound::Members(roll.clone())),
    };
    bound.unwrap_or_else(|why| Bound::Unbound(command.what.clone(), why))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn text(error: BindError) -> String {
    error.to_string()
}

fn not_done(class: Class, why: String) -> Outcome {
    Outcome::NotDone { class, evidence: Evidence::line(why) }
}

/// The answer to a command that our own code could not carry out. A call that broke off may have had its effect.
pub(super) fn broken(what: &What, why: &str) -> Answer {
    let evidence = Evidence::line(why);
    let failure = || Failure { class: Class::Bug, evidence: evidence.clone() };
    match what {
        What::Apply(_) => Answer::Applied(Outcome::InDoubt { class: Class::Bug, evidence }),
        What::Capture(_) => Answer::Captured(Err(failure())),
        What::Members(_) => Answer::Members(Err(failure())),
        What::Claim | What::Check(_) => Answer::Checked(Verdict::Unknown { evidence }),
    }
}
