//! Whether the inputs belong together.

use jiff::Timestamp;
use switchback_schemas::{
    Diagnostic, codes,
    inventory::Inventory,
    manifest::{OnFailure, TargetSpec},
};

use crate::{
    context::Cx,
    findings::{Accepted, listed},
    hop::HopSpec,
    manifest::Manifests,
};

/// The instant for which dates are judged.
pub(super) fn as_of(manifests: &Manifests, inventory: &Inventory, given: Option<Timestamp>) -> Timestamp {
    given.or(manifests.platform.spec.defaults.as_of).unwrap_or(inventory.taken_at)
}

/// The manifests' waivers.
pub(super) fn accepted(manifests: &Manifests) -> Vec<Accepted> {
    let accept = |doc: &crate::manifest::Spanned<
        switchback_schemas::manifest::Document<switchback_schemas::manifest::Waiver>,
    >| {
        let waiver = &doc.spec;
        Accepted {
            code: waiver.finding,
            about: waiver.about.clone(),
            because: format!("{}, {}", waiver.by, waiver.evidence),
            expires: waiver.expires,
        }
    };
    manifests.waivers.iter().map(accept).collect()
}

/// What a manifest or the platform's default asks to be done after a failure.
pub(super) fn on_failure(cx: &Cx<'_>, hop: &HopSpec) -> Option<OnFailure> {
    hop.on_failure.or(cx.manifests.platform.spec.defaults.on_failure)
}

/// Unused waivers that are told one by one, before the rest are counted.
const SHOWN: usize = 20;

/// Says which waivers accepted nothing: expired, or about something that is not found.
pub(super) fn unused_waivers(cx: &Cx<'_>) {
    let unused: Vec<_> =
        cx.findings.unused().into_iter().filter_map(|number| cx.manifests.waivers.get(number)).collect();
    let (shown, rest) = unused.split_at(unused.len().min(SHOWN));
    let say = |message: String, doc, text| {
        cx.findings.say(
            Diagnostic::warning(codes::MANIFEST_WAIVER, message)
                .at(cx.label(doc, "/spec", text))
                .help("remove the waiver, or renew it with new evidence"),
        );
    };
    for doc in shown {
        let (message, text) = if doc.spec.expires <= cx.as_of {
            (format!("waiver {} expired {}", doc.metadata.name, doc.spec.expires), "expired")
        } else {
            let message = format!(
                "waiver {} accepts nothing: there is no finding {} about {:?}",
                doc.metadata.name, doc.spec.finding, doc.spec.about
            );
            (message, "no such finding")
        };
        say(message, doc.doc, text);
    }
    if let Some(first) = rest.first() {
        let names = listed(rest.iter().map(|doc| doc.metadata.name.to_string()));
        let count = rest.len();
        let message = format!("{count} more waivers expired or accept nothing: {names}");
        say(message, first.doc, "the first of them");
    }
}

/// Checks that lock, inventory and manifests were made for each other.
pub(super) fn check(cx: &Cx<'_>) {
    let say =
        |code, message: String, help: &str| cx.findings.say(Diagnostic::error(code, message).help(help));
    let again = "run `switchback resolve` again for these manifests and this inventory";
    if cx.lock.manifests != cx.manifests.digest {
        say(codes::PLAN_LOCK_STALE, "the lock was resolved for other manifests".to_owned(), again);
    }
    if cx.lock.observation != cx.inventory.observation {
        let message = format!(
            "the lock was resolved against observation {}, and the inventory is {}",
            cx.lock.observation, cx.inventory.observation
        );
        say(codes::PLAN_LOCK_STALE, message, again);
    }
    for (name, target) in &cx.manifests.platform.spec.targets {
        let TargetSpec::Cluster(target) = target else { continue };
        if let Some(expected) =
            target.kube_system_uid.as_ref().filter(|uid| **uid != cx.inventory.cluster.kube_system_uid)
        {
            let message = format!(
                "target {name} is the cluster with kube-system {expected}, and the inventory is of {}",
                cx.inventory.cluster.kube_system_uid
            );
            cx.findings.say(
                Diagnostic::error(codes::RUN_IDENTITY, message)
                    .at(cx.label(
                        cx.manifests.platform.doc,
                        &format!("/spec/targets/{name}"),
                        "another cluster",
                    ))
                    .help("check which kubeconfig the inventory was observed with"),
            );
        }
    }
}
