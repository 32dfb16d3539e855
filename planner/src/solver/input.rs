//! What is asked: which components move from where to where, and which stay. From manifests and, where there is one, an
//! inventory; targets that float are pinned here.

use std::collections::BTreeSet;

use jiff::{civil::Date, tz::TimeZone};
use switchback_schemas::{
    Diagnostic, Label, Severity, Version, codes,
    codes::Code,
    inventory::Inventory,
    manifest::{PathClass, VersionRange, VersionTarget},
    plan::BlindSpot,
};

use super::requests::{self, Request, Requests};
use crate::{
    catalog::{Catalog, ComponentFacts, Observed},
    manifest::Manifests,
};

/// One component of the platform.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its name in the catalog.
    pub component: String,
    /// Where it is.
    pub from: Version,
    /// Where it has to be; where it is, if nobody asks for it.
    pub to: Version,
    /// The target as it was written, if it is not the version itself.
    pub floating: Option<String>,
    /// The name of the manifest that asks for it.
    pub upgrade: Option<String>,
    /// Where it is asked for.
    pub place: Option<Label>,
}

/// All that is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Components, by name.
    pub components: Vec<Asked>,
    /// The day for which dates are judged.
    pub as_of: Date,
    /// What stands in for an observation, and what could not be told.
    pub unknown: Vec<BlindSpot>,
    /// Facts that somebody accepts to be crossed.
    pub waived: Vec<Waived>,
    /// Classes of soft facts that are as good as requirements here.
    pub refuse: BTreeSet<PathClass>,
}

/// A fact that somebody accepts to be crossed, by a waiver that holds on the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waived {
    /// The code of the finding.
    pub code: Code,
    /// The fact, in the words in which the finding names it.
    pub about: String,
    /// Who accepts it, on which evidence, and until when.
    pub because: String,
}

impl Ask {
    /// The waiver of a fact, if there is one.
    pub(super) fn waiver(&self, code: Code, about: &str) -> Option<&Waived> {
        self.waived.iter().find(|waived| waived.code == code && waived.about == about)
    }

    /// Whether nothing moves.
    pub fn is_idle(&self) -> bool {
        self.components.iter().all(|asked| asked.from == asked.to)
    }
}

/// Reads what manifests ask for. Without an inventory every request has to say where its component is.
pub fn ask(
    catalog: &Catalog,
    manifests: &Manifests,
    requests: Requests,
    inventory: Option<&Inventory>,
    as_of: Date,
) -> (Option<Ask>, Vec<Diagnostic>) {
    let mut reader = Reader { catalog, inventory, manifests, as_of, found: Vec::new() };
    let requests = requests.with_catalog(manifests);
    let distinct = requests.distinct(manifests, &mut reader.found);
    let mut components: Vec<Asked> = distinct.iter().filter_map(|asked| reader.asked(asked)).collect();
    let mut unknown = Vec::new();
    if inventory.is_some() {
        let carried = requests.carried();
        for facts in catalog.components.values() {
            // What a manifest asks for in vain was said already.
            if carried.contains(facts.component.as_str())
                || requests.unplaced().any(|(component, ..)| component == facts.component)
                || distinct.iter().any(|asked| asked.request.component == facts.component)
            {
                continue;
            }
            if let Some(from) = reader.observed(facts) {
                components.push(Asked {
                    component: facts.component.clone(),
                    to: from.clone(),
                    from,
                    floating: None,
                    upgrade: None,
                    place: None,
                });
            }
        }
    } else {
        unknown.push(BlindSpot {
            what: "there is no inventory".to_owned(),
            why: "components that no manifest names are not checked".to_owned(),
        });
    }
    for (component, upgrade, why) in requests.unplaced() {
        let title = catalog.components.get(component).map_or(component, |facts| &facts.title);
        unknown.push(BlindSpot {
            what: format!("to which version of {title} upgrade {upgrade} moves"),
            why: format!("{why}, so no version rules were checked"),
        });
    }
    if requests.untold > 0 {
        let upgrades = if requests.untold == 1 { "upgrade" } else { "upgrades" };
        unknown.push(BlindSpot {
            what: format!("{} {upgrades} of {}", requests.untold, requests.untold_kinds.join(" and ")),
            why: "no catalog component is named for them, so no version rules were checked".to_owned(),
        });
    }
    components.sort_by(|a, b| a.component.cmp(&b.component));
    let failed = reader.found.iter().any(Diagnostic::is_error);
    let refuse = manifests.platform.spec.defaults.refuse.clone();
    let ask = Ask { components, as_of, unknown, waived: waived(manifests, as_of), refuse };
    ((!failed).then_some(ask), reader.found)
}

/// Waivers that hold on the whole day.
fn waived(manifests: &Manifests, as_of: Date) -> Vec<Waived> {
    let holds = manifests.waivers.iter().map(|doc| &doc.spec);
    let holds = holds.filter(|waiver| waiver.expires.to_zoned(TimeZone::UTC).date() > as_of);
    let of = |waiver: &switchback_schemas::manifest::Waiver| Waived {
        code: waiver.finding,
        about: waiver.about.clone(),
        because: format!("{}, {}, until {}", waiver.by, waiver.evidence, waiver.expires),
    };
    holds.map(of).collect()
}

struct Reader<'a> {
    catalog: &'a Catalog,
    manifests: &'a Manifests,
    inventory: Option<&'a Inventory>,
    as_of: Date,
    found: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn asked(&mut self, asked: &requests::DocumentRequest) -> Option<Asked> {
        let request: &Request = &asked.request;
        let label = |pointer: &str, text: &str| self.manifests.label(asked.doc, pointer, text);
        let Some(facts) = self.catalog.components.get(&request.component) else {
            let known: Vec<&str> = self.catalog.components.keys().map(String::as_str).collect();
            let message = format!("the catalog has no facts about `{}`", request.component);
            self.found.push(
                Diagnostic::error(codes::PATH_UNKNOWN_VERSION, message)
                    .at(label("/spec/component", "not in the catalog"))
                    .help(format!("it knows {}", known.join(", "))),
            );
            return None;
        };
        let Some(from) = request.from.clone().or_else(|| self.observed(facts)) else {
            let message = format!("where {} is now is not known", facts.title);
            let help = match self.inventory {
                Some(_) if request.may_say_from => "the inventory does not show it; write `from: 'VERSION'`",
                Some(_) => "the inventory does not show it; observe again",
                None if request.may_say_from => {
                    "write `from: 'VERSION'`, or pass the inventory with --inventory"
                }
                None => "pass the inventory with --inventory",
            };
            self.found.push(
                Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message)
                    .at(label(request.whence, "its version is not known"))
                    .help(help),
            );
            return None;
        };
        let place = label("/spec/to", "requested here");
        let to = self.pinned(facts, &request.to, &place)?;
        let floating = Some(request.to.to_string()).filter(|text| *text != to.to_string());
        if to < from {
            self.found.push(
                Diagnostic::error(
                    codes::PATH_BACKWARDS,
                    format!("{} is at {from}, which is newer than {to}", facts.title),
                )
                .at(place)
                .help("an upgrade goes up; to go down, roll back the run that went up"),
            );
            return None;
        }
        if to == from {
            let message = format!("{} is at {from} already", facts.title);
            self.found.push(Diagnostic {
                severity: Severity::Advice,
                ..Diagnostic::warning(codes::PLAN_UNCHANGED, message).at(place.clone())
            });
        }
        Some(Asked {
            component: facts.component.clone(),
            from,
            to,
            floating,
            upgrade: Some(asked.name.clone()),
            place: Some(place),
        })
    }

    /// The version that a target means on the day.
    fn pinned(&mut self, facts: &ComponentFacts, target: &VersionTarget, place: &Label) -> Option<Version> {
        let newest = |wanted: &dyn Fn(&Version) -> bool| {
            let out = facts.versions.iter().filter(|release| {
                wanted(&release.version) && usable(facts, &release.version, release.released, self.as_of)
            });
            out.map(|release| release.version.clone()).max()
        };
        let found = match target {
            VersionTarget::Exact(version) => {
                let exact = facts.versions.iter().find(|release| release.version == *version);
                // A line stands for its newest patch, also where that is still to come out.
                let line: Option<VersionRange> =
                    version.patch().is_none().then(|| version.plain().parse().ok()).flatten();
                let of_line = |range: &VersionRange| {
                    let later = facts.versions.iter().map(|release| &release.version);
                    newest(&|version| range.contains(version))
                        .or_else(|| later.filter(|version| range.contains(version)).max().cloned())
                };
                let patch = line.as_ref().and_then(of_line).filter(|patch| patch.patch().is_some());
                patch
                    .or_else(|| exact.map(|release| release.version.clone()))
                    .or_else(|| facts.knows(version).then(|| version.clone()))
            }
            VersionTarget::LatestSupported => newest(&|_| true),
            VersionTarget::Range(range) => newest(&|version| range.contains(version)),
        };
        if found.is_none() {
            let last = facts.versions.last().map(|release| release.version.to_string()).unwrap_or_default();
            let message = match target {
                VersionTarget::Exact(version) => {
                    format!("the catalog has no facts about {} {version}", facts.title)
                }
                _ => format!(
                    "no version of {} that is out and supported on {} is {target}",
                    facts.title, self.as_of
                ),
            };
            self.found.push(
                Diagnostic::error(codes::PATH_UNKNOWN_VERSION, message).at(place.clone()).help(format!(
                    "`switchback catalog {}` shows what it knows, up to {last}",
                    facts.component
                )),
            );
        }
        found
    }

    /// The version that the inventory shows.
    fn observed(&self, facts: &ComponentFacts) -> Option<Version> {
        let inventory = self.inventory?;
        match facts.observed.as_ref()? {
            Observed::Cluster => Some(inventory.cluster.version.minor_line()),
            Observed::Kubelets => {
                inventory.nodes.iter().filter_map(|node| node.kubelet.as_ref()).min().map(Version::minor_line)
            }
            Observed::Charts(charts) => {
                let release = inventory.releases.iter().find(|release| charts.contains(&release.chart))?;
                Some(release.app_version.parse().unwrap_or_else(|_| release.chart_version.clone()))
            }
        }
    }
}

/// Whether a version is out, not bad, and supported on a day.
fn usable(facts: &ComponentFacts, version: &Version, released: Option<Date>, day: Date) -> bool {
    released.is_none_or(|released| released <= day)
        && !facts.bad.iter().any(|bad| bad.versions.contains(version))
        && !facts.support.iter().any(|support| support.versions.contains(version) && support.until < day)
}
