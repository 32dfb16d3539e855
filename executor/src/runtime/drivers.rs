//! All drivers of a run as one: who does what, and what is nobody's.

use std::{future::Future, pin::Pin, sync::Arc};

use switchback_schemas::{
    journal::{Class, Evidence, Outcome, Verdict, WaitsFor},
    name::Label,
    plan::{CaptureKind, Condition, Effect, Plan, Proof, Roll},
};

use crate::ports::{
    Around, BoundCapture, BoundCondition, BoundEffect, Call, Capturing, Channels, Cloud, Commands, Failure,
    Helm, Kube, Look, Member, Probes, Rehearsal,
};

/// The drivers of a run, one a family. A plan that needs one which is not there is refused before anything is called.
#[derive(Clone, Default)]
pub struct Drivers {
    /// The API server.
    pub kube: Option<Arc<dyn Kube>>,
    /// Helm releases.
    pub helm: Option<Arc<dyn Helm>>,
    /// The cloud provider.
    pub cloud: Option<Arc<dyn Cloud>>,
    /// Commands.
    pub commands: Option<Arc<dyn Commands>>,
    /// Channels.
    pub channels: Option<Arc<dyn Channels>>,
    /// Probes.
    pub probes: Option<Arc<dyn Probes>>,
    /// What stands around every call.
    pub around: Option<Arc<dyn Around>>,
}

impl Drivers {
    /// Kinds of effects of a plan that no driver applies. Asked before anything is claimed.
    pub fn missing(&self, plan: &Plan) -> Vec<String> {
        let effects = plan.works().flat_map(|(_, work)| work.effects());
        let mut missing: Vec<_> = effects
            .filter(|effect| !self.applies(effect))
            .map(switchback_schemas::plan::Effect::kind)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    fn applies(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Kube(_) => self.kube.is_some(),
            Effect::Helm(_) => self.helm.is_some(),
            Effect::Eks(_) | Effect::Rds(_) => self.cloud.is_some(),
            Effect::Command(_) => self.commands.is_some(),
            Effect::Notify(_) => self.channels.is_some(),
            Effect::Wait(_) => true,
        }
    }

    /// Calls an effect. Waiting is the executor's own: it is blocked until its condition holds.
    pub async fn apply(&self, call: &Call, effect: &BoundEffect) -> Outcome {
        if let Effect::Wait(wait) = effect {
            return waited(call, self.check(call, &wait.until).await);
        }
        let _around = self.enter(Some(call)).await;
        let applied: Option<Outcome> = async {
            Some(match effect {
                Effect::Kube(effect) => self.kube.as_ref()?.apply(call, effect).await,
                Effect::Helm(effect) => self.helm.as_ref()?.apply(call, effect).await,
                Effect::Eks(effect) => self.cloud.as_ref()?.eks(call, effect).await,
                Effect::Rds(effect) => self.cloud.as_ref()?.rds(call, effect).await,
                Effect::Command(command) => self.commands.as_ref()?.run(call, command).await,
                Effect::Notify(notify) => self.channels.as_ref()?.notify(call, notify).await,
                Effect::Wait(_) => return None,
            })
        }
        .await;
        applied.unwrap_or_else(|| Outcome::NotDone {
            class: Class::Bug,
            evidence: Evidence::line(format!("no driver applies {}", effect.kind())),
        })
    }

    /// Asks a condition; `all` and `any` are taken apart here.
    pub fn check<'a>(
        &'a self,
        call: &'a Call,
        condition: &'a BoundCondition,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(async move {
            match condition {
                Condition::All(of) => self.all(call, of).await,
                Condition::Any(of) => self.any(call, of).await,
                leaf => {
                    let _around = self.enter(None).await;
                    self.leaf(call, leaf).await.unwrap_or_else(|| Verdict::unknown("no driver can ask this"))
                }
            }
        })
    }

    async fn leaf(&self, call: &Call, condition: &BoundCondition) -> Option<Verdict> {
        Some(match condition {
            Condition::Kube(condition) => self.kube.as_ref()?.check(call, condition).await,
            Condition::Cloud(condition) => self.cloud.as_ref()?.check(condition).await,
            Condition::Web(condition) => self.probes.as_ref()?.check(condition).await,
            Condition::Command(command) => self.commands.as_ref()?.check(call, command).await,
            Condition::All(_) | Condition::Any(_) => return None,
        })
    }

    /// Fails with the first that fails; holds when all do; else not known.
    async fn all(&self, call: &Call, of: &[BoundCondition]) -> Verdict {
        let (mut seen, mut unknown) = (Evidence::default(), Evidence::default());
        for condition in of {
            match self.check(call, condition).await {
                Verdict::Holds { evidence } => seen.0.extend(evidence.0),
                Verdict::Unknown { evidence } => unknown.0.extend(evidence.0),
                fails @ Verdict::Fails { .. } => return fails,
            }
        }
        match unknown.0.is_empty() {
            true => Verdict::Holds { evidence: seen },
            false => Verdict::Unknown { evidence: unknown },
        }
    }

    /// Holds with the first that holds; fails when all do; else not known.
    async fn any(&self, call: &Call, of: &[BoundCondition]) -> Verdict {
        let (mut seen, mut unknown) = (Evidence::default(), Evidence::default());
        for condition in of {
            match self.check(call, condition).await {
                holds @ Verdict::Holds { .. } => return holds,
                Verdict::Fails { evidence } => seen.0.extend(evidence.0),
                Verdict::Unknown { evidence } => unknown.0.extend(evidence.0),
            }
        }
        match unknown.0.is_empty() {
            true => Verdict::Fails { evidence: seen },
            false => Verdict::Unknown { evidence: unknown },
        }
    }

    /// Looks whether all that an effect needs on this machine is there; `None` when it needs nothing here.
    pub async fn rehearse(&self, effect: &Effect) -> Option<Result<Rehearsal, Failure>> {
        let _around = self.enter(None).await;
        match effect {
            Effect::Helm(effect) => Some(self.helm.as_ref()?.rehearse(effect).await),
            Effect::Command(command) => Some(self.commands.as_ref()?.rehearse(command).await),
            _ => None,
        }
    }

    /// Reads what is to be kept before an effect.
    pub async fn capture(&self, what: &BoundCapture) -> Result<Capturing, Failure> {
        let _around = self.enter(None).await;
        let nobody = || nobody("no driver can read this");
        match what {
            CaptureKind::Kube(what) => self.kube.as_ref().ok_or_else(nobody)?.capture(what).await,
            CaptureKind::Cloud(what) => self.cloud.as_ref().ok_or_else(nobody)?.capture(what).await,
            CaptureKind::Prometheus(query) => self.probes.as_ref().ok_or_else(nobody)?.capture(query).await,
        }
    }

    /// Lists the nodes of a roll's pool.
    pub async fn members(&self, call: &Call, roll: &Roll) -> Result<Vec<Member>, Failure> {
        let _around = self.enter(None).await;
        let kube = self.kube.as_ref().ok_or_else(|| nobody("no driver can list nodes"))?;
        kube.members(call, roll).await
    }

    /// Counts what stands on the cluster.
    pub async fn census(&self) -> Result<Look, Failure> {
        let _around = self.enter(None).await;
        let kube =
            self.kube.as_ref().ok_or_else(|| nobody("no driver can count what stands on a cluster"))?;
        kube.census().await
    }

    /// What drivers can show of a target.
    pub async fn proofs(&self, target: &Label) -> Result<Vec<Proof>, Failure> {
        let _around = self.enter(None).await;
        let mut proofs = Vec::new();
        if let Some(kube) = &self.kube {
            proofs.push(kube.proof().await?);
        }
        if let Some(cloud) = &self.cloud
            && let Some(proof) = cloud.proof(target).await
        {
            proofs.push(proof?);
        }
        if proofs.is_empty() { Err(nobody("no driver speaks to it")) } else { Ok(proofs) }
    }

    async fn enter(&self, effect: Option<&Call>) -> Option<Box<dyn Send>> {
        match &self.around {
            Some(around) => Some(around.enter(effect).await),
            None => None,
        }
    }
}

/// What a wait came to.
fn waited(call: &Call, verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Holds { evidence } => Outcome::Done { evidence },
        Verdict::Fails { evidence } => {
            let message = evidence.0.join("; ");
            Outcome::Blocked { waits_for: vec![WaitsFor::Condition { message }] }
        }
        Verdict::Unknown { evidence } => {
            let what = format!("what {} waits for", call.at);
            let why = evidence.0.join("; ");
            Outcome::Blocked { waits_for: vec![WaitsFor::Unreadable { what, why }] }
        }
    }
}

fn nobody(text: &str) -> Failure {
    Failure { class: Class::Bug, evidence: Evidence::line(text) }
}
