//! One step of a dry-run: its mark, what it does, what follows when it fails, and what undoes it.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use switchback_model::summary::{only_looks, roll};
use switchback_schemas::{
    StepId,
    plan::{
        Action, Disruption, Effect, EksEffect, KubeEffect, Mark, RdsEffect, RecipeStep, RollbackStep, Step,
        Undo,
    },
};

use super::labels;

/// What the marks of steps and of changes mean, and the words of a step that every step repeats.
pub(super) const LEGEND: &str = "\
Marks: + creates, ~ changes in place, - deletes, ± replaces (deletes and creates), > runs once, ? only reads or waits,
       ! cannot be undone
On failure: `rollback step` undoes that step, `rollback hop` all of its hop, each by itself; `hold` stops and waits for
       `switchback retry` or `switchback rollback`
Undo: the number is the place of that step in the rollback of the whole hop";

/// Writes a step. `places` are those of the hop's rollback steps in its rollback, from 1.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    step: &Step,
    undoing: &[&RollbackStep],
    places: &BTreeMap<&StepId, usize>,
) -> fmt::Result {
    writeln!(f, "     {} {}", mark(step), step.id)?;
    writeln!(f, "         {}", step.work.title)?;
    let mut facts = String::new();
    write!(facts, "about {}", step.work.estimate.expected)?;
    if step.work.disruption > Disruption::None {
        write!(facts, " · disrupts: {}", labels::disruption(step.work.disruption))?;
    }
    write!(facts, " · on failure: {}", labels::failure(step.on_failure.action))?;
    for gate in &step.gates {
        write!(facts, " · gate {gate}")?;
    }
    writeln!(f, "         {facts}")?;
    match &step.undo {
        Undo::Rollback {} => {
            let place = |undo: &&RollbackStep| places.get(&undo.id).copied();
            let mut undoing = undoing.to_vec();
            undoing.sort_by_key(place);
            for undo in undoing {
                let number = place(&undo).map_or_else(String::new, |place| format!(" {place}"));
                writeln!(f, "         undo{number}: {}", labels::undo(undo, &step.id))?;
            }
        }
        Undo::Irreversible { why, recovery } => {
            writeln!(f, "         cannot be undone: {why}; recovery: {recovery}")?;
        }
        Undo::Unneeded { .. } if only_looks(step) => {}
        Undo::Unneeded { why } => writeln!(f, "         nothing to undo: {why}")?,
    }
    for change in &step.changes {
        writeln!(f, "         {} {}", change.mark.symbol(), change.object)?;
        for line in &change.diff {
            writeln!(f, "             {line}")?;
        }
    }
    Ok(())
}

/// How a step's line begins: what kind of change it is.
fn mark(step: &Step) -> char {
    if matches!(step.undo, Undo::Irreversible { .. }) {
        return '!';
    }
    if let Some(roll) = roll(step) {
        let ends = roll.recipe.iter().any(RecipeStep::ends_node);
        return if ends { Mark::Replace.symbol() } else { Mark::Change.symbol() };
    }
    if only_looks(step) {
        return '?';
    }
    let only = |mark: Mark| !step.changes.is_empty() && step.changes.iter().all(|change| change.mark == mark);
    match &step.work.action {
        Action::Effect(Effect::Kube(KubeEffect::Apply(apply)))
            if apply.object.get("kind").is_some_and(|kind| kind == "Job") =>
        {
            Mark::Run
        }
        Action::Effect(Effect::Command(_)) => Mark::Run,
        Action::Effect(
            Effect::Kube(KubeEffect::Delete(_))
            | Effect::Eks(EksEffect::DeleteNodegroup(_) | EksEffect::TerminateNode(_))
            | Effect::Rds(RdsEffect::DeleteSnapshot(_) | RdsEffect::DeleteInstance(_)),
        ) => Mark::Remove,
        Action::Effect(Effect::Eks(EksEffect::CreateNodegroup(_)) | Effect::Rds(RdsEffect::Snapshot(_))) => {
            Mark::Add
        }
        _ if only(Mark::Add) => Mark::Add,
        _ => Mark::Change,
    }
    .symbol()
}
