//! What comes out: hops in an order, why, what each leaves behind, and what is not known.

use std::collections::{BTreeMap, VecDeque, btree_map::Entry};

use jiff::civil::Date;
use serde::Serialize;
use switchback_schemas::{
    Version,
    codes::Code,
    plan::{BlindSpot, HopBasis},
};

use super::{
    back::{self, Back, Closed},
    found::{Found, Reason},
    order::{Edge, order},
    problem::{Cost, Weight},
};

/// The joint path.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JointPath {
    /// The day for which dates are judged.
    pub as_of: Date,
    /// What is asked, with the version that each target means.
    pub targets: Vec<Target>,
    /// Hops in the order that was found; another order is as good as long as every hop comes after those of its `after`.
    pub hops: Vec<Hop>,
    /// States outside of what was tested or documented.
    pub outside: Vec<Span>,
    /// States of which no source says anything.
    pub unknown: Vec<Span>,
    /// Facts that the path does not keep to, and that somebody accepts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crossed: Vec<Crossed>,
    /// What the path costs.
    pub cost: Cost,
    /// Whether it is known that no path costs less.
    pub cheapest: bool,
    /// States that the search expanded.
    pub expanded: usize,
    /// What is not known.
    pub blind_spots: Vec<BlindSpot>,
}

/// A component and where it goes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its name in the catalog.
    pub component: String,
    /// Its name as people write it.
    pub title: String,
    /// Where it is.
    pub from: Version,
    /// Where it goes; where it is, if nobody asks for it.
    pub to: Version,
    /// The target as it was written, if that is not the version itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The manifest that asks for it; absent if nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
}

/// One hop.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// `eks@1.32`.
    pub id: String,
    /// The component.
    pub component: String,
    /// The version before.
    pub from: Version,
    /// The version after.
    pub to: Version,
    /// Exact if it starts from what is there, predicted if it waits for another hop.
    pub basis: HopBasis,
    /// Hops that come before it, without those that follow from others.
    pub after: Vec<After>,
    /// The first day on which it can begin, if that is still to come: its version, or one that it waits for, comes out then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Date>,
    /// The day after which the version before it is out of support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_by: Option<Date>,
    /// What it disturbs.
    pub disturbs: Vec<Reason>,
    /// Data that it changes.
    pub migrates: Vec<Reason>,
    /// What to check or do with it.
    pub notes: Vec<Reason>,
    /// How it is taken back.
    pub back: Back,
    /// Rollbacks that end when it begins.
    pub closes: Vec<Closed>,
}

/// A hop that comes before another one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct After {
    /// The earlier hop.
    pub hop: String,
    /// Facts that some other order would break; none for hops of one component.
    pub why: Vec<Reason>,
}

/// States that follow each other and break one soft fact.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// `Argo Workflows 4.0.10 with EKS 1.34`, as the span begins.
    pub state: String,
    /// What it lies outside of.
    pub fact: Reason,
    /// The hop that leads into it; absent if it is so from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enters: Option<String>,
    /// The hop that leads out of it; absent if it stays so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves: Option<String>,
    /// Hops that begin or end in it.
    pub hops: usize,
}

/// A fact that the path does not keep to, and that a waiver accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Crossed {
    /// The code by which the waiver names it.
    pub code: Code,
    /// What the waiver is about.
    pub about: String,
    /// What is crossed, and who accepts it.
    pub text: String,
}

impl Found<'_> {
    pub(super) fn path(&self, cost: Cost, expanded: usize) -> JointPath {
        let edges = order(&self.reduced.problem, self.moves);
        let mut hops: Vec<Hop> =
            (0..self.moves.len()).filter_map(|number| self.hop(number, &edges)).collect();
        let mut blind_spots = self.late(&mut hops);
        blind_spots.extend(self.blind_spots());
        let target = |(number, asked): (usize, &super::input::Asked)| Target {
            component: asked.component.clone(),
            title: self.title(number).to_owned(),
            from: asked.from.clone(),
            to: asked.to.clone(),
            asked: asked.floating.clone(),
            asked_by: asked.upgrade.clone(),
        };
        JointPath {
            as_of: self.ask.as_of,
            targets: self.ask.components.iter().enumerate().map(target).collect(),
            hops,
            outside: self.spans(Weight::Tested),
            unknown: self.spans(Weight::Unknown),
            crossed: self.crossed(),
            cost,
            cheapest: true,
            expanded,
            blind_spots,
        }
    }

    fn hop(&self, number: usize, edges: &[Edge]) -> Option<Hop> {
        let hop = self.moves.get(number)?;
        let (from, to) = (self.version(hop.component, hop.from)?, self.version(hop.component, hop.to)?);
        let facts = self.facts(hop.component)?;
        let crosses = |at: &Version| from < at && at <= to;
        let after = edges.iter().filter(|edge| edge.after == number);
        let after: Vec<After> = after
            .map(|edge| After {
                hop: self.id(edge.before),
                why: edge
                    .facts
                    .iter()
                    .filter_map(|fact| self.built.facts.get(*fact))
                    .map(Reason::told)
                    .collect(),
            })
            .collect();
        let released = facts.versions.iter().find(|release| release.version == *to).and_then(|r| r.released);
        let leave = facts.support.iter().find(|support| support.versions.contains(from));
        let disturbs = facts.disruption.iter().filter(|row| row.crossing.as_ref().is_none_or(crosses));
        let migrates = facts.migrations.iter().filter(|row| crosses(&row.at));
        let notes = facts.notes.iter().filter(|row| crosses(&row.at));
        Some(Hop {
            id: self.id(number),
            component: self.name(hop.component).to_owned(),
            from: from.clone(),
            to: to.clone(),
            basis: if after.is_empty() { HopBasis::Exact } else { HopBasis::Predicted },
            after,
            not_before: released.filter(|day| *day > self.ask.as_of),
            leave_by: leave.map(|support| support.until),
            disturbs: disturbs.map(|row| Reason::of(facts, row.why.clone(), &row.source)).collect(),
            migrates: migrates
                .map(|row| Reason::of(facts, format!("{}: {}", row.at, row.what), &row.source))
                .collect(),
            notes: notes
                .map(|row| Reason::of(facts, format!("{}: {}", row.at, row.what), &row.source))
                .collect(),
            back: back::of(facts, from, to),
            closes: back::closed(self, number, edges),
        })
    }

    /// Hops that wait for what is still to come out begin no earlier than that, and with them those that wait for them. Says
    /// where that is too late.
    fn late(&self, hops: &mut [Hop]) -> Vec<BlindSpot> {
        let mut late = Vec::new();
        let mut days: BTreeMap<String, Date> = BTreeMap::new();
        for hop in hops {
            let waits = hop.after.iter().filter_map(|after| days.get(&after.hop)).copied();
            hop.not_before = waits.chain(hop.not_before).max();
            let Some(day) = hop.not_before else { continue };
            days.insert(hop.id.clone(), day);
            if let Some(until) = hop.leave_by.filter(|until| *until < day) {
                late.push(BlindSpot {
                    what: format!("the day of {}", hop.id),
                    why: format!(
                        "it cannot start before {day}, and {} is out of support after {until}",
                        hop.from
                    ),
                });
            }
            let into =
                self.catalog.components.get(&hop.component).and_then(|facts| {
                    facts.support.iter().find(|support| support.versions.contains(&hop.to))
                });
            if let Some(support) = into.filter(|support| support.until < day) {
                late.push(BlindSpot {
                    what: format!("the day of {}", hop.id),
                    why: format!(
                        "it cannot start before {day}, and nothing can move to {} after {}",
                        hop.to, support.until
                    ),
                });
            }
        }
        late
    }

    fn blind_spots(&self) -> Vec<BlindSpot> {
        let mut spots = self.ask.unknown.clone();
        for (number, asked) in self.ask.components.iter().enumerate() {
            let Some(facts) = self.facts(number) else { continue };
            let of_title = |why: &str| BlindSpot { what: facts.title.clone(), why: why.to_owned() };
            let gone = facts.support.iter().find(|support| support.versions.contains(&asked.from));
            if let Some(support) = gone.filter(|support| support.until < self.ask.as_of) {
                spots.push(BlindSpot {
                    what: format!("{} {} is out of support since {}", facts.title, asked.from, support.until),
                    why: "it may be moved by its vendor at any time".to_owned(),
                });
            }
            if asked.from != asked.to {
                if facts.hops.one_at_a_time.is_none() && facts.hops.not_directly.is_empty() {
                    spots.push(of_title("no source says which versions may be skipped"));
                }
                spots.extend(facts.holes.iter().map(|hole| of_title(hole)));
            }
        }
        spots
    }
}

impl JointPath {
    /// The versions that a component moves through, in order; none where the path does not move it.
    pub fn versions(&self, component: &str) -> Vec<Version> {
        let hops = self.hops.iter().filter(|hop| hop.component == component);
        hops.map(|hop| hop.to.clone()).collect()
    }

    /// Why one hop comes after another: the fewest hops from the earlier to the later one, each with why it comes after the one
    /// before. `None` if the later one does not wait for the earlier, or if there is no such hop.
    pub fn why(&self, later: &str, earlier: &str) -> Option<Vec<(&Hop, &After)>> {
        // For each hop that was seen, what it led here for.
        let mut seen: BTreeMap<&str, (&Hop, &After)> = BTreeMap::new();
        let mut queue = VecDeque::from([later]);
        while let Some(at) = queue.pop_front() {
            let Some(hop) = self.hops.iter().find(|hop| hop.id == at) else { continue };
            for after in hop.after.iter().filter(|after| after.hop != later) {
                if let Entry::Vacant(free) = seen.entry(&after.hop) {
                    free.insert((hop, after));
                    queue.push_back(&after.hop);
                }
            }
        }
        let mut way = Vec::new();
        let mut at = earlier;
        while let Some((hop, after)) = seen.get(at) {
            way.push((*hop, *after));
            at = &hop.id;
        }
        (at == later && !way.is_empty()).then_some(way)
    }
}
