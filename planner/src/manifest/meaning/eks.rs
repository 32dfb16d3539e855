//! What an `EksUpgrade` says about itself and its cluster.

use switchback_schemas::{
    Version, codes,
    manifest::{Document, EksUpgrade, TargetSpec},
    seconds::Seconds,
};

use super::Faults;
use crate::manifest::Spanned;

type Doc = Spanned<Document<EksUpgrade>>;

pub(super) fn check(faults: &mut Faults<'_>) {
    let set = faults.set;
    for document in &set.eks {
        cluster(faults, document);
        minor(faults, document, "/spec/to", &document.spec.to);
        addons(faults, document);
        insights(faults, document);
        if document.spec.bake.is_some_and(|bake| bake.0 == Seconds(0)) {
            faults.error(
                codes::MANIFEST_BAD_VALUE,
                "`bake` watches no time at all",
                (document.doc, "/spec/bake"),
                "no time at all",
                "give it a length, such as 1d, or leave it out",
            );
        }
    }
}

/// A target that is there has to say which EKS cluster it is.
fn cluster(faults: &mut Faults<'_>, document: &Doc) {
    let [platform] = faults.set.platforms.as_slice() else { return };
    let name = &document.spec.target;
    let Some(TargetSpec::Cluster(target)) = platform.spec.targets.get(name) else { return };
    if target.eks.is_none() {
        faults.pair(
            codes::MANIFEST_MISSING_FIELD,
            format!("target `{name}` does not say which EKS cluster it is"),
            (document.doc, "/spec/target", "moves an EKS cluster"),
            (platform.doc, &format!("/spec/targets/{name}"), "`eks` is missing here"),
            format!("add it: `{name}: {{cluster: {{eks: {{name: NAME, region: eu-central-1, account: '111122223333'}}}}}}`"),
        );
    }
}

/// EKS moves by minors and chooses patches itself.
fn minor(faults: &mut Faults<'_>, document: &Doc, at: &str, version: &Version) {
    let plain = format!("{}.{}", version.major(), version.minor());
    if version.as_str() != plain {
        faults.error(
            codes::MANIFEST_BAD_VALUE,
            format!("`{version}` is not a minor of Kubernetes"),
            (document.doc, at),
            "EKS chooses the patch itself",
            format!("write '{plain}'"),
        );
    }
}

fn addons(faults: &mut Faults<'_>, document: &Doc) {
    let rules = &document.spec.addons;
    for (number, rule) in rules.iter().enumerate() {
        let at = format!("/spec/addons/{number}");
        if let Some(first) = rules.iter().position(|other| other.name == rule.name).filter(|n| *n < number) {
            faults.pair(
                codes::MANIFEST_DUPLICATE,
                format!("`spec.addons` has `{}` twice", rule.name),
                (document.doc, &format!("{at}/name"), "the same add-on again"),
                (document.doc, &format!("/spec/addons/{first}/name"), "first used here"),
                "keep one of them",
            );
        }
        if rule.keep && !rule.versions.is_empty() {
            faults.pair(
                codes::MANIFEST_CONFLICT,
                format!("the add-on `{}` stays as it is, and has versions to move to", rule.name),
                (document.doc, &format!("{at}/keep"), "it stays"),
                (document.doc, &format!("{at}/versions"), "it moves"),
                "remove one of the two",
            );
        }
        for version in rule.versions.keys() {
            minor(faults, document, &format!("{at}/versions/{version}"), version);
            if *version > document.spec.to {
                faults.pair(
                    codes::MANIFEST_CONFLICT,
                    format!("the add-on `{}` has a version for {version}, which is never reached", rule.name),
                    (document.doc, &format!("{at}/versions/{version}"), "for this minor"),
                    (document.doc, "/spec/to", "goes only this far"),
                    "remove it, or go further",
                );
            }
        }
    }
}

fn insights(faults: &mut Faults<'_>, document: &Doc) {
    let accepted = &document.spec.insights;
    for (number, one) in accepted.iter().enumerate() {
        let at = format!("/spec/insights/{number}");
        if let Some(first) = accepted.iter().position(|other| other.name == one.name).filter(|n| *n < number)
        {
            faults.pair(
                codes::MANIFEST_DUPLICATE,
                format!("`spec.insights` accepts {:?} twice", one.name),
                (document.doc, &format!("{at}/name"), "the same finding again"),
                (document.doc, &format!("/spec/insights/{first}/name"), "first accepted here"),
                "keep one of them",
            );
        }
        if one.because.trim().is_empty() {
            faults.error(
                codes::MANIFEST_BAD_VALUE,
                format!("nothing says why {:?} is accepted", one.name),
                (document.doc, &format!("{at}/because")),
                "who accepts it, and on which evidence?",
                "name the person and what was seen: `ada: no call since 2026-11-01 in the audit log`",
            );
        }
    }
}
