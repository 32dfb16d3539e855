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
                writeln!(f, "  {} on pool {pool}: whose it is, is unknown ({unread})", workload.object)?;
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
    let nodes = counted(workload.nodes, "node", "nodes");
    let gpus = match workload.gpus {
        0 => String::new(),
        gpus => format!(", {}", counted(gpus, "GPU", "GPUs")),
    };
    let mut parts = vec![format!("{}: {pods} on {nodes}{gpus}", workload.object)];
    parts.push(class.map_or_else(|| "no class".to_owned(), drained));
    parts.extend(class.and_then(|class| class.may_lose).map(|lose| format!("may lose {lose}")));
    if workload.gpu_hours > 0 {
        let hours = counted(workload.gpu_hours, "GPU-hour", "GPU-hours");
        parts.push(format!("{hours} since it started"));
    }
    if !workload.overridden.is_empty() {
        parts.push(format!("overridden: {}", names(&workload.overridden)));
    }
    if workload.needs_a_decision() {
        parts.push("needs a decision".to_owned());
    }
    match &workload.refit {
        Refit::Fits {} => {}
        Refit::Unknown(why) => parts.push(format!("whether it fits elsewhere is unknown: {why}")),
        Refit::Cannot(why) => parts.push(format!("fits nowhere else: {why}")),
    }
    parts.join(" · ")
}

/// What is evicted and starts again: what it did since its last checkpoint is lost.
pub(super) fn begun_anew(plan: &Plan) -> BTreeSet<String> {
    let requeued = |workload: &&StandingWorkload| {
        let class = plan.classes.iter().find(|class| Some(&class.name) == workload.class.as_ref());
        class.is_some_and(|class| matches!(class.on_drain, OnDrain::Requeue {}))
    };
    let all = plan.standing.iter().flat_map(|standing| &standing.workloads).filter(requeued);
    let line = |workload: &StandingWorkload| {
        let since = match workload.gpu_hours {
            0 => String::new(),
            hours => format!(", of {} since it started", counted(hours, "GPU-hour", "GPU-hours")),
        };
        format!("by moving nodes: what {} did since its last checkpoint{since}", workload.object)
    };
    all.map(line).collect()
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
