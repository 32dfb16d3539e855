//! One hop of NVSentinel, as steps: its breaker is looked at, its release moves, its breaker is looked at again.

use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::nvsentinel::{EventStore, Nvsentinel as Section},
    plan::{BlindSpot, Condition, Estimate},
};

use super::{Nvsentinel, database};
use crate::{
    component::HopCx,
    lower::{Lowering, need, quarantine::breaker_closed, verify},
    owner::{Adopts, Asked, Desired, DesiredRelease},
    predicted::Predicted,
};

/// How long its workloads may take to be ready: the database comes first.
const WITHIN: Seconds = Seconds::minutes(15);

/// Lowers one hop. What is missing is said once and the hop left out: no plan comes out then.
pub(super) fn hop(at: &HopCx<'_, Nvsentinel>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let spec = &at.doc.spec;
    let place = at.cx.label(at.doc.doc, "/spec/to", "this version of the chart");
    let Some(render) = at.cx.render(&spec.release, &at.hop.to, place.clone()) else { return };
    let section = match at.sections.get::<Section>("nvsentinel") {
        Ok(Some(section)) => section,
        Ok(None) => {
            let message = "the inventory holds nothing about NVSentinel";
            let help = "observe again with credentials that may read ConfigMaps of its namespace";
            let found = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message).at(place);
            return at.findings.say(found.help(help));
        }
        Err(error) => {
            let found = Diagnostic::error(codes::PLAN_UNREADABLE, error).at(place);
            return at.findings.say(found.help("observe again with this release"));
        }
    };
    let before = predicted.seen(&spec.release).and_then(|view| database::of(&view.objects));
    let after = database::of(&render.objects);
    if before != after {
        let facts = &at.facts.database;
        let message = format!(
            "the chart would change the database of events from {} to {}: {}",
            database::title(before),
            database::title(after),
            facts.why
        );
        let help = format!(
            "set the values that keep its database, or follow the runbook {}: it installs NVSentinel anew",
            facts.runbook
        );
        let found = Diagnostic::error(codes::MANIFEST_NOT_BUILT, message).at(place);
        return at.findings.say(found.help(help));
    }
    notices(at, after, out);
    let breaker = breaker_closed(&section);
    let ready = ready(at, &section, breaker.as_ref(), predicted, out);
    let asked = |needs| Asked {
        cx: at.cx,
        owners: at.owners,
        scope: &at.scope,
        part: "release",
        title: format!("upgrade NVSentinel to {} by release {}", at.hop.to, spec.release),
        desired: Desired::Release(DesiredRelease {
            render,
            within: WITHIN,
            with_crds: true,
            deletes: None,
            installs: false,
            adopts: Adopts::default(),
        }),
        needs,
        place: at.cx.label(at.doc.doc, "/spec/to", "this version of the chart"),
    };
    let needs = vec![need(&ready, "its breaker is closed before it restarts", Some("breaker"))];
    let look = asked(needs.clone());
    let step = if at.hop.finishes && look.is_there(predicted) {
        look.prove(predicted).map(|look| look.time(WITHIN, Estimate::seconds(10, 120)))
    } else {
        asked(needs).change(predicted, out)
    };
    let Some(step) = step else { return };
    let closed = breaker.map(|closed| {
        verify(
            "the circuit breaker is closed, and stays so",
            closed,
            Seconds::minutes(2),
            Seconds::minutes(15),
        )
    });
    out.add(step.verify(closed).verify(at.cx.verifications(&at.scope.hop, &spec.verify)));
}

fn notices(at: &HopCx<'_, Nvsentinel>, store: Option<EventStore>, out: &mut Lowering) {
    let mut keys = vec!["breaker", "chart"];
    if store == Some(EventStore::PerconaMongodb) {
        keys.push("percona");
        out.blind_spots.push(BlindSpot {
            what: format!(
                "whether {} moves the operator of Percona and its database at once",
                at.hop.upgrade
            ),
            why: at.facts.percona.what.clone(),
        });
    }
    for key in keys {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.to_owned(), source);
        }
    }
}

/// Looks at the breaker: a tripped one keeps events that would all be taken up when another process starts.
fn ready(
    at: &HopCx<'_, Nvsentinel>,
    section: &Section,
    closed: Option<&Condition>,
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> StepId {
    if let Some(breaker) = section.breaker.as_ref().filter(|found| found.enabled && found.status != "CLOSED")
    {
        let message = format!(
            "the circuit breaker of NVSentinel is {}: {}",
            breaker.status, at.facts.quarantine.while_tripped
        );
        let help = "find out what tripped it and reset it as its runbook says, then observe again; a plan never resets it";
        let place = at.cx.label(at.doc.doc, "/spec/release", "not upgradable as it is");
        at.findings.say(Diagnostic::error(codes::PLAN_NOT_READY, message).at(place).help(help));
    }
    let of = closed.cloned().into_iter().collect();
    let title = "check that the circuit breaker of NVSentinel is closed";
    let look = at.scope.look("ready", title, Condition::All(of), predicted.take_reads());
    out.add(look.time(Seconds::minutes(5), Estimate::seconds(2, 30)))
}
