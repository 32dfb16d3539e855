//! Gates: what must pass before a step starts.

use jiff::Timestamp;
use switchback_model::{group::batch, trust::Of};
use switchback_schemas::{
    Digest, Seconds, StepId,
    journal::{Approval, At, Evidence, Identified, WaitsFor, Way},
    name::Label,
    plan::{ApprovalScope, Condition, GateKind, Plan, WindowUse},
};

use super::{
    void::Void,
    windows::{self, Answer},
};
use crate::machine::{Index, RunState, fold::place::roll_of};

/// What a gate says now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Gated {
    /// It passes.
    Pass {
        /// What was seen.
        evidence: Evidence,
        /// Approvals that counted.
        approvals: Vec<Approval>,
    },
    /// It does not pass now.
    Wait {
        /// What for.
        waits_for: WaitsFor,
        /// When time alone may change that.
        wake_at: Option<Timestamp>,
    },
    /// The platform has to be asked.
    Ask(Condition),
}

fn pass(line: String) -> Gated {
    Gated::Pass { evidence: Evidence::line(line), approvals: Vec::new() }
}

/// What is known when a gate is asked.
pub(super) struct Asking<'run> {
    /// The plan, indexed.
    pub index: &'run Index,
    /// The run.
    pub state: &'run RunState,
    /// What approvals bind to.
    pub review: Option<Digest>,
    /// Every approval that was given.
    pub approvals: Vec<&'run Approval>,
    /// What time it is.
    pub now: Timestamp,
}

impl Asking<'_> {
    fn plan(&self) -> &Plan {
        &self.index.plan
    }

    /// What has to fit into a window when a step starts, or the next batch of its roll.
    pub(super) fn room(&self, step: &StepId) -> Seconds {
        let Some(number) = self.index.graph.number(step) else { return Seconds(0) };
        match self.state.roll(&At::forward(step)) {
            Some(_) => self.index.room.batch(number),
            None => self.index.room.forward(number),
        }
    }

    fn room_back(&self, at: &At) -> Seconds {
        let roll = roll_of(self.plan(), &at.step, Way::Rollback).filter(|_| self.state.roll(at).is_some());
        roll.map_or_else(|| self.index.room.back(&at.step), batch)
    }

    /// Asks one of a step's gates.
    pub(super) fn gate(&self, gate: &Label, step: &StepId) -> Gated {
        let Some(gate) = self.plan().gate(gate) else {
            let message = format!("the plan has no gate {gate}");
            return Gated::Wait { waits_for: WaitsFor::Person { message }, wake_at: None };
        };
        if self.index.may_override(gate)
            && let Some(by) = self.overridden(&gate.id)
        {
            let evidence = Evidence::line(format!("overridden by {}", who(&by.by)));
            return Gated::Pass { evidence, approvals: vec![by.clone()] };
        }
        match &gate.kind {
            GateKind::Approval(scope) => self.approved(scope),
            GateKind::Window(used_for) => self.window(*used_for, self.room(step)),
            GateKind::NotBefore(at) if *at <= self.now => pass(format!("it is after {at}")),
            GateKind::NotBefore(at) => {
                Gated::Wait { waits_for: WaitsFor::Instant { at: *at }, wake_at: Some(*at) }
            }
            GateKind::Check(condition) => Gated::Ask(condition.clone()),
        }
    }

    /// Points of no return that a step crosses need an approval that names them, whether a gate says so or not.
    pub(super) fn point(&self, step: &StepId) -> Option<Gated> {
        let point = self.plan().points.iter().find(|point| point.step == *step)?;
        Some(self.approved(&ApprovalScope::Point(point.id.clone())))
    }

    /// The approvals of a scope that count, one of each person.
    pub(super) fn counted(&self, scope: &ApprovalScope) -> Vec<Approval> {
        let counting = self.approvals.iter().copied();
        one_of_each(counting.filter(|approval| approval.scope == *scope && self.counts(approval)))
            .into_iter()
            .cloned()
            .collect()
    }

    /// Whether enough different people approved a scope.
    pub(super) fn approved(&self, scope: &ApprovalScope) -> Gated {
        let counted = self.counted(scope);
        if counted.len() as u64 >= u64::from(self.index.quorum()) {
            let by: Vec<_> = counted.iter().map(|approval| who(&approval.by)).collect();
            let evidence = Evidence::line(format!("approved by {}", by.join(", ")));
            return Gated::Pass { evidence, approvals: counted };
        }
        Gated::Wait { waits_for: WaitsFor::Approval { scope: scope.clone() }, wake_at: None }
    }

    /// An override is loud: it names its gate, says why, and ends.
    fn overridden(&self, gate: &Label) -> Option<&Approval> {
        let names = |approval: &&&Approval| {
            approval.scope == ApprovalScope::Gate(gate.clone())
                && approval.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty())
                && approval.expires.is_some()
                && self.counts(approval)
        };
        self.approvals.iter().find(names).copied()
    }

    pub(super) fn counts(&self, approval: &Approval) -> bool {
        self.void(approval).is_none() && approval.given <= self.now
    }

    /// What keeps an approval from counting, whatever it is of.
    pub(super) fn void(&self, approval: &Approval) -> Option<Void> {
        if Some(approval.review) != self.review {
            return Some(Void::OtherReview);
        }
        if let Some(void) = self.unproven(approval) {
            return Some(void);
        }
        approval.expires.filter(|expires| *expires <= self.now).map(Void::Expired)
    }

    /// Why nobody knows that it is by who it says, or why that person may not. A signature is checked each time, from the entry itself:
    /// whoever can write to a store can write a name.
    fn unproven(&self, approval: &Approval) -> Option<Void> {
        let platform = &self.plan().platform;
        let Some(named) = &platform.trust else {
            let counts = match &approval.by {
                Identified::Kubernetes(_) => true,
                Identified::Asserted(_) => platform.allow_asserted,
                Identified::Ssh { .. } => false,
            };
            return (!counts).then(|| Void::Unproven(platform.name.clone()));
        };
        let Some(trust) = &self.index.trust else { return Some(Void::NoTrust(named.name.clone())) };
        let Some(run) = &self.state.run else { return Some(Void::OtherReview) };
        if let Err(why) = trust.proves(Of { run, plan: &self.index.digest }, approval) {
            return Some(Void::Unsigned { trust: named.name.clone(), why });
        }
        let Identified::Ssh { name, .. } = &approval.by else { return None };
        self.may_not(name).then(|| Void::Applier(name.clone()))
    }

    /// Whether a person applies the run, where who applies may not approve.
    pub(super) fn may_not(&self, person: &Label) -> bool {
        let Some(trust) = &self.index.trust else { return false };
        let is_person = |by: &Identified| match by {
            Identified::Kubernetes(user) => trust.user(user) == Some(person),
            Identified::Ssh { name, .. } => name == person,
            Identified::Asserted(_) => false,
        };
        !trust.trust().spec.applier_may_approve && self.state.appliers.iter().any(is_person)
    }

    /// Whether a window of this use is open and has `needed` left. Windows forward also keep clear of freezes.
    pub(super) fn window(&self, used_for: WindowUse, needed: Seconds) -> Gated {
        let wait = |window: String, wake_at| Gated::Wait { waits_for: WaitsFor::Window { window }, wake_at };
        match windows::answer(&self.plan().windows, used_for, needed, self.now) {
            Answer::Always => pass("the plan has no window".to_owned()),
            Answer::Open { window, until } => pass(format!("window {window} is open until {until}")),
            Answer::Frozen { window, until } => wait(format!("the end of {window}"), Some(until)),
            Answer::Closed { window, opens } => wait(window, Some(opens)),
            Answer::Never => wait(format!("one that has room for {needed}; the plan has none"), None),
            Answer::Unreadable(why) => wait(why, None),
        }
    }

    /// What keeps a place from starting now, gates aside: freezes forward, rollback windows back.
    pub(super) fn time(&self, at: &At) -> Option<Gated> {
        let gated = match at.way {
            // Nothing forward starts inside of a freeze, whether a gate says so or not.
            Way::Forward => self.window(WindowUse::Freeze, Seconds(0)),
            Way::Rollback => self.window(WindowUse::Rollback, self.room_back(at)),
            // What nothing needs any more may go at any time.
            Way::Cleanup => return None,
        };
        Some(gated).filter(|gated| matches!(gated, Gated::Wait { .. }))
    }
}

/// A scope as `switchback approve` takes it.
pub fn scope_text(scope: &ApprovalScope) -> String {
    match scope {
        ApprovalScope::Plan {} => "plan".to_owned(),
        ApprovalScope::Point(point) => format!("point {point}"),
        ApprovalScope::Gate(gate) => format!("gate {gate}"),
        ApprovalScope::Cleanup {} => "cleanup".to_owned(),
        ApprovalScope::Worse(accepted) => format!("worse \"{}\"", accepted.object),
    }
}

/// Whether two approvals are of one person, who may have several keys.
pub(super) fn same_person(one: &Identified, other: &Identified) -> bool {
    match (one, other) {
        (Identified::Ssh { name: one, .. }, Identified::Ssh { name: other, .. }) => one == other,
        _ => one == other,
    }
}

/// The first approval of each person.
pub(super) fn one_of_each<'run>(approvals: impl Iterator<Item = &'run Approval>) -> Vec<&'run Approval> {
    let mut one: Vec<&Approval> = Vec::new();
    for approval in approvals {
        if !one.iter().any(|earlier| same_person(&earlier.by, &approval.by)) {
            one.push(approval);
        }
    }
    one
}

/// A person, for people.
pub fn who(by: &Identified) -> String {
    match by {
        Identified::Ssh { name, key } => format!("{name} (ssh {key})"),
        Identified::Asserted(name) => format!("{name} (asserted)"),
        Identified::Kubernetes(name) => name.clone(),
    }
}
