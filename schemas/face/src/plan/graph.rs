//! The DAG of a plan for drawing programs.

use std::fmt::Write as _;

use switchback_schemas::plan::{Plan, Step};

/// DOT, for Graphviz. Hops are clusters; an edge carries its reason as a tooltip.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    for (number, hop) in plan.hops.iter().enumerate() {
        let _ =
            writeln!(out, "  subgraph cluster_{number} {{\n    label=\"{}\";", quoted(&hop.id.to_string()));
        for step in plan.steps.iter().filter(|step| step.hop == hop.id) {
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
    let number = |step: &Step| plan.steps.iter().position(|other| other.id == step.id).unwrap_or_default();
    for (position, hop) in plan.hops.iter().enumerate() {
        let _ = writeln!(out, "  subgraph h{position}[\"{}\"]", quoted(&hop.id.to_string()));
        for step in plan.steps.iter().filter(|step| step.hop == hop.id) {
            let short = hop.id.part(&step.id).unwrap_or(step.id.as_str());
            let _ = writeln!(out, "    s{}[\"{}\"]", number(step), quoted(short));
        }
        out.push_str("  end\n");
    }
    for step in &plan.steps {
        for need in step.needs.iter().filter_map(|need| plan.step(&need.step)) {
            let _ = writeln!(out, "  s{} --> s{}", number(need), number(step));
        }
    }
    out
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "'").replace(['\n', '\r'], " ")
}
