//! All drivers of a run as one: who does what, and what is nobody's.

use std::{future::Future, pin::Pin, sync::Arc};

use switchback_schemas::{
    journal::{Class, Evidence, Outcome, Verdict, WaitsFor},
    name::Label,
    plan::{CaptureKind, Condition, Effect, Plan, Proof, Roll},
};

use crate::ports::{Call, Capturing, Driver, Failure, Member, Rehearsal};

/// The drivers of a run.
#[derive(Clone, Default)]
pub struct Drivers(Vec<Arc<dyn Driver>>);

impl FromIterator<Arc<dyn Driver>> for Drivers {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Driver>>>(drivers: I) -> Self {
        Self(drivers.into_iter().collect())
    }
}

impl Drivers {
    /// Kinds of effects of a plan that no driver applies. Asked before anything is claimed.
    pub fn missing(&self, plan: &Plan) -> Vec<&'static str> {
        let effects = plan.works().flat_map(|(_, work)| work.effects());
        let mut missing: Vec<_> = effects
            .filter(|effect| !matches!(effect, Effect::Wait(_)))
            .filter(|effect| !self.0.iter().any(|driver| driver.applies(effect)))
            .map(Effect::kind)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Calls an effect. Waiting is the executor's own: it is blocked until its condition holds.
    pub async fn apply(&self, call: &Call, effect: &Effect) -> Outcome {
        if let Effect::Wait(wait) = effect {
            return match self.check(call, &wait.until).await {
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
            };
        }
        match self.0.iter().find(|driver| driver.applies(effect)) {
            Some(driver) => driver.apply(call, effect).await,
            None => Outcome::NotDone {
                class: Class::Bug,
                evidence: Evidence::line(format!("no driver applies {}", effect.kind())),
            },
        }
    }

    /// Asks a condition; `all` and `any` are taken apart here.
    pub fn check<'a>(
        &'a self,
        call: &'a Call,
        condition: &'a Condition,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(async move {
            match condition {
                Condition::All { of } => self.all(call, of).await,
                Condition::Any { of } => self.any(call, of).await,
                one => match self.0.iter().find(|driver| driver.checks(one)) {
                    Some(driver) => driver.check(call, one).await,
                    None => Verdict::unknown("no driver can ask this"),
                },
            }
        })
    }

    /// Fails with the first that fails; holds when all do; else not known.
    async fn all(&self, call: &Call, of: &[Condition]) -> Verdict {
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
    async fn any(&self, call: &Call, of: &[Condition]) -> Verdict {
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
    pub async fn rehearse(&self, call: &Call, effect: &Effect) -> Option<Result<Rehearsal, Failure>> {
        self.0.iter().find(|driver| driver.applies(effect))?.rehearse(call, effect).await
    }

    pub(super) async fn capture(&self, call: &Call, what: &CaptureKind) -> Result<Capturing, Failure> {
        for driver in &self.0 {
            if let Some(captured) = driver.capture(call, what).await {
                return captured;
            }
        }
        Err(nobody("no driver can read this"))
    }

    pub(super) async fn members(&self, call: &Call, roll: &Roll) -> Result<Vec<Member>, Failure> {
        for driver in &self.0 {
            if let Some(members) = driver.members(call, roll).await {
                return members;
            }
        }
        Err(nobody("no driver can list nodes"))
    }

    /// What drivers can show of a target.
    pub(super) async fn proofs(&self, target: &Label) -> Result<Vec<Proof>, Failure> {
        let mut proofs = Vec::new();
        for driver in &self.0 {
            if let Some(proof) = driver.proof(target).await {
                proofs.push(proof?);
            }
        }
        if proofs.is_empty() { Err(nobody("no driver speaks to it")) } else { Ok(proofs) }
    }
}

fn nobody(text: &str) -> Failure {
    Failure { class: Class::Bug, evidence: Evidence::line(text) }
}
