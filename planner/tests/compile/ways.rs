//! Rollbacks that would not be there when they are needed.

use std::collections::BTreeMap;

use switchback_face::plan::dry_run::DryRun;
use switchback_model::{Graph, summary::summary};
use switchback_planner::{findings::Findings, lower::rollback_deadline};
use switchback_schemas::{Diagnostic, Digest, Severity, StepId, codes, inventory::Inventory, plan::Plan};

use crate::{world, world_eks};

/// The cluster from 1.31, whose support ends on Thursday, 26 November 2026, observed on the Friday before.
fn with_windows(windows: &str) -> (Plan, Vec<Diagnostic>) {
    compiled(windows, &world_eks::eks())
}

fn compiled(windows: &str, observed: &Inventory) -> (Plan, Vec<Diagnostic>) {
    let platform = format!("{}  windows:\n{windows}", world_eks::PLATFORM);
    let files = [("p.yaml", platform.as_str()), ("e.yaml", world_eks::EKS)];
    let (plan, found) = world_eks::compiled(&files, observed, world_eks::addons());
    (plan.unwrap_or_else(|| panic!("a plan, not {found:#?}")), found)
}

/// A weekly rollback window in UTC.
fn back(day: &str, start: &str, length: &str) -> String {
    format!(
        "    - {{name: back, usedFor: rollback, zone: UTC, days: [{day}], start: '{start}', length: {length}}}\n"
    )
}

fn back_on(day: &str) -> String {
    back(day, "01:00", "4h")
}

/// A window that is always open, for plans whose rollbacks need none.
const ANY_TIME: &str = "    - {name: f, usedFor: forward, zone: UTC, days: [], start: '00:00', length: 1d}\n";

/// The cluster with a support that ends much later: the seven days close the rollback.
fn supported() -> Inventory {
    let mut observed = world_eks::eks();
    world_eks::change(&mut observed, |cluster| {
        for support in &mut cluster.calendar {
            support.extended_until = "2030-01-01".parse().expect("a day");
        }
    });
    observed
}

fn warned(found: &[Diagnostic]) -> Option<&Diagnostic> {
    found.iter().find(|d| d.code == codes::PLAN_WAY_BACK)
}

/// Windows, whether the support ends on the 26th, when it begins, what is said of it.
#[test]
fn what_would_help_is_worked_out() {
    let cases = [
        // Friday the 27th comes after the end of support, whichever day one begins on and whatever stays behind.
        ("around_the_clock", back_on("fri"), true, "2026-11-20T09:12:00Z"),
        // Two hours of a Wednesday are enough for the control plane alone.
        ("bake", back("wed", "01:00", "2h"), true, "2026-11-20T09:12:00Z"),
        // It closes three minutes before next Friday's window, and this Friday's has no room left once the hop is verified.
        ("weekday", back("fri", "09:25", "4h"), false, "2026-11-20T09:12:00Z"),
        // Four hours before the end of support.
        ("last_hours", String::new(), true, "2026-11-25T20:00:00Z"),
        ("nothing", String::new(), true, "2026-11-25T23:30:00Z"),
    ];
    for (name, windows, ends, from) in cases {
        let observed = if ends { world_eks::eks() } else { supported() };
        let (mut plan, _) = compiled(&format!("{ANY_TIME}{windows}"), &observed);
        plan.inputs.as_of = from.parse().expect("an instant");
        let findings = Findings::new(Vec::new(), plan.inputs.as_of);
        rollback_deadline::check(&plan, &Graph::of(&plan).expect("a DAG"), &BTreeMap::new(), &findings);
        let found = findings.into_list();
        let warning = warned(&found).unwrap_or_else(|| panic!("{name}: a warning among {found:#?}"));
        let help = warning.help.as_deref().unwrap_or_default();
        insta::assert_snapshot!(name, format!("{}\n= {}", warning.message, help.replace("; or ", "\n  or ")));
    }
}

#[test]
fn a_rollback_window_that_comes_too_late_stands_in_the_plan() {
    let (plan, found) = with_windows(&back_on("fri"));
    let warning = warned(&found).unwrap_or_else(|| panic!("a warning among {found:#?}"));
    assert_eq!(warning.severity, Severity::Warning);
    assert!(!warning.labels.is_empty(), "it says where the hop is asked for");
    assert!(plan.notices.iter().any(|notice| notice.code == codes::PLAN_WAY_BACK), "it stands in the plan");
}

#[test]
fn a_rollback_window_in_time_is_enough() {
    for day in ["sun", "wed"] {
        let (_, found) = with_windows(&back_on(day));
        assert!(warned(&found).is_none(), "{day}: {found:#?}");
    }
    let (_, found) = with_windows(ANY_TIME);
    assert!(warned(&found).is_none(), "without rollback windows it is possible at any time: {found:#?}");
}

#[test]
fn a_way_back_that_is_closed_before_it_is_needed_is_said_to_be() {
    let (mut plan, _) = with_windows(ANY_TIME);
    // What was in time on the 20th is applied on the day on which the support has ended.
    plan.inputs.as_of = "2026-11-26T12:00:00Z".parse().expect("an instant");
    let graph = Graph::of(&plan).expect("a DAG");
    let findings = Findings::new(Vec::new(), plan.inputs.as_of);
    rollback_deadline::check(&plan, &graph, &BTreeMap::new(), &findings);
    let found = findings.into_list();
    let warning = warned(&found).unwrap_or_else(|| panic!("a warning among {found:#?}"));
    assert!(warning.message.contains("has expired when the hop is verified"), "{}", warning.message);
    assert!(
        warning.message.contains("it expires 2026-11-26T00:00:00Z (extended support"),
        "{}",
        warning.message
    );

    let summary = summary(&plan, &graph);
    let dry_run =
        DryRun { plan: &plan, graph: &graph, summary: &summary, digest: Digest::of(""), steps: false };
    let text = dry_run.to_string();
    assert!(text.contains("expired 2026-11-26T00:00:00Z (extended support of Kubernetes 1.31"), "{text}");
    assert!(!text.contains("decide by"), "{text}");
}

#[test]
fn a_release_that_loses_the_revision_to_go_back_to_is_an_error() {
    let files = [("p.yaml", world::PLATFORM), ("k.yaml", world::KARPENTER)];
    let plan = world::compiled(&files, &world::inventory("1.5.8"), &["1.8.8"]).0.expect("a plan");
    let times = |count: usize| {
        let mut plan = plan.clone();
        let one =
            plan.steps.iter().find(|step| step.id.as_str().ends_with("/controller")).expect("it").clone();
        for number in 1..count {
            let id = StepId::new(format!("{}-{number}", one.id)).expect("an id");
            plan.steps.push(switchback_schemas::plan::Step { id, ..one.clone() });
        }
        plan.steps.sort_by(|a, b| a.id.cmp(&b.id));
        let findings = Findings::new(Vec::new(), plan.inputs.as_of);
        rollback_deadline::check(&plan, &Graph::of(&plan).expect("a DAG"), &BTreeMap::new(), &findings);
        findings.into_list()
    };
    assert!(times(9).is_empty());
    let found = times(10);
    assert!(found.iter().any(|d| d.is_error() && d.code == codes::PLAN_WAY_BACK), "{found:#?}");
}
