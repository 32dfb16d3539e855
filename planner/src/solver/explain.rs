//! What is said when there is no path.

use switchback_schemas::{Diagnostic, codes};

use super::{
    build::Built,
    conflict::{Others, conflict, furthest},
    input::Ask,
    remedy::further,
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
    let bad = facts
        .iter()
        .all(|fact| fact.waivable.as_ref().is_some_and(|(code, _)| *code == codes::PATH_BAD_VERSION));
    let code = if bad && !facts.is_empty() { codes::PATH_BAD_VERSION } else { codes::PATH_NONE };
    let mut diagnostic = Diagnostic::error(code, message);
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
        [] => "the request is not at fault: the installed versions break a fact already".to_owned(),
        _ => format!("the furthest that each gets: {}", reached.join(", ")),
    };
    if !fixed.is_empty() {
        help = format!("{help}; no manifest moves {}", fixed.join(", "));
    }
    let remedies = remedies(catalog, ask, &concerned);
    if !remedies.is_empty() {
        help = format!("{help}; there is a path with {}", remedies.join(", or with "));
    }
    let waivable = facts.iter().find_map(|fact| fact.waivable.as_ref());
    if let Some((code, about)) = waivable {
        help = format!("{help}; a Waiver for finding {code} about {about:?} would cross it until a date");
    }
    diagnostic.help(help)
}

/// Targets that would go far enough, each by itself.
fn remedies(catalog: &Catalog, ask: &Ask, concerned: &impl Fn(&str) -> bool) -> Vec<String> {
    let asked = ask.components.iter().enumerate().filter(|(_, asked)| concerned(&asked.component));
    let remedy = |(number, asked): (usize, &super::input::Asked)| {
        let version = further(catalog, ask, number)?;
        let who = if asked.upgrade.is_some() { "" } else { ", which no manifest moves," };
        Some(format!("{}{who} at {version}", asked.component))
    };
    asked.filter_map(remedy).collect()
}

/// The search did not end.
pub(super) fn gave_up(ask: &Ask, expanded: usize) -> Diagnostic {
    let places = ask.components.iter().filter_map(|asked| asked.place.clone());
    let message = format!("the search gave up after {expanded} states: whether there is a path is not known");
    Diagnostic::error(codes::PATH_GAVE_UP, message)
        .at_all(places)
        .help("ask for fewer components at once, or raise --budget")
}
