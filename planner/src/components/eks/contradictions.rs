//! What an `EksUpgrade` says against itself.

use switchback_schemas::{Version, codes, seconds::Seconds};

use super::EksUpgrade;
use crate::manifest::Checks;

pub(super) fn check(spec: &EksUpgrade, checks: &mut Checks<'_, '_>) {
    minor(checks, "/spec/to", &spec.to);
    addons(spec, checks);
    insights(spec, checks);
    checks.rollout_sizes(&spec.rollout);
    if spec.bake.is_some_and(|bake| bake.0 == Seconds(0)) {
        checks.error(
            codes::MANIFEST_BAD_VALUE,
            "`bake` watches no time at all",
            ("/spec/bake", "no time at all"),
            "give it a length, such as 1d, or leave it out",
        );
    }
}

/// EKS moves by minors and chooses patches itself.
fn minor(checks: &mut Checks<'_, '_>, at: &str, version: &Version) {
    let plain = format!("{}.{}", version.major(), version.minor());
    if version.as_str() != plain {
        checks.error(
            codes::MANIFEST_BAD_VALUE,
            format!("`{version}` is not a minor of Kubernetes"),
            (at, "EKS chooses the patch itself"),
            format!("write '{plain}'"),
        );
    }
}

fn addons(spec: &EksUpgrade, checks: &mut Checks<'_, '_>) {
    let rules = &spec.addons;
    for (number, rule) in rules.iter().enumerate() {
        let at = format!("/spec/addons/{number}");
        if let Some(first) = rules.iter().position(|other| other.name == rule.name).filter(|n| *n < number) {
            checks.pair(
                codes::MANIFEST_DUPLICATE,
                format!("`spec.addons` has `{}` twice", rule.name),
                (&format!("{at}/name"), "the same add-on again"),
                (&format!("/spec/addons/{first}/name"), "first used here"),
                "keep one of them",
            );
        }
        if rule.keep && !rule.versions.is_empty() {
            checks.pair(
                codes::MANIFEST_CONFLICT,
                format!("the add-on `{}` stays as it is, and has versions to move to", rule.name),
                (&format!("{at}/keep"), "it stays"),
                (&format!("{at}/versions"), "it moves"),
                "remove one of the two",
            );
        }
        for version in rule.versions.keys() {
            minor(checks, &format!("{at}/versions/{version}"), version);
            if *version > spec.to {
                checks.pair(
                    codes::MANIFEST_CONFLICT,
                    format!("the add-on `{}` has a version for {version}, which is never reached", rule.name),
                    (&format!("{at}/versions/{version}"), "for this minor"),
                    ("/spec/to", "goes only this far"),
                    "remove it, or go further",
                );
            }
        }
    }
}

fn insights(spec: &EksUpgrade, checks: &mut Checks<'_, '_>) {
    let accepted = &spec.insights;
    for (number, one) in accepted.iter().enumerate() {
        let at = format!("/spec/insights/{number}");
        if let Some(first) = accepted.iter().position(|other| other.name == one.name).filter(|n| *n < number)
        {
            checks.pair(
                codes::MANIFEST_DUPLICATE,
                format!("`spec.insights` accepts {:?} twice", one.name),
                (&format!("{at}/name"), "the same finding again"),
                (&format!("/spec/insights/{first}/name"), "first accepted here"),
                "keep one of them",
            );
        }
        if one.because.trim().is_empty() {
            checks.error(
                codes::MANIFEST_BAD_VALUE,
                format!("nothing says why {:?} is accepted", one.name),
                (&format!("{at}/because"), "who accepts it, and on which evidence?"),
                "name the person and what was seen: `ada: no call since 2026-11-01 in the audit log`",
            );
        }
    }
}
