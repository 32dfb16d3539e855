//! What a Verification names, and texts of it that become arguments and addresses.

use switchback_schemas::{codes, manifest::Check};

use crate::manifest::{Checks, faults::Faults, set::Set};

pub(super) fn check(set: &Set<'_>, faults: &mut Faults<'_>) {
    for document in &set.verifications {
        one(&mut Checks::new(faults, document.doc), &document.spec.check);
    }
}

fn one(checks: &mut Checks<'_, '_>, check: &Check) {
    match check {
        Check::Http { url, .. } => {
            checks.address("/spec/check/http/url", url, &["http://", "https://"]);
        }
        Check::Prometheus { url, .. } => {
            checks.address("/spec/check/prometheus/url", url, &["http://", "https://"]);
        }
        Check::Deployment(name) => checks.object("/spec/check/deployment", name),
        Check::Command { argv, .. } => {
            if argv.first().is_some_and(|program| program.is_empty() || program.starts_with('-')) {
                let message = "the first word of a command is not a program";
                let help = "write the program, then its arguments, each as an item of its own";
                let at = ("/spec/check/command/argv/0", "not a program");
                checks.error(codes::MANIFEST_BAD_VALUE, message, at, help);
            }
        }
        Check::Nodes { pool, .. } => checks.pool("/spec/check/nodes/pool", pool),
        Check::Pods { .. } => {}
    }
}
