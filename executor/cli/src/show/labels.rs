//! Words for what stands in journals and reports.

use switchback_executor::machine;
use switchback_schemas::{
    journal::{At, Class, End, Identified, Outcome, Verdict, WaitsFor, Way},
    name::Label,
    plan::{ApprovalScope, Plan},
    report::{AwaitedApproval, RunState, StepStatus},
};

/// Who somebody is.
pub(crate) fn who(by: &Identified) -> String {
    machine::who(by)
}

/// A scope as `approve` takes it.
pub(crate) fn scope(scope: &ApprovalScope) -> String {
    machine::scope_text(scope)
}

/// What a place does, in the plan's words.
pub(crate) fn title(plan: &Plan, at: &At) -> String {
    let work = match at.way {
        Way::Forward => plan.step(&at.step).map(|step| &step.work),
        // What a roll did to a node is taken back under the roll's own name.
        Way::Rollback => plan
            .rollback_step(&at.step)
            .map(|step| &step.work)
            .or_else(|| plan.step(&at.step).map(|step| &step.work)),
        Way::Cleanup => plan.retentions.iter().find(|left| left.step == at.step).map(|left| &left.removal),
    };
    let Some(work) = work else { return at.to_string() };
    match &at.item {
        Some(item) => format!("{}: {} of {}", work.title, item.recipe, item.key),
        None => work.title.clone(),
    }
}

/// What something waits for.
pub(crate) fn waits_for(waits: &WaitsFor) -> String {
    match waits {
        WaitsFor::Budget { budget, pod } => format!("the disruption budget {budget} of pod {pod}"),
        WaitsFor::Workload { workload, node, why: Some(why), .. } => {
            format!("{workload} on node {node}: {why}")
        }
        WaitsFor::Workload { workload, class: Some(class), node, why: None } => {
            format!("{workload} on node {node} (class {class})")
        }
        WaitsFor::Workload { workload, class: None, node, why: None } => {
            format!("{workload} on node {node}, which has no class")
        }
        WaitsFor::Terminating { pods: 1, node } => format!("1 pod that is leaving node {node}"),
        WaitsFor::Terminating { pods, node } => format!("{pods} pods that are leaving node {node}"),
        WaitsFor::Approval { scope } => format!("an approval: switchback approve --{}", self::scope(scope)),
        WaitsFor::Window { window } => format!("the window {window}"),
        WaitsFor::Instant { at } => at.to_string(),
        WaitsFor::Capacity { message } => format!("capacity: {message}"),
        WaitsFor::Credentials { message } => format!("credentials: {message}"),
        WaitsFor::Unreadable { what, why } => format!("{what}, which cannot be read: {why}"),
        WaitsFor::SecondLook { what } => format!("a second look: {what}"),
        WaitsFor::Operation { message, .. } | WaitsFor::Condition { message } => message.clone(),
        WaitsFor::Person { message } => format!("an operator: {message}"),
    }
}

/// How many of the approvals that something needs are given, by whom, and how many are missing.
pub(crate) fn given(awaited: &AwaitedApproval) -> String {
    let count = format!("{} of {}", awaited.given.len(), awaited.needed);
    let by = match awaited.given.as_slice() {
        [] => String::new(),
        given => format!(" ({})", given.iter().map(who).collect::<Vec<_>>().join(", ")),
    };
    let of: Vec<&str> = awaited.may.iter().map(Label::as_str).collect();
    match (awaited.missing(), of.as_slice()) {
        (0, _) => format!("{count}{by}"),
        (more, [_, ..]) => format!("{count}{by}, missing: {more} of {}", of.join(", ")),
        (1, []) => format!("{count}{by}, missing: 1 more person"),
        (more, []) => format!("{count}{by}, missing: {more} more people"),
    }
}

/// All that something waits for.
pub(crate) fn all_waits(waits: &[WaitsFor]) -> String {
    waits.iter().map(waits_for).collect::<Vec<_>>().join("; ")
}

/// Where a run stands, in a few words.
pub(crate) fn state(state: &RunState) -> String {
    match state {
        RunState::Running {} => "running, or its process died (continue with `switchback apply`)".to_owned(),
        RunState::Held { why } => format!("held: {why}"),
        RunState::Parked { waits_for, wake_at } => {
            let wake = wake_at.map_or_else(String::new, |at| format!(", next check at {at}"));
            format!("parked: waits for {}{wake}", all_waits(waits_for))
        }
        RunState::Superseded { by } => format!("continued by {by}"),
        RunState::Ended { end } => self::end(*end).to_owned(),
    }
}

/// How a run ended.
pub(crate) fn end(end: End) -> &'static str {
    match end {
        End::Complete => "complete: targets reached and verified",
        End::RolledBack => "rolled back to a savepoint",
        End::RolledBackSuspended => "rolled back to a savepoint, with suspensions left",
        End::Abandoned => "abandoned",
        End::CleanedUp => "cleaned up: nothing is retained for rollback",
    }
}

/// What became of a step.
pub(crate) fn status(status: StepStatus) -> &'static str {
    match status {
        StepStatus::NotStarted => "not started",
        StepStatus::Running => "running",
        StepStatus::Blocked => "blocked",
        StepStatus::InDoubt => "in doubt",
        StepStatus::Done => "done",
        StepStatus::Skipped => "skipped, was done",
        StepStatus::Failed => "failed",
        StepStatus::RolledBack => "rolled back",
        StepStatus::Gone => "disappeared by itself",
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Throttled => "throttled",
        Class::Unreachable => "unreachable",
        Class::Conflict => "changed by another writer",
        Class::Denied => "denied",
        Class::Refused => "refused",
        Class::Vetoed => "refused by an admission webhook",
        Class::Deadline => "took too long",
        Class::Crashed => "the process died",
        Class::Bug => "a bug",
    }
}

/// How a call failed; `None` when it did not.
pub(crate) fn outcome(outcome: &Outcome) -> Option<String> {
    let with = |what: String, lines: &[String]| match lines.first() {
        Some(first) => format!("{what}: {first}"),
        None => what,
    };
    match outcome {
        Outcome::Done { .. } | Outcome::Blocked { .. } => None,
        Outcome::NotDone { class: kind, evidence } => {
            Some(with(format!("not done ({})", class(*kind)), &evidence.0))
        }
        Outcome::InDoubt { class: kind, evidence } => {
            Some(with(format!("in doubt ({})", class(*kind)), &evidence.0))
        }
    }
}

/// What came out of a verification.
pub(crate) fn verdict(verdict: &Verdict) -> String {
    let seen = verdict.evidence().0.join("; ");
    match verdict {
        Verdict::Holds { .. } => "done".to_owned(),
        Verdict::Fails { .. } => format!("failed: {seen}"),
        Verdict::Unknown { .. } => format!("unknown: {seen}"),
    }
}
