//! Everything about one step, and why one step comes after another.

use std::{collections::VecDeque, fmt};

use switchback_model::{Graph, permissions::of_forward};
use switchback_schemas::{
    StepId,
    plan::{Plan, ReadBasis, Step, Undo},
};

use super::{labels, permissions};

/// Everything about one step.
pub struct Explain<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The step.
    pub step: &'a Step,
}

impl fmt::Display for Explain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step;
        writeln!(f, "{}\n  {}\n", step.id, step.work.title)?;
        writeln!(f, "  hop           {}", step.hop)?;
        writeln!(
            f,
            "  takes         about {}, nine times in ten at most {}",
            step.work.estimate.expected, step.work.estimate.p90
        )?;
        writeln!(f, "  disrupts      {}", labels::disruption(step.work.disruption))?;
        writeln!(f, "  on failure    {}: {}", labels::failure(step.on_failure.action), step.on_failure.why)?;
        for need in &step.needs {
            writeln!(f, "  after         {}: {}", need.step, need.why)?;
            if let Some(source) = need.source.as_ref().and_then(|key| self.plan.sources.get(key)) {
                writeln!(f, "                {} (read {})", source.title, source.read_on)?;
            }
        }
        for gate in step.gates.iter().filter_map(|gate| self.plan.gate(gate)) {
            writeln!(f, "  gate          {}: {}", gate.id, gate.title)?;
        }
        for read in &step.work.reads {
            let basis = match &read.basis {
                ReadBasis::Observed {} => "as observed".to_owned(),
                ReadBasis::After(step) => format!("after {step}"),
            };
            writeln!(f, "  relies on     {} ({basis})", labels::condition(&read.condition))?;
        }
        for capture in &step.work.captures {
            writeln!(f, "  captures      {}", capture.name)?;
        }
        if let Some(done) = &step.work.done_when {
            writeln!(f, "  done when     {}", labels::condition(done))?;
        }
        for verify in &step.work.verify {
            let settle =
                if verify.settle.is_zero() { String::new() } else { format!(", for {}", verify.settle) };
            writeln!(f, "  verified by   {} within {}{settle}", verify.title, verify.within)?;
        }
        match &step.undo {
            Undo::Rollback {} => {
                for undo in self.plan.rollback_of(&step.id) {
                    writeln!(f, "  undo          {}", labels::undo(undo, &step.id))?;
                    writeln!(
                        f,
                        "                about {}, disrupts: {}",
                        undo.work.estimate.expected,
                        labels::disruption(undo.work.disruption)
                    )?;
                    undo.loses.iter().try_for_each(|loss| writeln!(f, "                loses {loss}"))?;
                }
            }
            Undo::Unneeded { why } => writeln!(f, "  undo          nothing to undo: {why}")?,
            Undo::Irreversible { why, recovery } => {
                writeln!(f, "  no undo       {why}\n                instead: {recovery}")?;
            }
        }
        for permission in of_forward(self.plan, step) {
            writeln!(f, "  needs to      {}", permissions::line(&permission))?;
        }
        Ok(())
    }
}

/// Why `later` comes after `earlier`: the shortest chain of needs between them, with reasons; `None` if it does not.
pub fn order(plan: &Plan, graph: &Graph, later: &StepId, earlier: &StepId) -> Option<Vec<String>> {
    let (start, goal) = (graph.number(later)?, graph.number(earlier)?);
    let mut from: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(number) = open.pop_front() {
        if number == goal {
            break;
        }
        for need in graph.needs(number) {
            if need != start && !from.contains_key(&need) {
                from.insert(need, number);
                open.push_back(need);
            }
        }
    }
    let mut at = goal;
    let mut lines = Vec::new();
    while at != start {
        let next = *from.get(&at)?;
        let (step, need) = (plan.steps.get(next)?, plan.steps.get(at)?);
        let why = step.needs.iter().find(|n| n.step == need.id).map_or("", |n| n.why.as_str());
        lines.push(format!("{} comes after {}: {why}", step.id, need.id));
        at = next;
    }
    lines.reverse();
    Some(lines)
}
