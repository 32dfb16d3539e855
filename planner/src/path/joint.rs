//! What the joint path says about the hops of a plan.

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::TimeZone};
use switchback_schemas::{
    Diagnostic, HopId, Version, codes,
    plan::{BlindSpot, HopBasis, Source, UntestedState},
};

use super::Edge;
use crate::{
    catalog,
    context::{Cx, Given},
    hop::HopSpec,
    solver::{
        self, BUDGET, JointPath, Reason, Requests,
        result::{Hop, Span},
    },
};

/// Codes of findings about what is asked that the components say themselves, with more to go by.
const SAID: [codes::Code; 3] = [codes::PLAN_UNCHANGED, codes::PATH_BACKWARDS, codes::PLAN_INVENTORY_MISSING];

/// Solves the joint path of all components that the catalog knows, those that stay included. `None` where nothing of them
/// moves, or where there is no path, which is said.
pub fn solve(given: &Given<'_>, requests: Requests) -> Option<JointPath> {
    let day = given.as_of.to_zoned(TimeZone::UTC).date();
    let (ask, found) = solver::ask(given.catalog, given.manifests, requests, Some(given.inventory), day);
    for finding in found.into_iter().filter(|finding| !SAID.contains(&finding.code)) {
        given.findings.say(finding);
    }
    let ask = ask.filter(|ask| !ask.is_idle())?;
    match solver::path(given.catalog, &ask, BUDGET) {
        Ok(path) => {
            for crossed in &path.crossed {
                given.findings.say_about(
                    &crossed.about,
                    Diagnostic::error(
                        crossed.code,
                        format!("the path does not keep to this: {}", crossed.text),
                    ),
                );
            }
            Some(path)
        }
        Err(refused) => {
            given.findings.say(refused);
            None
        }
    }
}

/// The first day on which a hop can begin, where that is still to come: its version, or one that it waits for, comes out then.
pub fn not_before(path: Option<&JointPath>, hop: &HopSpec) -> Option<Date> {
    let own = |known: &&Hop| (known.component.as_str(), &known.to) == hop.on_path();
    path?.hops.iter().find(own)?.not_before
}

/// Which hops of a plan are which of the joint path.
pub(super) struct Known<'a> {
    path: Option<&'a JointPath>,
    /// For each hop of the plan, its position in the path.
    places: Vec<Option<usize>>,
    /// The hops of the plan by their names in the path.
    numbers: BTreeMap<&'a str, usize>,
}

/// Finds the hops of a plan in the joint path. A component that moves otherwise than the path says is refused: its states were
/// not looked at.
pub(super) fn known<'a>(cx: &'a Cx<'_>, asked: &[HopSpec]) -> Known<'a> {
    let path = cx.path.as_ref();
    for target in path.into_iter().flat_map(|path| &path.targets) {
        let Some(upgrade) = &target.asked_by else { continue };
        let own = |hop: &&HopSpec| hop.on_path().0 == target.component && hop.upgrade.as_str() == upgrade;
        // A hop from no version moves what stayed behind, such as nodes: the path knows versions only.
        let moves = asked.iter().filter(own).filter(|hop| hop.from.is_some());
        let moves: Vec<&Version> = moves.map(|hop| hop.on_path().1).collect();
        let wanted = cx.versions(&target.component);
        if moves.is_empty() || moves.iter().copied().eq(&wanted) {
            continue;
        }
        let told = |versions: &mut dyn Iterator<Item = String>| versions.collect::<Vec<_>>().join(", ");
        let message = format!(
            "{} has to move through {}, and its upgrade moves through {}",
            target.title,
            told(&mut wanted.iter().map(ToString::to_string)),
            told(&mut moves.iter().map(ToString::to_string)),
        );
        let place = asked.iter().find(own).map(|hop| cx.label(hop.doc, "/spec/to", "requested here"));
        cx.findings.say(
            Diagnostic::error(codes::PATH_REQUIREMENT, message)
                .at_all(place)
                .help("ask for the first of these versions, and for the next when it is reached"),
        );
    }
    let hops: &[Hop] = path.map_or(&[], |path| &path.hops);
    let moves = hops.iter().enumerate().map(|(place, hop)| ((hop.component.as_str(), &hop.to), place));
    let moves: BTreeMap<(&str, &Version), usize> = moves.collect();
    let places: Vec<Option<usize>> = asked.iter().map(|hop| moves.get(&hop.on_path()).copied()).collect();
    let named = places.iter().enumerate();
    let named = named.filter_map(|(number, place)| Some((hops.get((*place)?)?.id.as_str(), number)));
    Known { path, numbers: named.collect(), places }
}

impl Known<'_> {
    /// Where a hop of the plan stands in the sequence that was solved.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        self.places.get(number).copied().flatten()
    }

    fn hop(&self, number: usize) -> Option<&Hop> {
        self.path?.hops.get(self.place(number)?)
    }

    /// Whether the path says that it waits for another hop.
    pub(super) fn predicted(&self, number: usize) -> bool {
        self.hop(number).is_some_and(|hop| hop.basis == HopBasis::Predicted)
    }

    /// The last day on which the version before a hop is supported.
    pub(super) fn leave_by(&self, number: usize) -> Option<Date> {
        self.hop(number)?.leave_by
    }

    /// What the path says must come before a hop; that hops of one component follow each other is known anyway.
    pub(super) fn edges(&self, cx: &Cx<'_>, asked: &[HopSpec], number: usize) -> Vec<Edge> {
        let Some((hop, spec)) = self.hop(number).zip(asked.get(number)) else { return Vec::new() };
        let edge = |after: &solver::result::After| {
            let before = *self.numbers.get(after.hop.as_str())?;
            let why: Vec<&str> = after.why.iter().map(|reason| reason.text.as_str()).collect();
            let source = after.why.iter().find_map(|reason| source(cx, reason));
            let place = cx.label(spec.doc, "/spec/to", "waits");
            (!why.is_empty()).then(|| Edge { before, why: why.join("; "), source, place })
        };
        hop.after.iter().filter_map(edge).collect()
    }
}

/// The source of a fact with its key in a plan's table.
fn source(cx: &Cx<'_>, reason: &Reason) -> Option<(String, Source)> {
    let source = reason.source.as_ref()?;
    let files = cx.catalog.components.values();
    let mut keys = files.flat_map(|facts| {
        facts.sources.iter().map(move |(key, known)| (format!("{}/{key}", facts.component), known))
    });
    let (key, _) = keys.find(|(_, known)| *known == source)?;
    Some((key, of_catalog(source)))
}

fn of_catalog(source: &catalog::Source) -> Source {
    Source { title: source.title.clone(), read_on: source.read_on.to_string() }
}

/// States of the path that no vendor tested or documents, or of which nothing is known. Sources are added to the table.
pub fn states(
    cx: &Cx<'_>,
    hops: &[(HopSpec, switchback_schemas::plan::Hop)],
    sources: &mut BTreeMap<String, Source>,
) -> Vec<UntestedState> {
    let Some(path) = &cx.path else { return Vec::new() };
    let id = |known: &String| -> Option<HopId> {
        let hop = path.hops.iter().find(|hop| hop.id == *known)?;
        let own = |spec: &&HopSpec| spec.on_path() == (hop.component.as_str(), &hop.to);
        hops.iter().map(|(spec, _)| spec).find(own).map(HopSpec::id)
    };
    let state = |span: &Span| UntestedState {
        state: span.state.clone(),
        fact: span.fact.text.clone(),
        source: source(cx, &span.fact).map(|(key, source)| {
            sources.insert(key.clone(), source);
            key
        }),
        enters: span.enters.as_ref().and_then(id),
        leaves: span.leaves.as_ref().and_then(id),
    };
    path.outside.iter().chain(&path.unknown).map(state).collect()
}

/// What the joint path does not know.
pub fn blind_spots(cx: &Cx<'_>) -> Vec<BlindSpot> {
    let Some(path) = &cx.path else { return Vec::new() };
    let mut spots = path.blind_spots.clone();
    if !path.cheapest {
        spots.push(BlindSpot {
            what: "the joint path".to_owned(),
            why: "whether another path costs less: the search gave up before".to_owned(),
        });
    }
    spots
}
