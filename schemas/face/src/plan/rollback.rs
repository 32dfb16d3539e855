//! The rollback from a point of a plan, as text.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use switchback_model::{RollbackOrder, decide::RollbackTimes, forecast::Forecast, summary};
use switchback_schemas::{
    StepId,
    plan::{Plan, Savepoint},
};

use super::labels;

/// The rollback from a point to a savepoint.
pub struct Back<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// From where: a step that fails, or the end of a hop, as text.
    pub from: String,
    /// To where.
    pub to: &'a Savepoint,
    /// The way.
    pub way: &'a RollbackOrder,
    /// When steps ran, or are expected to.
    pub forecast: &'a Forecast,
    /// From which instant it is looked at.
    pub at: Timestamp,
}

impl fmt::Display for Back<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = summary::of_rollback(self.plan, self.way, self.forecast, self.at);
        writeln!(f, "from {} to savepoint {} ({})", self.from, self.to.id, self.to.title)?;
        writeln!(f, "  {}", labels::back(&summary))?;
        for expiry in &summary.expires {
            writeln!(f, "  expires {expiry}")?;
        }
        if let Some(times) = &summary.times {
            writeln!(f, "  {}", labels::times(times))?;
        }
        for (number, undo) in self.way.rollback_steps(self.plan).enumerate() {
            writeln!(f, "  {:>3}. {}", number + 1, undo.work.title)?;
            writeln!(
                f,
                "       undoes {} · about {} · disrupts: {}",
                labels::ids(&undo.undoes),
                undo.work.estimate.expected,
                labels::disruption(undo.work.disruption)
            )?;
        }
        Ok(())
    }
}

/// When a rollback expires, and by when to decide, or that it is too late for that; in one line.
pub fn times(times: &RollbackTimes) -> String {
    labels::times(times)
}

/// What `rollback.txt` holds: the rollback from the end of each hop, to each savepoint before it.
pub fn every_rollback(plan: &Plan, graph: &switchback_model::Graph) -> String {
    let mut text = String::new();
    let forecast = summary::expected(plan, graph);
    let steps = summary::steps_by_hop(plan, graph);
    let mut started: BTreeSet<StepId> = BTreeSet::new();
    for (number, hop) in plan.hops.iter().enumerate() {
        started.extend(steps.get(&hop.id).into_iter().flatten().map(|step| step.id.clone()));
        let at = forecast.span(&started).map_or(plan.inputs.as_of, |expected| expected.ends);
        for savepoint in plan.savepoints.get(..=number).unwrap_or_default().iter().rev() {
            let way = switchback_model::rollback_order(plan, graph, &started, savepoint);
            let from = format!("the end of {}", hop.id);
            let back = Back { plan, from, to: savepoint, way: &way, forecast: &forecast, at };
            text.push_str(&back.to_string());
            text.push('\n');
        }
    }
    text
}
