//! The order of hops, by declared facts.
//!
//! Hops of one manifest follow each other. A manifest that `requires` another upgrade comes after the hop that reaches the
//! version. Otherwise one component moves at a time, in the order of kinds and names, so that a failure has one cause.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Diagnostic, StepId, codes,
    name::SavepointId,
    plan::{Hop, HopOrder},
};

use crate::{components::HopSpec, context::Cx};

/// Hops in the order in which they run; empty when there is no order.
pub fn order(cx: &Cx<'_>, asked: &[HopSpec]) -> Vec<(HopSpec, Hop)> {
    let mut after: BTreeMap<usize, Vec<(usize, String)>> = BTreeMap::new();
    for (number, hop) in asked.iter().enumerate() {
        let earlier = number.checked_sub(1).and_then(|before| asked.get(before).map(|hop| (before, hop)));
        if let Some((before, _)) = earlier.filter(|(_, earlier)| earlier.doc == hop.doc) {
            after
                .entry(number)
                .or_default()
                .push((before, "hops of one upgrade follow each other".to_owned()));
        }
        // Only the first hop of an upgrade can be held back: the others follow it.
        let first = earlier.is_none_or(|(_, earlier)| earlier.doc != hop.doc);
        for requires in hop.requires.iter().filter(|_| first) {
            let reaches = asked
                .iter()
                .position(|other| other.upgrade == requires.upgrade && other.to >= requires.at_least);
            match reaches {
                Some(other) => {
                    let why = format!(
                        "it requires {} at {}: {}",
                        requires.upgrade, requires.at_least, requires.because
                    );
                    after.entry(number).or_default().push((other, why));
                }
                None => unmet(cx, hop, requires, asked),
            }
        }
    }
    let Some(sorted) = sort(cx, asked, &after) else { return Vec::new() };
    let id = |number: &usize| asked.get(*number).map(HopSpec::id);
    let mut hops = Vec::new();
    for number in sorted {
        let Some(spec) = asked.get(number) else { continue };
        let Ok(component) = switchback_schemas::ComponentName::new(spec.component) else { continue };
        let reasons = after.get(&number).into_iter().flatten();
        let before = reasons
            .filter_map(|(other, why)| Some(HopOrder { hop: id(other)?, why: why.clone(), source: None }));
        let hop = Hop {
            id: spec.id(),
            component,
            asked_by: spec.upgrade.clone(),
            from: spec.from.clone(),
            to: spec.to.clone(),
            basis: spec.basis,
            after: before.collect(),
            savepoint: SavepointId::sanitized(spec.id().as_str()),
        };
        hops.push((spec.clone(), hop));
    }
    hops
}

/// A requirement that no hop of this plan meets: met already, or an error.
fn unmet(cx: &Cx<'_>, hop: &HopSpec, requires: &switchback_schemas::manifest::Requires, asked: &[HopSpec]) {
    let going = asked.iter().filter(|other| other.upgrade == requires.upgrade).map(|other| &other.to).max();
    let Some(going) = going else {
        // The other upgrade has nothing to do, so it is at its target.
        let target = target_of(cx, requires.upgrade.as_str());
        if target.is_none_or(|target| target >= requires.at_least) {
            return;
        }
        return refuse(cx, hop, requires, "its own target is older");
    };
    refuse(cx, hop, requires, &format!("it goes to {going} only"));
}

fn target_of(cx: &Cx<'_>, name: &str) -> Option<switchback_schemas::Version> {
    let manifests = cx.manifests;
    let karpenter = manifests.karpenter.iter().map(|doc| (&doc.metadata.name, &doc.spec.to));
    let deployments = manifests.deployments.iter().map(|doc| (&doc.metadata.name, &doc.spec.to));
    let releases = manifests.helm_releases.iter().map(|doc| (&doc.metadata.name, &doc.spec.to));
    karpenter
        .chain(deployments)
        .chain(releases)
        .find(|(found, _)| found.as_str() == name)
        .map(|(_, to)| to.clone())
}

fn refuse(cx: &Cx<'_>, hop: &HopSpec, requires: &switchback_schemas::manifest::Requires, why: &str) {
    let message =
        format!("{} requires {} at {}, and {why}", hop.upgrade, requires.upgrade, requires.at_least);
    cx.findings.say(
        Diagnostic::error(codes::PATH_REQUIREMENT, message)
            .at(cx.label(hop.doc, "/spec/requires", "this cannot be met"))
            .help(format!("move {} further, or lower the requirement", requires.upgrade)),
    );
}

/// Topological order; among hops that are free, the one that was asked for first.
fn sort(cx: &Cx<'_>, asked: &[HopSpec], after: &BTreeMap<usize, Vec<(usize, String)>>) -> Option<Vec<usize>> {
    let mut held: Vec<usize> = vec![0; asked.len()];
    let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, reasons) in after {
        for (before, _) in reasons {
            waiting.entry(*before).or_default().push(*number);
            if let Some(count) = held.get_mut(*number) {
                *count += 1;
            }
        }
    }
    let mut free: BTreeSet<usize> = (0..asked.len()).filter(|number| held.get(*number) == Some(&0)).collect();
    let mut sorted: Vec<usize> = Vec::new();
    while let Some(number) = free.pop_first() {
        sorted.push(number);
        for next in waiting.remove(&number).unwrap_or_default() {
            if let Some(count) = held.get_mut(next) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    free.insert(next);
                }
            }
        }
    }
    if sorted.len() < asked.len() {
        let open: Vec<usize> =
            (0..asked.len()).filter(|number| held.get(*number).is_some_and(|n| *n > 0)).collect();
        circle(cx, asked, after, &open);
        return None;
    }
    Some(sorted)
}

fn circle(cx: &Cx<'_>, asked: &[HopSpec], after: &BTreeMap<usize, Vec<(usize, String)>>, open: &[usize]) {
    let id = |number: usize| asked.get(number).map_or_else(|| StepId::sanitized("unknown"), HopSpec::id);
    // Follow unmet requirements until a hop comes again.
    let mut walk: Vec<(usize, String)> = Vec::new();
    let mut at = open.first().copied().unwrap_or_default();
    while !walk.iter().any(|(seen, _)| *seen == at) {
        let next = after.get(&at).into_iter().flatten().find(|(before, _)| open.contains(before));
        let Some((before, why)) = next else { break };
        walk.push((at, why.clone()));
        at = *before;
    }
    let start = walk.iter().position(|(seen, _)| *seen == at).unwrap_or_default();
    let circle = walk.get(start..).unwrap_or_default();
    let told: Vec<String> = circle.iter().map(|(number, why)| format!("{} ({why})", id(*number))).collect();
    let message = format!("hops wait for each other in a circle: {}", told.join(" -> "));
    let labels = circle
        .iter()
        .filter_map(|(number, _)| asked.get(*number))
        .map(|hop| cx.label(hop.doc, "/spec/requires", "waits"));
    cx.findings.say(
        Diagnostic::error(codes::PATH_CYCLE, message)
            .at_all(labels)
            .help("take one of the requirements away"),
    );
}
