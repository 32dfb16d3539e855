//! Insights of EKS: three-valued, and accepted one by one, never by force (user-pain P-01, P-09).

use std::collections::BTreeMap;

use jiff::Timestamp;
use switchback_schemas::{
    Diagnostic, codes,
    inventory::eks::{Insight, InsightStatus},
    plan::{BlindSpot, InsightCategory},
};

use super::context::Road;
use crate::lower::Lowering;

/// Findings that the manifest accepts, by name, with the end of that, which is not over. Accepted twice, the later end counts.
pub(super) fn accepted(road: &Road<'_>) -> BTreeMap<String, Timestamp> {
    let mut until: BTreeMap<String, Timestamp> = BTreeMap::new();
    for accepted in road.doc.spec.insights.iter().filter(|accepted| accepted.expires > road.as_of) {
        let slot = until.entry(accepted.name.clone()).or_insert(accepted.expires);
        *slot = (*slot).max(accepted.expires);
    }
    until
}

/// Judges what was observed for the minor of a hop. Later hops are judged again when they begin, so what stands against them
/// today is a warning.
pub(super) fn observed(road: &Road<'_>, out: &mut Lowering) {
    let minor = &road.hop.to;
    let accepted = accepted(road);
    let about = |insight: &&Insight| {
        insight.category == InsightCategory::UpgradeReadiness
            && insight.kubernetes.as_ref().is_none_or(|version| version.minor_line() == *minor)
    };
    let mut seen = false;
    for insight in road.own.cluster.insights.iter().filter(about) {
        seen = true;
        let stands = match insight.status {
            InsightStatus::Passing => false,
            InsightStatus::Error | InsightStatus::Unknown => true,
            InsightStatus::Warning => insight.kubernetes.is_some(),
        };
        if !stands || accepted.contains_key(&insight.name) {
            continue;
        }
        say(road, insight);
    }
    if !seen {
        out.blind_spots.push(BlindSpot {
            what: format!("what EKS itself finds against {minor}"),
            why: "no insight about it was observed; the gate before the control plane waits for one"
                .to_owned(),
        });
    }
}

fn say(road: &Road<'_>, insight: &Insight) {
    let word = match insight.status {
        InsightStatus::Passing => "passing",
        InsightStatus::Warning => "a warning",
        InsightStatus::Error => "an error",
        InsightStatus::Unknown => "unknown",
    };
    // EKS ends its sentences; ours go on.
    let reason = insight.reason.trim_end_matches('.');
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let mut message = format!("the insight {:?} about {} is {word}{why}", insight.name, road.hop.to);
    let clients: Vec<String> = insight
        .deprecated
        .iter()
        .map(|used| {
            let last = used.last.map_or_else(String::new, |last| format!(", last {last}"));
            format!("{} by {}{last}", used.usage, if used.client.is_empty() { "?" } else { &used.client })
        })
        .collect();
    if !clients.is_empty() {
        message = format!("{message} ({})", clients.join("; "));
    }
    let expired = road.doc.spec.insights.iter().find(|accepted| accepted.name == insight.name);
    if let Some(expired) = expired {
        message = format!("{message}; it was accepted until {}", expired.expires);
    }
    if let Some(refreshed) = insight.refreshed {
        message = format!("{message}; it was last refreshed {refreshed}");
    }
    let place = road.label(road.doc.doc, "/spec/insights", "not accepted here");
    let diagnostic = match insight.status {
        // Not known is no reason to refuse a plan: the gate blocks until it is known.
        InsightStatus::Unknown => Diagnostic::warning(codes::PLAN_INSIGHT, message)
            .help("the gate before the control plane waits until it is known; refresh the insights"),
        _ if !road.own.first => Diagnostic::warning(codes::PLAN_INSIGHT, message)
            .help("it is asked again before this minor; fix what it names until then"),
        _ => Diagnostic::error(codes::PLAN_INSIGHT, message).help(
            "fix what it names; if that is done since it was looked at, `aws eks start-insights-refresh` has it looked at again, then \
             observe; if EKS still counts the last 30 days, accept it by name under `insights:` with the evidence and a date",
        ),
    };
    road.findings.say(diagnostic.at(place));
}

/// Says which acceptances are expired or name no insight, once for each manifest.
pub(super) fn unused(road: &Road<'_>) {
    for (number, accepted) in road.doc.spec.insights.iter().enumerate() {
        let place = |text: &str| road.label(road.doc.doc, &format!("/spec/insights/{number}"), text);
        let known = road.own.cluster.insights.iter().any(|insight| insight.name == accepted.name);
        let (message, text) = match (accepted.expires <= road.as_of, known) {
            (true, _) => {
                (format!("what is accepted of {:?} expired {}", accepted.name, accepted.expires), "expired")
            }
            (false, false) => (format!("there is no insight {:?}", accepted.name), "no such insight"),
            (false, true) => continue,
        };
        road.findings.say(
            Diagnostic::warning(codes::MANIFEST_WAIVER, message)
                .at(place(text))
                .help("remove it, or renew it with new evidence"),
        );
    }
}
