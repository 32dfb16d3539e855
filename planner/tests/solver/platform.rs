//! Manifests for these tests, and how a path is told in their golden files.

use std::fmt::Write as _;

use jiff::civil::Date;
use switchback_planner::{
    manifest::{self, Manifests},
    solver::{self, Ask, BUDGET, JointPath, result::Span},
};
use switchback_schemas::{Diagnostic, inventory::Inventory};

use crate::world::registry;

const PLATFORM: &str = "apiVersion: switchback.dev/v1alpha1\nkind: Platform\nmetadata: {name: dev}\n\
                        spec: {targets: {main: {cluster: {}}}}\n";

/// The platform of the acceptance case, at the end of 2026.
pub(crate) const ALL: [(&str, &str, &str); 6] = [
    ("eks", "1.31", "1.36"),
    ("karpenter", "1.0.8", "1.14.1"),
    ("kserve", "0.15.0", "0.20"),
    ("argo-workflows", "3.6.0", "4.1"),
    ("gpu-operator", "25.3.0", "26.7"),
    ("mlflow", "2.22.0", "3.18"),
];

pub(crate) fn day(text: &str) -> Date {
    text.parse().expect(text)
}

/// One file with one upgrade for each component, from where to where; an empty `from` is left to the inventory.
pub(crate) fn manifests(upgrades: &[(&str, &str, &str)]) -> Manifests {
    let mut text = PLATFORM.to_owned();
    for (component, from, to) in upgrades {
        let from = if from.is_empty() { String::new() } else { format!("from: '{from}', ") };
        let _ = write!(
            text,
            "---\napiVersion: switchback.dev/v1alpha1\nkind: ComponentUpgrade\nmetadata: {{name: {component}}}\n\
             spec: {{component: {component}, {from}to: '{to}'}}\n"
        );
    }
    let (manifests, found) = manifest::read(registry().kinds(), [("upgrades.yaml", text)]);
    manifests.unwrap_or_else(|| panic!("{found:#?}"))
}

pub(crate) fn asked(
    upgrades: &[(&str, &str, &str)],
    inventory: Option<&Inventory>,
    as_of: &str,
) -> (Option<Ask>, Vec<Diagnostic>) {
    let manifests = manifests(upgrades);
    let requests = registry().requests(&manifests, inventory, None);
    solver::ask(registry().catalog(), &manifests, requests, inventory, day(as_of))
}

pub(crate) fn path(upgrades: &[(&str, &str, &str)], as_of: &str) -> Result<JointPath, Diagnostic> {
    let catalog = registry().catalog();
    let (ask, found) = asked(upgrades, None, as_of);
    solver::path(catalog, &ask.unwrap_or_else(|| panic!("{found:#?}")), BUDGET)
}

/// What decides about a path, without notes and sources.
pub(crate) fn told(path: &JointPath) -> String {
    let mut text = String::new();
    for hop in &path.hops {
        let _ = writeln!(text, "{} from {}, {:?}", hop.id, hop.from, hop.basis);
        for after in &hop.after {
            let facts: Vec<&str> = after.why.iter().map(|fact| fact.text.as_str()).collect();
            let _ = writeln!(text, "  after {}: {}", after.hop, facts.join("; "));
        }
        if let Some(day) = hop.not_before {
            let _ = writeln!(text, "  not before {day}");
        }
        let _ = writeln!(text, "  back: {:?}, days {:?}", hop.back.way, hop.back.within_days);
        for closed in &hop.closes {
            let _ = writeln!(text, "  closes {}: {}", closed.hop, closed.why);
        }
    }
    let mut spans = |title: &str, spans: &[Span]| {
        for span in spans {
            let (enters, leaves) = (span.enters.as_deref(), span.leaves.as_deref());
            let _ = writeln!(
                text,
                "{title}: {} from {} until {}, {} hops: {} [{}]",
                span.state,
                enters.unwrap_or("the start"),
                leaves.unwrap_or("the end"),
                span.hops,
                span.fact.text,
                span.fact.source.as_ref().map_or("no source", |source| source.title.as_str()),
            );
        }
    };
    spans("outside", &path.outside);
    spans("unknown", &path.unknown);
    let _ = writeln!(text, "{:?}, {} states", path.cost, path.expanded);
    text
}
