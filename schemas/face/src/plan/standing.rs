//! Who stands on the nodes that move, what of it needs a decision, and what becomes of the nodes that do not move.

use std::{collections::BTreeSet, fmt};

use switchback_schemas::plan::{
    Fate, Objection, OnDrain, Plan, Refit, StandingWorkload, Then, WorkloadClass,
};

use super::labels;

/// Every workload on the nodes that move, by pool.
pub(super) fn workloads(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    if plan.standing.is_empty() {
        return Ok(());
    }
    writeln!(f, "On these nodes when observed")?;
    for standing in &plan.standing {
        let named = standing.workloads.iter().filter(|one| one.object.kind != "Node");
        writeln!(
            f,
            "  pool {}: {}",
            standing.pool,
            counted(named.clone().count() as u64, "workload", "workloads")
        )?;
        for workload in named {
            writeln!(f, "    {}", line(plan, workload))?;
        }
    }
    writeln!(f)
}

/// What needs a decision before it moves, and the line that would decide it.
pub(super) fn undecided(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    let all = || {
        plan.standing
            .iter()
            .flat_map(|standing| standing.workloads.iter().map(move |one| (&standing.pool, one)))
    };
    if !all().any(|(_, one)| one.needs_a_decision()) {
        return Ok(());
    }
    writeln!(f, "Needs a decision (the run holds these nodes until a workload class decides)")?;
    for (pool, workload) in all().filter(|(_, one)| one.needs_a_decision()) {
        let class =
            workload.class.as_ref().map_or_else(|| "no class".to_owned(), |class| format!("class {class}"));
        match &workload.unread {
            Some(unread) => {
                writeln!(f, "  {} on pool {pool}: whose it is, is unknown ({unread})", workload.object)?
            }
            None => writeln!(
                f,
                "  {} on pool {pool} ({class}): {}",
                workload.object,
                Objection::all(&workload.undecided)
            )?,
        }
    }
    writeln!(f)
}

/// What becomes of the nodes that the plan does not move.
pub(super) fn outside(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    if plan.outside.is_empty() {
        return Ok(());
    }
    writeln!(f, "Nodes that this plan does not move")?;
    for outside in &plan.outside {
        let of = outside.pool.as_ref().map_or_else(|| "in no pool".to_owned(), |pool| format!("pool {pool}"));
        let nodes = counted(outside.nodes, "node", "nodes");
        match &outside.fate {
            Fate::Stay {} => writeln!(f, "  {} ({of}), {nodes}: stay as they are", outside.what)?,
            Fate::Drift { at_least, at_most, why } => {
                let many = match at_least == at_most {
                    true => at_most.to_string(),
                    false => format!("{at_least} to {at_most}"),
                };
                writeln!(
                    f,
                    "  {} ({of}), {nodes}: Karpenter replaces {many} by itself when thawed; {why}",
                    outside.what
                )?;
            }
        }
    }
    writeln!(f)
}

fn counted(n: u64, one: &str, more: &str) -> String {
    labels::count(usize::try_from(n).unwrap_or(usize::MAX), one, more)
}

fn line(plan: &Plan, workload: &StandingWorkload) -> String {
    let class = plan.classes.iter().find(|class| Some(&class.name) == workload.class.as_ref());
    let pods = counted(workload.pods, "pod", "pods");
    let mut text = format!("{}: {pods} on {}", workload.object, counted(workload.nodes, "node", "nodes"));
    if workload.gpus > 0 {
        text.push_str(&format!(", {}", counted(workload.gpus, "GPU", "GPUs")));
    }
    text.push_str(&format!(" · {}", class.map_or_else(|| "no class".to_owned(), drained)));
    if let Some(lose) = class.and_then(|class| class.may_lose) {
        text.push_str(&format!(" · may lose {lose}"));
    }
    if workload.gpu_hours > 0 {
        text.push_str(&format!(
            " · {} since it started",
            counted(workload.gpu_hours, "GPU-hour", "GPU-hours")
        ));
    }
    if !workload.overridden.is_empty() {
        text.push_str(&format!(" · overridden: {}", names(&workload.overridden)));
    }
    if workload.needs_a_decision() {
        text.push_str(" · needs a decision");
    }
    match &workload.refit {
        Refit::Fits {} => {}
        Refit::Unknown(why) => text.push_str(&format!(" · whether it fits elsewhere is unknown: {why}")),
        Refit::Cannot(why) => text.push_str(&format!(" · fits nowhere else: {why}")),
    }
    text
}

/// What a drain does to the pods of a class.
fn drained(class: &WorkloadClass) -> String {
    let what = match &class.on_drain {
        OnDrain::Wait { max, then: Then::Park } => format!("waited for, parks after {max}"),
        OnDrain::Wait { max, then: Then::Evict } => format!("waited for, evicted after {max}"),
        OnDrain::Requeue {} => "evicted, its owner starts it again".to_owned(),
        OnDrain::Evict {} => "evicted".to_owned(),
        OnDrain::Never {} => "never moved".to_owned(),
    };
    let together = if class.gang { ", as a whole" } else { "" };
    format!("class {}: {what}{together}", class.name)
}

fn names(objections: &BTreeSet<Objection>) -> String {
    objections.iter().map(|objection| objection.name()).collect::<Vec<_>>().join(", ")
}
