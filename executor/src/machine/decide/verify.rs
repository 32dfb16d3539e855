//! Verification: every condition has to hold without a break for as long as it has to settle. A look that cannot be read stops that
//! clock, and is never a failure.

use jiff::Timestamp;
use switchback_schemas::{
    journal::{At, Event, Evidence, Verdict, WaitsFor},
    plan::{Verify, Work},
};

use super::in_flight::{Proof, Purpose};
use crate::machine::{Decision, Machine, fold::place::work_at};

impl Machine {
    /// Verifies an effect that happened.
    pub(super) fn verify(&mut self, at: &At, now: Timestamp, out: &mut Decision) {
        let index = std::sync::Arc::clone(&self.index);
        let Some(work) = work_at(&index.plan, &self.state, at) else { return };
        let since = self.state.task(at).and_then(|task| task.applied);
        let conditions: Vec<&Verify> = work.verify.iter().collect();
        if let Some(verdict) = self.prove(at, &conditions, since, now, out) {
            out.append.push(Event::Verified { at: at.clone(), verdict });
        }
    }

    /// Verifies a batch whose nodes have moved.
    pub(super) fn verify_batch(&mut self, at: &At, now: Timestamp, out: &mut Decision) {
        let index = std::sync::Arc::clone(&self.index);
        let Some(roll) = work_at(&index.plan, &self.state, at).and_then(Work::roll) else { return };
        let Some(batch) = self.state.roll(at).and_then(|roll| roll.batch.as_ref()) else { return };
        let (number, moved) = (batch.number, batch.moved);
        let canary = roll.canary.iter().filter(|_| number == 0).flat_map(|canary| &canary.verify);
        let conditions: Vec<&Verify> = roll.verify.iter().chain(canary).collect();
        match self.prove(at, &conditions, moved, now, out) {
            None => {}
            Some(Verdict::Holds { .. }) if !self.batch_leaves_all(at, moved.unwrap_or(now), now, out) => {}
            Some(Verdict::Holds { .. }) => {
                out.append.push(Event::BatchDone { at: at.clone(), batch: number });
            }
            Some(verdict) => out.append.push(Event::Verified { at: at.clone(), verdict }),
        }
    }

    /// The verdict over some conditions, or the next check. The time they have begins when the effect happened, or when
    /// this process took the run over: a run that slept is not late, and neither is one that could not look.
    fn prove(
        &mut self,
        at: &At,
        conditions: &[&Verify],
        since: Option<Timestamp>,
        now: Timestamp,
        out: &mut Decision,
    ) -> Option<Verdict> {
        let began = since.max(self.state.taken_over).unwrap_or(now);
        let place = self.live.place(at);
        let none = Proof::default();
        let proof = |which: usize| place.verify.get(&which).unwrap_or(&none);
        let settled = |(which, verify): (usize, &&Verify)| proof(which).is_settled(verify.settle, now);
        if conditions.iter().enumerate().all(settled) {
            let seen = conditions.iter().enumerate().flat_map(|(which, verify)| {
                let evidence = proof(which).last.iter().flat_map(|verdict| verdict.evidence().0.clone());
                evidence.map(|line| format!("{}: {line}", verify.title)).collect::<Vec<_>>()
            });
            return Some(Verdict::Holds { evidence: Evidence(seen.collect()) });
        }
        let late = conditions.iter().enumerate().find(|(which, verify)| {
            !settled((*which, *verify)) && proof(*which).is_late(verify, began, self.settings.evidence, now)
        });
        if let Some((which, verify)) = late {
            let proof = proof(which);
            let mut lines = proof.last.iter().flat_map(|v| v.evidence().0.clone()).collect::<Vec<_>>();
            let unknown = proof.interrupted || proof.unread.is_some();
            let how = match (proof.good, unknown) {
                (Some(_), true) => {
                    format!("is met where it can be read, and could not be read for {}", verify.settle)
                }
                (Some(_), false) => format!("did not stay met for {}", verify.settle),
                (None, true) => match proof.unread {
                    Some(since) => format!("could not be read since {since}"),
                    None => "could not be read".to_owned(),
                },
                (None, false) => "is not met".to_owned(),
            };
            lines.insert(0, format!("not verified within {}: {} {how}", verify.within, verify.title));
            let evidence = Evidence(lines);
            return Some(if unknown { Verdict::Unknown { evidence } } else { Verdict::Fails { evidence } });
        }
        let waits: Vec<WaitsFor> = conditions
            .iter()
            .enumerate()
            .filter_map(|(which, verify)| waits_for(verify, proof(which).last.as_ref()?))
            .collect();
        let due = |which: usize| proof(which).next.is_none_or(|next| next <= now);
        // The one that was asked longest ago comes first.
        let order = (0..conditions.len()).filter(|which| due(*which)).min_by_key(|which| proof(*which).next);
        place.waits = waits;
        if let Some((which, verify)) = order.and_then(|which| Some((which, *conditions.get(which)?))) {
            self.check(at, Purpose::Verify(which), &verify.condition, now, out);
        }
        None
    }
}

/// What the last look says is still missing, for people.
fn waits_for(verify: &Verify, last: &Verdict) -> Option<WaitsFor> {
    let told = last.evidence().0.first().map(String::as_str).unwrap_or_default();
    match last {
        Verdict::Holds { .. } => None,
        Verdict::Fails { .. } => {
            let message =
                if told.is_empty() { verify.title.clone() } else { format!("{}: {told}", verify.title) };
            Some(WaitsFor::Condition { message })
        }
        Verdict::Unknown { .. } => {
            Some(WaitsFor::Unreadable { what: verify.title.clone(), why: told.to_owned() })
        }
    }
}
