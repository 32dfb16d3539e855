//! What is said when there is no path.

use switchback_schemas::{Diagnostic, codes};

use super::{
    ask::Ask,
    build::Built,
    conflict::{Others, conflict, furthest},
};
use crate::catalog::Catalog;

/// The facts that contradict each other, where they stand, and how far each component gets.
pub(super) fn none(catalog: &Catalog, ask: &Ask, built: &Built) -> Diagnostic {
    let facts: Vec<_> = conflict(&built.problem).iter().filter_map(|fact| built.facts.get(*fact)).collect();
    let told = facts.iter().map(|fact| fact.text.as_str()).collect::<Vec<_>>().join("; ");
    let message = match facts.as_slice() {
        [] => "no order of hops reaches the targets".to_owned(),
        _ => format!("no order of hops reaches the targets: {told}"),
    };
    let concerned = |component: &str| {
        facts.is_empty()
            || facts.iter().any(|fact| fact.component == component || fact.with.as_deref() == Some(component))
    };
    let mut diagnostic = Diagnostic::error(codes::PATH_NONE, message);
    let mut reached = Vec::new();
    for (number, asked) in ask.components.iter().enumerate().filter(|(_, a)| concerned(&a.component)) {
        let Some(place) = &asked.place else { continue };
        let mut label = place.clone();
        label.text = format!("{} {} to {}", asked.component, asked.from, asked.to);
        diagnostic = diagnostic.at(label);
        let version = |others: Others| {
            let value = furthest(&built.problem, number, others)?;
            built.versions.get(number)?.get(value).cloned()
        };
        let name = &asked.component;
        reached.push(match (version(Others::Reach), version(Others::Stay)) {
            (Some(version), _) => format!("{name} {version} while the others reach their targets"),
            (None, Some(version)) => format!("{name} {version} while the others stay where they are"),
            (None, None) => format!("{name} nowhere"),
        });
    }
    for fact in &facts {
        let source = fact
            .source
            .as_ref()
            .map_or_else(String::new, |source| format!("{}, read {}", source.title, source.read_on));
        diagnostic = diagnostic.at_all(catalog.label(&fact.component, &fact.pointer, &source));
    }
    let fixed: Vec<String> = ask
        .components
        .iter()
        .filter(|asked| asked.place.is_none() && concerned(&asked.component))
        .map(|asked| format!("{} {}", asked.component, asked.from))
        .collect();
    let mut help = match reached.as_slice() {
        [] => "nothing that is asked for is at fault: what is there breaks a fact already".to_owned(),
        _ => format!("the furthest that each gets: {}", reached.join(", ")),
    };
    if !fixed.is_empty() {
        help = format!("{help}; nobody asks to move {}", fixed.join(", "));
    }
    diagnostic.help(help)
}

/// The search did not end.
pub(super) fn gave_up(ask: &Ask, expanded: usize) -> Diagnostic {
    let places = ask.components.iter().filter_map(|asked| asked.place.clone());
    let message = format!("the search gave up after {expanded} states: whether there is a path is not known");
    Diagnostic::error(codes::PATH_GAVE_UP, message)
        .at_all(places)
        .help("ask for fewer components at once, or raise --budget")
}
