//! Names that lead somewhere.

use switchback_schemas::{
    codes,
    manifest::{Check, Kind, TargetSpec},
    name::Label as Name,
};

use super::Faults;
use crate::manifest::{
    Asked, DocRef,
    nearest::{all, nearest},
};

pub(super) fn check(faults: &mut Faults<'_>) {
    let set = faults.set;
    for upgrade in set.upgrades() {
        target(faults, upgrade.doc, "/spec/target", upgrade.spec.target(), IsA::Cluster);
        for (index, name) in upgrade.spec.verify().iter().enumerate() {
            verification(faults, upgrade.doc, &format!("/spec/verify/{index}"), name);
        }
        for (index, requires) in upgrade.spec.requires().iter().enumerate() {
            requirement(faults, &upgrade, index, requires);
        }
    }
    for document in &set.karpenter {
        let canary = document.spec.rollout.canary.iter().flat_map(|canary| &canary.verify);
        for (index, name) in canary.enumerate() {
            verification(faults, document.doc, &format!("/spec/rollout/canary/verify/{index}"), name);
        }
    }
    for document in &set.mlflow {
        target(faults, document.doc, "/spec/database", &document.spec.database, IsA::Database);
    }
    for document in &set.eks {
        let canary = document.spec.rollout.canary.iter().flat_map(|canary| &canary.verify);
        for (index, name) in canary.enumerate() {
            verification(faults, document.doc, &format!("/spec/rollout/canary/verify/{index}"), name);
        }
    }
    for document in &set.verifications {
        if let Check::Nodes { pool: name, .. } = &document.spec.check {
            pool(faults, document.doc, name);
        }
    }
}

fn unknown<'a>(
    faults: &mut Faults<'_>,
    what: &str,
    name: &Name,
    place: (DocRef, &str),
    known: impl Iterator<Item = &'a str> + Clone,
) {
    let help = match nearest(name.as_str(), known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.clone().next().is_none() => format!("no {what} is defined"),
        None => format!("defined: {}", all(known)),
    };
    let message = format!("no {what} is named `{name}`");
    faults.error(codes::MANIFEST_REFERENCE, message, place, "this is not defined", help);
}

/// What a target has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsA {
    Cluster,
    Database,
}

impl IsA {
    fn of(target: &TargetSpec) -> Self {
        match target {
            TargetSpec::Cluster(_) => Self::Cluster,
            TargetSpec::Database(_) => Self::Database,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Database => "database",
        }
    }
}

fn target(faults: &mut Faults<'_>, doc: DocRef, at: &str, name: &Name, wanted: IsA) {
    let [platform] = faults.set.platforms.as_slice() else { return };
    let targets = &platform.spec.targets;
    let known = || targets.iter().filter(|(_, spec)| IsA::of(spec) == wanted).map(|(name, _)| name.as_str());
    match targets.get(name) {
        None => {
            let what = if wanted == IsA::Cluster { "target" } else { "database among the targets" };
            unknown(faults, what, name, (doc, at), known());
        }
        Some(spec) if IsA::of(spec) != wanted => {
            let (is, wanted) = (IsA::of(spec).word(), wanted.word());
            let message = format!("target `{name}` is a {is}, and a {wanted} is needed here");
            let help = format!("{wanted}s of the Platform: {}", all(known()));
            faults.error(codes::MANIFEST_REFERENCE, message, (doc, at), "the wrong kind of target", help);
        }
        Some(_) => {}
    }
}

fn pool(faults: &mut Faults<'_>, doc: DocRef, name: &Name) {
    let [platform] = faults.set.platforms.as_slice() else { return };
    let pools = platform.spec.pools.iter().map(|pool| pool.name.as_str());
    if !pools.clone().any(|pool| pool == name.as_str()) {
        unknown(faults, "pool", name, (doc, "/spec/check/nodes/pool"), pools);
    }
}

fn verification(faults: &mut Faults<'_>, doc: DocRef, pointer: &str, name: &Name) {
    let set = faults.set;
    let known =
        set.names.iter().filter(|(kind, ..)| *kind == Kind::Verification).map(|(_, name, _)| name.as_str());
    if set.whole && !known.clone().any(|known| known == name.as_str()) {
        unknown(faults, "Verification", name, (doc, pointer), known);
    }
}

const UPGRADES: [Kind; 5] = [
    Kind::KarpenterUpgrade,
    Kind::DeploymentUpgrade,
    Kind::HelmReleaseUpgrade,
    Kind::EksUpgrade,
    Kind::MlflowUpgrade,
];

fn requirement(
    faults: &mut Faults<'_>,
    upgrade: &Asked<'_>,
    index: usize,
    requires: &switchback_schemas::manifest::Requires,
) {
    let set = faults.set;
    let at = format!("/spec/requires/{index}/upgrade");
    let named: Vec<(Kind, DocRef)> = set
        .names
        .iter()
        .filter(|(kind, name, _)| UPGRADES.contains(kind) && name == requires.upgrade.as_str())
        .map(|(kind, _, doc)| (*kind, *doc))
        .collect();
    match named.as_slice() {
        [] if !set.whole => {}
        [] => {
            let known = set.names.iter().filter(|(kind, ..)| UPGRADES.contains(kind));
            let known = known.map(|(_, name, _)| name.as_str());
            unknown(faults, "upgrade", &requires.upgrade, (upgrade.doc, &at), known);
        }
        [(_, doc)] if *doc == upgrade.doc => faults.error(
            codes::MANIFEST_CONFLICT,
            format!("`{}` requires itself", upgrade.name),
            (upgrade.doc, &at),
            "this is the upgrade itself",
            "name the upgrade that has to come first",
        ),
        [(_, doc)] => {
            let Some(other) = set.upgrades().find(|other| other.doc == *doc) else { return };
            let to = other.spec.to();
            if *to < requires.at_least {
                let message =
                    format!("`{}` never reaches {}: it goes to {to}", other.name, requires.at_least);
                faults.pair(
                    codes::MANIFEST_CONFLICT,
                    message,
                    (upgrade.doc, &format!("/spec/requires/{index}/atLeast"), "required here"),
                    (*doc, "/spec/to", "goes only this far"),
                    "raise the one or lower the other",
                );
            }
        }
        [(first, _), (second, _), ..] if first != second => faults.error(
            codes::MANIFEST_REFERENCE,
            format!("`{}` names a {} and a {}", requires.upgrade, first.as_str(), second.as_str()),
            (upgrade.doc, &at),
            "which of them is not clear",
            "give one of the two upgrades another name",
        ),
        // Two of one kind: told where they are defined.
        _ => {}
    }
}
