//! The account of a run, as text and as Markdown.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jiff::Timestamp;
use switchback_executor::{machine::step_of, report, runs};
use switchback_face::{
    Look, markdown,
    plan::rollback,
    table::{self, Column},
};
use switchback_model::decide::RollbackTimes;
use switchback_schemas::{
    HopId, ItemKey, StepId,
    journal::{Residue, Way},
    plan::{Plan, ShortageKind},
    report::{AwaitedApproval, Report, StepReport, StepStatus},
};

use super::labels;

/// The head that both commands show: where the run stands.
pub(crate) fn head(report: &Report) -> String {
    let rollback = report.rollback.as_ref().map(|why| format!("rollback   {why}\n")).unwrap_or_default();
    format!(
        "run {} of platform {}, plan {}\nstate      {}\n{rollback}started    {}, last record {} ({})\nsavepoint  {}\n",
        report.run,
        report.platform,
        report.plan.short(12),
        labels::state(&report.state),
        report.started,
        report.last,
        report::length(report),
        report.savepoint,
    )
}

/// Where a run stands: its head, and every step that is neither done nor still to come.
pub(crate) fn status(report: &Report, now: Timestamp, look: Look) -> String {
    let mut text = head(report);
    let count = |status: StepStatus| report.steps.iter().filter(|step| step.status == status).count();
    let _ = writeln!(
        text,
        "steps      {} done, {} skipped, {} rolled back, {} not started",
        count(StepStatus::Done),
        count(StepStatus::Skipped),
        count(StepStatus::RolledBack),
        count(StepStatus::NotStarted)
    );
    let quiet = [
        StepStatus::Done,
        StepStatus::Skipped,
        StepStatus::RolledBack,
        StepStatus::NotStarted,
        StepStatus::Gone,
    ];
    let open: Vec<&StepReport> = report.steps.iter().filter(|step| !quiet.contains(&step.status)).collect();
    if !open.is_empty() {
        text.push('\n');
        text.push_str(&steps(open.into_iter(), look));
    }
    text.push_str(&tail(report, now));
    text
}

/// The whole account.
pub(crate) fn text(report: &Report, now: Timestamp, look: Look) -> String {
    let mut text = head(report);
    text.push('\n');
    text.push_str(&steps(report.steps.iter(), look));
    text.push_str(&tail(report, now));
    text
}

/// The account in short: one line for each hop.
pub(crate) fn brief(report: &Report, plan: &Plan, now: Timestamp, look: Look) -> String {
    let columns = [
        Column::text("HOP"),
        Column::text("BEGAN"),
        Column::text("ENDED"),
        Column::numbers("STEPS"),
        Column::numbers("NODES"),
        Column::numbers("CALLS"),
        Column::text("STATUS"),
    ];
    // What was removed later is no part of the hop.
    let mut by_hop: BTreeMap<&HopId, Vec<&StepReport>> = BTreeMap::new();
    for step in report.steps.iter().filter(|step| step.at.way != Way::Cleanup) {
        if let Some(found) = step_of(plan, &step.at) {
            by_hop.entry(&found.hop).or_default().push(step);
        }
    }
    let rows = plan.hops.iter().map(|hop| {
        let steps = by_hop.get(&hop.id).map(Vec::as_slice).unwrap_or_default();
        let forward = || steps.iter().filter(|step| step.at.way == Way::Forward);
        let whole = || forward().filter(|step| step.at.item.is_none());
        let nodes: BTreeSet<&ItemKey> =
            forward().filter_map(|step| Some(&step.at.item.as_ref()?.key)).collect();
        let done = whole().filter(|step| severity(step.status) == 0).count();
        let worst = whole().map(|step| step.status).max_by_key(|status| severity(*status));
        [
            hop.id.to_string(),
            clock(steps.iter().filter_map(|step| step.started).min()),
            clock(steps.iter().filter_map(|step| step.ended).max()),
            format!("{done}/{}", whole().count()),
            nodes.len().to_string(),
            steps.iter().map(|step| u64::from(step.attempts)).sum::<u64>().to_string(),
            worst.map_or("", labels::status).to_owned(),
        ]
    });
    format!("{}\n{}{}", head(report), table::render(&columns, rows, look), tail(report, now))
}

/// One line for each step in the order in which they began, and one for each node of a roll. What was seen is said where
/// something is not as it should be.
fn steps<'a>(steps: impl Iterator<Item = &'a StepReport>, look: Look) -> String {
    let columns = [
        Column::text("STATUS"),
        Column::text("BEGAN"),
        Column::text("ENDED"),
        Column::numbers("CALLS"),
        Column::text("STEP"),
    ];
    let mut lines: Vec<Line<'_>> = Vec::new();
    for step in steps {
        let node = step.at.item.as_ref().map(|item| &item.key);
        let same = |line: &&mut Line<'_>| node.is_some() && line.step == &step.at.step && line.node == node;
        match lines.iter_mut().find(same) {
            Some(line) => line.add(step),
            None => lines.push(Line::new(step)),
        }
    }
    lines.sort_by_key(|line| (line.began.is_none(), line.began, line.node.is_some()));
    let rows = lines.iter().map(|line| {
        [
            labels::status(line.status).to_owned(),
            clock(line.began),
            clock(line.ended),
            line.calls.to_string(),
            line.what.clone(),
        ]
    });
    table::render(&columns, rows, look)
}

/// A step, or everything that was done to one node of a roll.
struct Line<'a> {
    step: &'a StepId,
    node: Option<&'a ItemKey>,
    status: StepStatus,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
    calls: u32,
    what: String,
}

impl<'a> Line<'a> {
    fn new(step: &'a StepReport) -> Self {
        let what = match &step.at.item {
            Some(_) => format!("  {}", step.node.as_deref().unwrap_or_default()),
            None => step.at.to_string(),
        };
        let mut line = Self {
            step: &step.at.step,
            node: step.at.item.as_ref().map(|item| &item.key),
            status: step.status,
            began: step.started,
            ended: step.ended,
            calls: step.attempts,
            what,
        };
        line.remark(step);
        line
    }

    fn add(&mut self, step: &StepReport) {
        self.began = self.began.into_iter().chain(step.started).min();
        self.ended = self.ended.max(step.ended);
        self.calls = self.calls.saturating_add(step.attempts);
        // A node is as far as the step that is least done.
        if severity(step.status) > severity(self.status) {
            self.status = step.status;
        }
        self.remark(step);
    }

    fn remark(&mut self, step: &StepReport) {
        let seen = step.evidence.0.first().filter(|_| severity(step.status) > 1);
        if let Some(seen) = seen {
            let _ = write!(self.what, ": {seen}");
        }
    }
}

fn severity(status: StepStatus) -> u8 {
    match status {
        StepStatus::Done | StepStatus::Skipped | StepStatus::Gone | StepStatus::RolledBack => 0,
        StepStatus::NotStarted => 1,
        StepStatus::Running => 2,
        StepStatus::Blocked => 3,
        StepStatus::InDoubt => 4,
        StepStatus::Failed => 5,
    }
}

/// What comes after the steps, looked at from an instant that is not before the run's last record.
fn tail(report: &Report, now: Timestamp) -> String {
    let now = now.max(report.last);
    let mut text = String::new();
    for approval in &report.approvals {
        let reason = approval.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let (scope, who) = (labels::scope(&approval.scope), labels::who(&approval.by));
        let _ = writeln!(text, "approved   {scope} by {who} at {}{reason}", approval.given);
    }
    text.push_str(&awaited(&report.awaited));
    for suspension in report.left_suspended.iter().filter(|_| runs::is_over(report)) {
        let _ = writeln!(text, "suspended  {suspension}");
    }
    for title in suspended_meanwhile(report) {
        let _ = writeln!(text, "suspended  {title}, until the run resumes it or is rolled back");
    }
    text.push_str(&worse(report));
    // Before its end, what a run has done is no residue.
    for line in report.residue.iter().filter(|_| runs::is_over(report)) {
        let _ = writeln!(text, "left       {line}");
    }
    for way in &report.expiring {
        let _ = writeln!(text, "rollback   to {}: {}", way.to, rollback::times(&RollbackTimes::of(way, now)));
    }
    text.push_str(&retained(report, now));
    text
}

/// What stands still while a run waits that is not over.
pub(crate) fn suspended_meanwhile(report: &Report) -> Vec<&str> {
    let open = report.residue.iter().filter(|_| !runs::is_over(report));
    open.filter_map(|left| match left {
        Residue::Suspended { title, .. } => Some(title.as_str()),
        _ => None,
    })
    .collect()
}

/// Approvals that a run waits for: how many are given, by whom, and what to type.
pub(crate) fn awaited(awaited: &[AwaitedApproval]) -> String {
    awaited.iter().fold(String::new(), |text, one| {
        let (scope, given) = (labels::scope(&one.scope), labels::given(one));
        let next = match one.missing() {
            0 => "continue with `switchback tick` or the same `apply`".to_owned(),
            _ => format!("switchback approve --{scope}"),
        };
        text + &format!("approve    {scope}: {given}: {next}\n")
    })
}

/// What is worse than before the run: what it answers for, and what it did not touch.
pub(crate) fn worse(report: &Report) -> String {
    let mut text = String::new();
    for shortage in &report.worse {
        let whose = match (&shortage.ours, shortage.how) {
            (_, ShortageKind::Gone) => "unknown",
            (Some(_), _) => "worse",
            (None, _) => "worse, not by this run",
        };
        let _ = writeln!(text, "{whose:10} {shortage}");
    }
    let ours = report.worse.iter().filter(|shortage| shortage.ours.is_some());
    for shortage in ours.filter(|shortage| shortage.how != ShortageKind::Gone && !runs::is_over(report)) {
        let _ = writeln!(
            text,
            "accept     switchback approve --worse \"{}\", then `continue` or `retry`",
            shortage.object
        );
    }
    text
}

/// What is retained for rollback, until when, and whether cleanup is due.
pub(crate) fn retained(report: &Report, now: Timestamp) -> String {
    let mut text = String::new();
    for kept in &report.retained {
        let due = if kept.until <= now { "; cleanup is due" } else { "" };
        let _ = writeln!(text, "retained   {} until {}{due}: {}", kept.what, kept.until, kept.why);
    }
    if runs::is_over(report) && !report.retained.is_empty() {
        let _ = writeln!(text, "cleanup    switchback cleanup --run {} --reason TEXT", report.run);
    }
    text
}

/// The account for a page or a pull request: short first, every step folded away.
pub(crate) fn markdown(report: &Report, now: Timestamp) -> String {
    let mut text = format!(
        "## Run {} of {}\n\n**{}**\n\n",
        markdown::code(report.run.as_str()),
        markdown::code(report.platform.as_str()),
        markdown::escape(&labels::state(&report.state)),
    );
    let _ = writeln!(
        text,
        "Started {}, last record {} ({}). Savepoint {}. Plan {}.\n",
        report.started,
        report.last,
        report::length(report),
        markdown::code(report.savepoint.as_str()),
        markdown::code(&report.plan.to_string()),
    );
    if let Some(why) = &report.rollback {
        let _ = writeln!(text, "- rolled back because {}", markdown::escape(why));
    }
    for line in tail(report, now).lines() {
        let _ = writeln!(text, "- {}", markdown::escape(line));
    }
    let rows = report.steps.iter().map(|step| {
        vec![
            markdown::code(&step.at.to_string()),
            labels::status(step.status).to_owned(),
            clock(step.started),
            clock(step.ended),
            step.attempts.to_string(),
            markdown::escape(&step.evidence.0.join("; ")),
        ]
    });
    let steps = markdown::table(&["step", "status", "began", "ended", "calls", "last seen"], rows);
    text.push('\n');
    text.push_str(&markdown::details(&format!("{} steps", report.steps.len()), &steps));
    text
}

fn clock(at: Option<Timestamp>) -> String {
    at.map(|at| at.strftime("%H:%M:%SZ").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use switchback_schemas::{
        Digest, RunId,
        format::Document,
        journal::End,
        name::{Label, SavepointId},
        report::{ExpiringRollback, RunState},
    };

    use super::*;

    #[test]
    fn a_complete_run_is_told_with_the_way_back_that_it_still_has() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let report = Report {
            format: Document::Report.current(),
            run: RunId::new("r-1").expect("a run"),
            platform: Label::new("dev").expect("a name"),
            plan: Digest::of(""),
            started: at("2026-11-20T10:00:00Z"),
            last: at("2026-11-20T14:00:00Z"),
            state: RunState::Ended { end: End::Complete },
            rollback: None,
            savepoint: SavepointId::new("start").expect("a savepoint"),
            steps: Vec::new(),
            left_suspended: Vec::new(),
            approvals: Vec::new(),
            awaited: Vec::new(),
            residue: Vec::new(),
            worse: Vec::new(),
            retained: Vec::new(),
            expiring: vec![ExpiringRollback {
                to: SavepointId::new("start").expect("a savepoint"),
                decide_by: Some(at("2026-11-27T06:00:00Z")),
                expires_at: at("2026-11-27T10:00:00Z"),
                why: "EKS takes back one minor".to_owned(),
                step: StepId::new("eks/a@1.33/control-plane").expect("a step"),
            }],
        };
        for (now, told) in [
            // A clock that is behind the run's own is not believed.
            (
                "2026-11-19T00:00:00Z",
                "to start: decide by 2026-11-27T06:00:00Z; expires 2026-11-27T10:00:00Z",
            ),
            ("2026-11-27T07:00:00Z", "to start: too late: it had to start by 2026-11-27T06:00:00Z"),
            ("2026-12-24T00:00:00Z", "to start: expired 2026-11-27T10:00:00Z (EKS takes back"),
        ] {
            let text = status(&report, at(now), Look::PLAIN);
            assert!(text.contains(told), "{now}: {text}");
        }
        let whole = text(&report, at("2026-11-19T00:00:00Z"), Look::PLAIN);
        assert!(whole.contains("decide by"), "as it stood at the last record");
    }
}
