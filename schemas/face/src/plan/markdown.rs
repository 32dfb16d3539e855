//! The dry-run as a comment on a pull request: short first, steps folded, under the forge's size limit.

use std::{collections::BTreeMap, fmt::Write as _};

use switchback_model::{
    Graph,
    summary::{Summary, steps_by_hop},
};
use switchback_schemas::{
    Digest, HopId, StepId,
    plan::{Plan, RollbackStep, Step, Undo},
};

use super::{glance, labels};
use crate::markdown::{COMMENT_LIMIT, code, details, escape, fenced, fit, table};

/// Renders a plan.
pub fn comment(plan: &Plan, graph: &Graph, summary: &Summary, digest: Digest) -> String {
    let mut parts = vec![head(plan, summary, digest)];
    parts.push(hops(summary));
    parts.push(glance(plan, summary));
    for hop in &summary.hops {
        for line in &hop.points {
            parts.push(format!(
                "> **Point of no return** {}: {} ends here. Recovery afterwards: {}\n\n",
                code(line.id.as_str()),
                escape(&line.ends),
                escape(&line.recovery)
            ));
        }
    }
    parts.push(not_known(plan, summary));
    let (by_hop, undoing) = (steps_by_hop(plan, graph), plan.rollback_by_step());
    for hop in summary.hops.iter().map(|hop| &hop.hop.id) {
        parts.push(steps(hop, by_hop.get(hop).map(Vec::as_slice).unwrap_or_default(), &undoing));
    }
    fit(parts.iter().map(String::as_str), COMMENT_LIMIT)
}

fn head(plan: &Plan, summary: &Summary, digest: Digest) -> String {
    format!(
        "### Switchback: {}\n\n{}, about {} excluding waits. Observed {}, plan {}, review {}.\n\n",
        escape(plan.platform.name.as_str()),
        labels::steps(summary),
        summary.takes,
        plan.inputs.observed_at,
        code(&digest.short(12)),
        code(&plan.digests.review.short(12)),
    )
}

/// The same facts as the text begins with; the table above says what moves.
fn glance(plan: &Plan, summary: &Summary) -> String {
    let facts = glance::facts(plan, summary).into_iter().filter(|(title, _)| *title != "moves");
    let line = |(title, lines): (&str, Vec<String>)| match lines.as_slice() {
        [one] => format!("- **{title}**: {}\n", escape(one)),
        many => {
            let below: Vec<String> = many.iter().map(|line| format!("  - {}\n", escape(line))).collect();
            format!("- **{title}**:\n{}", below.concat())
        }
    };
    facts.map(line).collect::<String>() + "\n"
}

fn hops(summary: &Summary) -> String {
    let rows = summary.hops.iter().map(|hop| {
        let from = hop.hop.from.as_ref().map_or_else(String::new, |from| format!("{from} → "));
        [
            escape(hop.hop.id.component().as_str()),
            escape(&format!("{from}{}", hop.hop.id.to())),
            labels::basis(hop.hop.basis).to_owned(),
            hop.steps.to_string(),
            format!("about {}", hop.takes),
            labels::disruption(hop.disruption).to_owned(),
            escape(&labels::back(&hop.back)),
        ]
    });
    table(&["component", "hop", "basis", "steps", "takes", "disrupts", "rollback"], rows) + "\n"
}

fn not_known(plan: &Plan, summary: &Summary) -> String {
    let untested = plan.untested.iter().zip(&summary.untested).map(|(state, length)| {
        format!("- untested: {}: {}\n", escape(&labels::untested(state, *length)), escape(&state.fact))
    });
    let spots = plan
        .blind_spots
        .iter()
        .map(|spot| format!("- blind spot: {}: {}\n", escape(&spot.what), escape(&spot.why)));
    let notices =
        plan.notices.iter().map(|notice| format!("- {} {}\n", notice.code, escape(&notice.message)));
    let kept = plan.retentions.iter().map(|left| {
        format!("- retained for rollback for {}: {}: {}\n", left.keep, escape(&left.what), escape(&left.why))
    });
    let list: String = untested.chain(kept).chain(spots).chain(notices).collect();
    if list.is_empty() { list } else { list + "\n" }
}

fn steps(hop: &HopId, steps: &[&Step], undoing: &BTreeMap<&StepId, Vec<&RollbackStep>>) -> String {
    let mut body = String::new();
    for step in steps {
        let undo = match &step.undo {
            Undo::Rollback {} => {
                let undoing = undoing.get(&step.id).into_iter().flatten();
                let titles: Vec<String> = undoing.map(|undo| escape(&labels::undo(undo, &step.id))).collect();
                titles.join("; ")
            }
            Undo::Irreversible { why, .. } => format!("none: {}", escape(why)),
            Undo::Unneeded { .. } => "nothing to undo".to_owned(),
        };
        let _ = writeln!(
            body,
            "- {}: {}. Disrupts: {}. On failure: {}. Undo: {undo}",
            code(step.id.as_str()),
            escape(&step.work.title),
            labels::disruption(step.work.disruption),
            labels::failure(step.on_failure.action),
        );
        for change in &step.changes {
            let _ = writeln!(body, "  - `{}` {}", change.mark.symbol(), escape(&change.object.to_string()));
            if !change.diff.is_empty() {
                body.push_str(&fenced(&change.diff.join("\n"), "diff"));
            }
        }
    }
    details(&format!("Steps of {hop}"), &body)
}
