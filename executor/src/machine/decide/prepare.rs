//! Before a call: gates, done-when, reads, captures, the claim. Each is asked when the one before it is settled.

use jiff::Timestamp;
use switchback_schemas::{
    StepId,
    journal::{Approval, At, Captured, Event, Evidence, SideKind, Verdict, WaitsFor, Way},
    name::Label,
    plan::{Action, ApprovalScope, GateKind, WindowUse, Work},
};

use super::{
    gates::{Asking, Gated},
    in_flight::{APART, Purpose, Stage, later},
};
use crate::{
    machine::{
        Decision, Machine, Phase, What,
        fold::{
            ApprovedBy,
            place::{gates_of, work_at},
        },
        step_of,
    },
    ports::Failure,
};

impl Machine {
    pub(super) fn prepare(&mut self, at: &At, now: Timestamp, out: &mut Decision) {
        let index = std::sync::Arc::clone(&self.index);
        let Some(work) = work_at(&index.plan, &self.state, at) else { return };
        if self.state.phase(at) == Phase::Again {
            // A step that was begun is not asked for its gates again.
            let first = self.after_gates(at);
            let place = self.live.place(at);
            if place.stage == Stage::Gates {
                place.stage = first;
            }
        }
        while out.append.is_empty() && self.live.place(at).command.is_none() {
            let before = self.live.place(at).stage;
            if !self.stage(at, work, before, now, out) {
                return;
            }
        }
    }

    /// One stage; whether the next one follows at once.
    fn stage(&mut self, at: &At, work: &Work, stage: Stage, now: Timestamp, out: &mut Decision) -> bool {
        let next = match stage {
            Stage::Gates => {
                if !self.pass_gates(at, now, out) {
                    return false;
                }
                self.after_gates(at)
            }
            Stage::DoneWhen => {
                if let Some(suspension) = self.resumes_what_was_found(at) {
                    let evidence = Evidence::line(format!(
                        "{} was suspended already, not by this run, which leaves it so",
                        suspension.title
                    ));
                    out.append.push(Event::Skipped { at: at.clone(), evidence });
                    return false;
                }
                if let Some(condition) = &work.done_when {
                    self.check(at, Purpose::DoneWhen, condition, now, out);
                    return false;
                }
                Stage::SafeToResume
            }
            Stage::SafeToResume => {
                if let Some(suspension) = self.resumes(at) {
                    let suspension = suspension.clone();
                    self.check(
                        at,
                        Purpose::SafeToResume(suspension.id),
                        &suspension.safe_to_resume,
                        now,
                        out,
                    );
                    return false;
                }
                if self.reads_first(at) { Stage::Captures } else { Stage::Read(0) }
            }
            Stage::Read(which) => {
                if let Some(read) = work.reads.get(which) {
                    self.check(at, Purpose::Read(which), &read.condition, now, out);
                    return false;
                }
                if self.reads_first(at) { Stage::DoneWhen } else { Stage::Captures }
            }
            Stage::Captures => {
                let captured =
                    |name: &str| self.state.task(at).is_some_and(|t| t.captured.contains_key(name));
                if let Some(capture) = work.captures.iter().find(|capture| !captured(&capture.name)) {
                    let what = What::Capture(capture.what.clone());
                    self.ask(at, Purpose::Capture(capture.name.clone()), what, now, out);
                    return false;
                }
                Stage::Ready
            }
            Stage::Ready => {
                if !self.may_begin(at, now, out) {
                    return false;
                }
                if !std::mem::take(&mut self.live.place(at).waited) || self.opens(at).is_none() {
                    match work.action {
                        Action::Effect(_) => self.intend(at, out),
                        Action::Roll(_) => self.roll_on(at, true, now, out),
                    }
                    return false;
                }
                // Meanwhile somebody else may have suspended it.
                self.after_gates(at)
            }
        };
        self.live.place(at).stage = next;
        true
    }

    /// Whether every gate passed.
    fn pass_gates(&mut self, at: &At, now: Timestamp, out: &mut Decision) -> bool {
        if let Some(Gated::Wait { waits_for, wake_at }) =
            self.asking(now).time(at).filter(|_| at.item.is_none())
        {
            self.wait_gates(at, vec![waits_for], wake_at, now);
            return false;
        }
        if at.way != Way::Forward || at.item.is_some() {
            return true;
        }
        let passed = |gate: &Label| self.state.task(at).is_some_and(|task| task.passed.contains(gate));
        let crossing = self.crossing(&at.step).filter(|line| !passed(line));
        let own = gates_of(&self.index.plan, at).iter();
        let open: Vec<Label> = own.filter(|gate| !passed(gate)).cloned().collect();
        let mut waits = Vec::new();
        for gate in crossing.iter().chain(&open) {
            let asking = self.asking(now);
            let gated = match self.index.plan.gate(gate) {
                // A point of no return that no gate stands for is asked by its own name.
                None if crossing.as_ref() == Some(gate) => asking.point(&at.step),
                _ => Some(asking.gate(gate, &at.step)),
            };
            match gated {
                None => {}
                Some(Gated::Pass { evidence, approvals }) => {
                    let new =
                        approvals.into_iter().filter(|approval| !self.state.approvals.contains(approval));
                    out.append.extend(new.map(|approval| Event::Approved { approval }));
                    out.append.push(Event::Passed { at: at.clone(), gate: gate.clone(), evidence });
                    return false;
                }
                Some(Gated::Ask(condition)) => {
                    self.check(at, Purpose::Gate(gate.clone()), &condition, now, out);
                    return false;
                }
                Some(Gated::Wait { waits_for, wake_at }) => waits.push((waits_for, wake_at)),
            }
        }
        let hop = self.not_approved(at, now).into_iter();
        for scope in hop {
            if !waits.iter().any(|(waits, _)| *waits == scope) {
                waits.push((scope, None));
            }
        }
        if waits.is_empty() {
            return true;
        }
        let wake_at = waits.iter().filter_map(|(_, wake)| *wake).min();
        self.wait_gates(at, waits.into_iter().map(|(waits, _)| waits).collect(), wake_at, now);
        false
    }

    /// What people have yet to approve of a hop that has suspended and disrupted nothing so far, where a step would be the first to.
    fn not_approved(&self, at: &At, now: Timestamp) -> Vec<WaitsFor> {
        let hop = step_of(&self.index.plan, at).and_then(|step| self.index.approved.get(&step.hop));
        let Some(hop) = hop.filter(|hop| hop.disturbing.contains(&at.step)) else { return Vec::new() };
        if hop.disturbing.iter().any(|step| self.state.phase(&At::forward(step)) != Phase::New) {
            return Vec::new();
        }
        let asking = self.asking(now);
        let gated = hop.scopes.iter().filter_map(|(step, by)| match by {
            ApprovedBy::Gate(gate) => Some(asking.gate(gate, step)),
            ApprovedBy::Point => asking.point(step),
        });
        gated
            .filter_map(|gated| match gated {
                Gated::Wait { waits_for, .. } => Some(waits_for),
                _ => None,
            })
            .collect()
    }

    /// The point of no return that a step crosses, unless one of its gates asks for the approval that names it.
    fn crossing(&self, step: &StepId) -> Option<Label> {
        let point = self.index.plan.points.iter().find(|point| point.step == *step)?;
        let asks = |gate: &Label| {
            let names = GateKind::Approval(ApprovalScope::Point(point.id.clone()));
            self.index.plan.gate(gate).is_some_and(|gate| gate.kind == names)
        };
        let gates = self.index.plan.step(step).map(|step| step.gates.as_slice()).unwrap_or_default();
        (!gates.iter().any(asks)).then(|| point.id.clone())
    }

    /// Gates are asked again before time alone may open them: people can.
    pub(super) fn wait_gates(
        &mut self,
        at: &At,
        waits: Vec<WaitsFor>,
        wake_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let poll = later(now, self.settings.poll);
        self.wait(at, waits, (wake_at.map_or(poll, |wake| wake.min(poll)), wake_at), now);
    }

    pub(super) fn asking(&self, now: Timestamp) -> Asking<'_> {
        let given = self.live.side.said().filter_map(|entry| match &entry.says {
            SideKind::Approve { approval } if approval.by == entry.by => Some(approval),
            _ => None,
        });
        let approvals: Vec<&Approval> = self.state.approvals.iter().chain(given).collect();
        Asking { index: &self.index, state: &self.state, review: self.state.review, approvals, now }
    }

    /// Whether nothing but the step itself is left to look at.
    fn may_begin(&mut self, at: &At, now: Timestamp, out: &mut Decision) -> bool {
        if let Some(Gated::Wait { waits_for, wake_at }) = self.closed_since(at, now) {
            self.live.place(at).stage = Stage::Gates;
            self.wait_gates(at, vec![waits_for], wake_at, now);
            return false;
        }
        if !self.state.claimed {
            let asked = self.live.commands.values().any(|asked| asked.purpose == Purpose::Claim);
            if !asked {
                self.ask(at, Purpose::Claim, What::Claim, now, out);
            }
            self.live.place(at).waited = true;
            return false;
        }
        let waits = self.waits_for_census(at, now, out) || self.waits_for_suspensions(at, now);
        self.live.place(at).waited |= waits;
        !waits
    }

    /// Windows are looked at once more: captures and reads may have taken their time.
    fn closed_since(&self, at: &At, now: Timestamp) -> Option<Gated> {
        if at.item.is_some() || self.state.phase(at) != Phase::New {
            return None;
        }
        let asking = self.asking(now);
        asking.time(at).or_else(|| self.closed_window(at, now))
    }

    /// Whether a window that the step is gated by is closed now.
    pub(super) fn closed_window(&self, at: &At, now: Timestamp) -> Option<Gated> {
        let uses =
            gates_of(&self.index.plan, at).iter().filter_map(|gate| match self.index.plan.gate(gate)?.kind {
                GateKind::Window(used_for) => Some((gate, used_for)),
                _ => None,
            });
        let asking = self.asking(now);
        let closed = |(gate, used_for): (&Label, WindowUse)| {
            let overridden = matches!(asking.gate(gate, &at.step), Gated::Pass { .. });
            let gated = asking.window(used_for, asking.room(&at.step));
            (!overridden && matches!(gated, Gated::Wait { .. })).then_some(gated)
        };
        uses.into_iter().find_map(closed)
    }

    /// A check of the preparation was answered.
    pub(super) fn prepared(&mut self, at: &At, purpose: Purpose, verdict: Verdict, now: Timestamp) {
        if !matches!(self.state.phase(at), Phase::New | Phase::Again) {
            return;
        }
        let evidence = verdict.evidence().clone();
        let at_ = at.clone();
        match (purpose, verdict) {
            (Purpose::Gate(gate), Verdict::Holds { .. }) => {
                self.live.outbox.push_back(Event::Passed { at: at_, gate, evidence });
            }
            (Purpose::Gate(gate), Verdict::Fails { .. }) => {
                self.look_again(
                    at,
                    WaitsFor::Condition { message: said(&format!("gate {gate}"), &evidence) },
                    now,
                );
            }
            (Purpose::DoneWhen, Verdict::Holds { .. }) => {
                if let Some(found) = self.opens(at).filter(|found| self.leaves_as_found(found)) {
                    let text =
                        format!("{} is suspended already, not by this run, which leaves it so", found.title);
                    self.live.outbox.push_back(Event::Noted { text });
                }
                self.live.outbox.push_back(Event::Skipped { at: at_, evidence });
            }
            (Purpose::DoneWhen, Verdict::Fails { .. }) => self.pass_stage(at, Stage::SafeToResume),
            (Purpose::SafeToResume(_), Verdict::Holds { .. }) => self.pass_stage(at, Stage::Read(0)),
            (Purpose::SafeToResume(suspension), _) => self.not_safe(at, &suspension, &evidence, now),
            (Purpose::Read(which), Verdict::Holds { .. }) => self.pass_stage(at, Stage::Read(which + 1)),
            (Purpose::Read(which), verdict) => self.read_missed(at, which, &verdict, now),
            (purpose, _) => {
                let what = match &purpose {
                    Purpose::Gate(gate) => format!("gate {gate}"),
                    _ => format!("whether {at} is done already"),
                };
                self.look_again(at, WaitsFor::Unreadable { what, why: evidence.0.join("; ") }, now);
            }
        }
    }

    /// What a step was compiled from is not so, or cannot be read. A person is asked only of what two looks say.
    fn read_missed(&mut self, at: &At, which: usize, verdict: &Verdict, now: Timestamp) {
        let evidence = verdict.evidence().clone();
        if let Verdict::Fails { .. } = verdict {
            let place = self.live.place(at);
            let since = match place.missed {
                Some((before, since)) if before == which => since,
                _ => now,
            };
            place.missed = Some((which, since));
            if later(since, APART) <= now {
                self.live.outbox.push_back(Event::Stopped { at: at.clone(), evidence });
                return;
            }
            let wake = later(now, APART.max(self.settings.poll));
            let what = evidence.0.join("; ");
            self.wait(at, vec![WaitsFor::SecondLook { what }], (wake, Some(wake)), now);
        } else {
            let what = format!("what {at} was compiled from");
            self.look_again(at, WaitsFor::Unreadable { what, why: evidence.0.join("; ") }, now);
        }
    }

    fn pass_stage(&mut self, at: &At, stage: Stage) {
        let place = self.live.place(at);
        place.stage = stage;
        place.waits.clear();
        place.since = None;
        place.wake = None;
        place.missed = None;
    }

    pub(super) fn kept(&mut self, at: &At, name: &str, captured: Result<Captured, Failure>, now: Timestamp) {
        if !matches!(self.state.phase(at), Phase::New | Phase::Again) {
            return;
        }
        match captured {
            Ok(value) => {
                self.live.outbox.push_back(Event::Captured { at: at.clone(), name: name.to_owned(), value });
            }
            Err(failure) => {
                let what = format!("{name}, which {at} captures before it starts");
                self.look_again(at, WaitsFor::Unreadable { what, why: failure.to_string() }, now);
            }
        }
    }
}

pub(super) fn said(what: &str, evidence: &Evidence) -> String {
    if evidence.0.is_empty() { what.to_owned() } else { format!("{what}: {}", evidence.0.join("; ")) }
}
