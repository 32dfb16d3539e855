//! Blocks of commands as a script.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;
use switchback_schemas::{
    StepId,
    plan::{Action, Condition, Effect, Identity, Plan, Roll, Work},
};

use super::{
    captures, commands,
    word::{Variables, quoted},
};
use crate::plan::labels;

/// One step, forward or of a rollback.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its id.
    pub id: &'a StepId,
    /// What is done.
    pub work: &'a Work,
}

/// Steps by hand, in the order in which they are given.
pub struct Script<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What it leads to, as text.
    pub title: String,
    /// The steps.
    pub parts: Vec<Part<'a>>,
    /// What a run has captured, by step and name; empty where there is no run.
    pub captured: BTreeMap<(StepId, String), Value>,
}

impl fmt::Display for Script<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut variables = Variables::with(&self.captured);
        let blocks: Vec<String> = self
            .parts
            .iter()
            .zip(1..)
            .map(|(part, number)| self.block(part, number, &mut variables))
            .collect();
        writeln!(f, "# {}: {}, by hand.", self.plan.platform.name, self.title)?;
        writeln!(
            f,
            "# A block is a step. Run one, see that what stands under \"then\" holds, and only then run the next."
        )?;
        for (name, identity) in &self.plan.platform.targets {
            let is = match identity {
                Identity::Cluster { kube_system_uid, .. } => {
                    format!(
                        "kubectl and helm must reach the cluster whose namespace kube-system has UID {kube_system_uid}"
                    )
                }
                Identity::Database { rds } => format!("it is {}", rds.arn.as_str()),
            };
            writeln!(f, "# Target {name}: {is}")?;
        }
        if variables.asked().next().is_some() {
            writeln!(f, "# Known only to who ran the steps before; within JSON a text has its quotes:")?;
        }
        for (name, meaning) in variables.asked() {
            writeln!(f, ": \"${{{name}:?{}}}\"", comment(&meaning.replace(['"', '`', '$', '\\', '}'], "")))?;
        }
        blocks.iter().try_for_each(|block| write!(f, "\n{block}"))
    }
}

impl Script<'_> {
    fn block(&self, part: &Part<'_>, number: usize, variables: &mut Variables) -> String {
        let Part { id, work } = part;
        let mut lines = vec![format!("# {number}. {id}"), format!("#    {}", work.title)];
        if let Some(done) = &work.done_when {
            lines.push(format!("#    done already where: {}", labels::condition(done)));
        }
        lines.extend(captures::commands(self.plan, id, &work.captures, variables));
        match &work.action {
            Action::Effect(effect) => {
                lines.extend(self.effect(effect, variables));
                lines.extend(waited(effect));
            }
            Action::Roll(roll) => lines.extend(self.roll(roll, number)),
        }
        lines.extend(
            work.verify.iter().map(|verify| format!("#    then: {}", labels::condition(&verify.condition))),
        );
        lines
            .iter()
            .map(|line| if line.starts_with('#') { comment(line) } else { line.clone() } + "\n")
            .collect()
    }

    fn effect(&self, effect: &Effect, variables: &mut Variables) -> Vec<String> {
        let Ok(effect) = effect.map(variables);
        commands(self.plan, &effect)
    }

    /// A function that moves one node, since which nodes have to move is for a person to see.
    fn roll(&self, roll: &Roll, number: usize) -> Vec<String> {
        let labels: Vec<String> = roll.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let nodes = quoted(&labels.join(","));
        let name = format!("move_{number}");
        let mut lines = vec![
            format!("#    {}", labels::rule(roll)),
            "#    workload classes of the Platform say which pods are waited for before their node is drained".to_owned(),
            format!("kubectl get nodes --selector {nodes}"),
            format!("{name}() {{"),
            "  NODE=$1".to_owned(),
            "  NODECLAIM=$(kubectl get nodeclaims --output jsonpath=\"{.items[?(@.status.nodeName=='$NODE')].metadata.name}\")".to_owned(),
            "  PROVIDER_ID=$(kubectl get node \"$NODE\" --output jsonpath='{.spec.providerID}')".to_owned(),
        ];
        // Those of a node are set by the function; a recipe captures nothing else.
        let mut item = Variables::default();
        for step in &roll.recipe {
            if let Action::Effect(effect) = &step.work.action {
                lines.extend(self.effect(effect, &mut item).into_iter().map(|line| format!("  {line}")));
                lines.extend(waited(effect).into_iter().map(|line| format!("  {line}")));
            }
        }
        lines.push("}".to_owned());
        lines.push(format!("#    for each node that has to move: {name} NODE"));
        lines.extend(
            roll.verify
                .iter()
                .map(|verify| format!("#    after each batch: {}", labels::condition(&verify.condition))),
        );
        lines
    }
}

/// A text from a manifest or a platform stays within its line: what came after a line break would be run.
fn comment(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What a step that only waits waits for.
fn waited(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Wait(wait) => match &wait.until {
            Condition::All(all) if all.is_empty() => None,
            until => Some(format!("#    wait until: {}", labels::condition(until))),
        },
        Effect::Notify(notify) => Some(format!("#    tells channel {}: {}", notify.channel, notify.text)),
        _ => None,
    }
}
