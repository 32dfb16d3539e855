//! What approvals bind to.

use serde::Serialize;
use switchback_schemas::{
    Digest, Seconds,
    plan::{
        Action, Condition, Digests, Estimate, Gate, NodeUndo, Plan, PlatformRef, PointOfNoReturn, Pool,
        Retention, Roll, RollbackStep, Step, Suspension, Undo, Verify, Window, Work, WorkloadClass,
    },
};

/// Computes both digests of a plan.
///
/// *Effects* covers, per step, what it acts on, what it does, when it is done, how it is verified and what it needs; and how
/// retained resources are removed. *Review* covers also how it is undone, what would be lost, disruption, tier, failure action, gates,
/// suspensions, points of no return, pools, workload classes, windows, and how long retained resources are kept. Neither covers titles, reasons, estimates, observed counts or reads:
/// a plan whose risk is the same keeps its approvals.
pub fn digests(plan: &Plan) -> Result<Digests, serde_json::Error> {
    let steps: Vec<Step> = plan.steps.iter().map(without_prose).collect();
    let rollback: Vec<RollbackStep> = plan.rollback.iter().map(quiet_rollback).collect();
    let effects: Vec<Effects<'_>> = steps.iter().map(Effects::of).collect();
    let gates: Vec<Gate> =
        plan.gates.iter().map(|gate| Gate { title: String::new(), ..gate.clone() }).collect();
    let retentions: Vec<Retention> = plan.retentions.iter().map(identified).collect();
    let review = Review {
        platform: &plan.platform,
        steps: &steps,
        rollback: &rollback,
        gates: &gates,
        suspensions: &plan.suspensions,
        points: &plan.points,
        pools: &plan.pools,
        classes: &plan.classes,
        windows: &plan.windows,
        retentions: &retentions,
    };
    let removals: Vec<_> = retentions.iter().map(|left| (&left.step, &left.removal)).collect();
    let lines: Vec<_> = plan.points.iter().map(|line| (&line.id, &line.step)).collect();
    Ok(Digests {
        effects: Digest::of_json(&(&plan.platform.targets, effects, lines, removals))?,
        review: Digest::of_json(&review)?,
    })
}

#[derive(Serialize)]
struct Effects<'plan> {
    id: &'plan switchback_schemas::StepId,
    target: &'plan switchback_schemas::name::Label,
    action: &'plan Action,
    done_when: &'plan Option<Condition>,
    verify: &'plan [Verify],
    needs: Vec<&'plan switchback_schemas::StepId>,
}

impl<'plan> Effects<'plan> {
    fn of(step: &'plan Step) -> Self {
        Self {
            id: &step.id,
            target: &step.target,
            action: &step.work.action,
            done_when: &step.work.done_when,
            verify: &step.work.verify,
            needs: step.needs.iter().map(|need| &need.step).collect(),
        }
    }
}

#[derive(Serialize)]
struct Review<'plan> {
    platform: &'plan PlatformRef,
    steps: &'plan [Step],
    rollback: &'plan [RollbackStep],
    gates: &'plan [Gate],
    suspensions: &'plan [Suspension],
    points: &'plan [PointOfNoReturn],
    pools: &'plan [Pool],
    classes: &'plan [WorkloadClass],
    windows: &'plan [Window],
    retentions: &'plan [Retention],
}

const NO_ESTIMATE: Estimate = Estimate { expected: Seconds(0), p90: Seconds(0) };

fn without_prose(step: &Step) -> Step {
    let mut step = step.clone();
    in_work(&mut step.work);
    step.changes.clear();
    step.on_failure.why.clear();
    for need in &mut step.needs {
        need.why.clear();
        need.source = None;
    }
    if let Undo::Unneeded { why } | Undo::Irreversible { why, .. } = &mut step.undo {
        why.clear();
    }
    step
}

fn quiet_rollback(step: &RollbackStep) -> RollbackStep {
    let mut step = step.clone();
    in_work(&mut step.work);
    step
}

fn identified(retention: &Retention) -> Retention {
    let mut retention = retention.clone();
    retention.what.clear();
    retention.why.clear();
    in_work(&mut retention.removal);
    retention
}

fn quiet(verify: &mut [Verify]) {
    for verify in verify {
        verify.title.clear();
    }
}

fn in_work(work: &mut Work) {
    work.title.clear();
    work.reads.clear();
    work.estimate = NO_ESTIMATE;
    quiet(&mut work.verify);
    if let Action::Roll(roll) = &mut work.action {
        in_roll(roll);
    }
}

fn in_roll(roll: &mut Roll) {
    roll.observed = 0;
    quiet(&mut roll.verify);
    if let Some(canary) = &mut roll.canary {
        quiet(&mut canary.verify);
    }
    for part in &mut roll.recipe {
        in_work(&mut part.work);
        if let NodeUndo::Rollback(work) = &mut part.undo {
            in_work(work);
        }
    }
}
