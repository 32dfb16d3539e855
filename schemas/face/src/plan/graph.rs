//! The DAG of a plan for drawing programs.

use std::{collections::BTreeMap, fmt::Write as _};

use switchback_schemas::{
    HopId, StepId,
    plan::{Plan, Step},
};

/// The steps of each hop with their numbers, by id.
fn by_hop(plan: &Plan) -> BTreeMap<&HopId, Vec<(usize, &Step)>> {
    let mut steps: BTreeMap<&HopId, Vec<(usize, &Step)>> = BTreeMap::new();
    for (number, step) in plan.steps.iter().enumerate() {
        steps.entry(&step.hop).or_default().push((number, step));
    }
    steps
}

/// DOT, for Graphviz. Hops are clusters; an edge carries its reason as a tooltip.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    let steps = by_hop(plan);
    for (number, hop) in plan.hops.iter().enumerate() {
        let _ =
            writeln!(out, "  subgraph cluster_{number} {{\n    label=\"{}\";", quoted(&hop.id.to_string()));
        for (_, step) in steps.get(&hop.id).into_iter().flatten() {
            let _ = writeln!(
                out,
                "    \"{}\" [tooltip=\"{}\"];",
                quoted(step.id.as_str()),
                quoted(&step.work.title)
            );
        }
        out.push_str("  }\n");
    }
    for step in &plan.steps {
        for need in &step.needs {
            let (from, to) = (quoted(need.step.as_str()), quoted(step.id.as_str()));
            let _ = writeln!(out, "  \"{from}\" -> \"{to}\" [tooltip=\"{}\"];", quoted(&need.why));
        }
    }
    out.push_str("}\n");
    out
}

/// Mermaid, for pull requests.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    let steps = by_hop(plan);
    let number = |id: &StepId| plan.steps.binary_search_by(|step| step.id.cmp(id)).ok();
    for (position, hop) in plan.hops.iter().enumerate() {
        let _ = writeln!(out, "  subgraph h{position}[\"{}\"]", quoted(&hop.id.to_string()));
        for (number, step) in steps.get(&hop.id).into_iter().flatten() {
            let short = hop.id.part(&step.id).unwrap_or(step.id.as_str());
            let _ = writeln!(out, "    s{number}[\"{}\"]", quoted(short));
        }
        out.push_str("  end\n");
    }
    for (step, of) in plan.steps.iter().enumerate() {
        for need in of.needs.iter().filter_map(|need| number(&need.step)) {
            let _ = writeln!(out, "  s{need} --> s{step}");
        }
    }
    out
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "'").replace(['\n', '\r'], " ")
}
