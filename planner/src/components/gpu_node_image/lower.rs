//! The hop of images, as steps: look, let a copy with the other image take over group by group, and look again.
//!
//! A group has all its new nodes before an old one is drained, and each of them is read first. So nobody is moved onto an image that nobody
//! has looked at; what is Pending may stand there as soon as a node is Ready.

use std::collections::BTreeMap;

use serde_json::json;
use switchback_schemas::{
    Diagnostic, Seconds, Severity, StepId, codes,
    plan::{BlindSpot, Condition, Estimate, FieldTest, KubeCondition, Stale, Target, Test, Verify},
};

use super::{GpuNodeImage, site::Moving};
use crate::{
    component::HopCx,
    index::nodes_of,
    lower::{
        Lowering, checks,
        drivers::fits::{Fit, unsaid},
        groups::{
            self, NewImage, Replacing,
            names::{NODEGROUP, says},
            replace,
        },
        need,
        quarantine::Quarantine,
        verify,
    },
    objects::token,
    predicted::Predicted,
};

/// How long a new node may take until it offers its GPUs and says its driver.
const SETTLED: Seconds = Seconds::minutes(30);
/// For how long it has to, before it is believed.
const STAYS: Seconds = Seconds::minutes(1);
/// Why a group waits for the one before it.
const ONE_BY_ONE: &str = "pools of a lower tier move first, one group at a time";

/// Lowers one hop.
pub(super) fn hop(at: &HopCx<'_, GpuNodeImage>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    notices(at, out);
    let place = |text: &str| at.cx.label(at.doc.doc, "/spec/to", text);
    let quarantine = Quarantine::of(at.cx, &place("moves GPU nodes"));
    let opt_out = quarantine.as_ref().and_then(|found| found.opt_out(at.cx, &place("moves GPU nodes")));
    if let Some(quarantine) = &quarantine {
        quarantine.say_quarantined(at.cx, place("would move them, too"));
    }
    let gpus = at.inventory.nodes.iter().filter(|node| !node.gpus.is_empty()).count() as u64;
    let at_most = quarantine.as_ref().and_then(|found| found.at_most(gpus, at.facts.known.breaker.percent));
    let mut last = ready(at, quarantine.as_ref(), predicted, out);
    for group in &at.own.groups {
        checks::drainable(at.cx, &group.pool);
        let nodes = nodes_of(at.inventory, &group.pool);
        let own = |node: &&switchback_schemas::inventory::Node| {
            node.labels.get(NODEGROUP).is_some_and(|name| *name == group.observed.name)
        };
        let replacing = Replacing {
            cx: at.cx,
            scope: &at.scope,
            rollout: &at.doc.spec.rollout,
            names: &at.own.names,
            pool: &group.pool,
            observed: &group.observed,
            name: &group.observed.name,
            new: group.new.clone(),
            part: format!("nodes/{}/{}", group.pool.name, group.observed.name),
            image: NewImage {
                minor: &group.observed.version.minor_line(),
                release: Some(&at.hop.to),
                ami_type: None,
                ami_type_before: &group.observed.ami_type,
                to: &at.hop.to,
                from: &group.release,
                old: not_of(&group.new),
                new: not_of(&group.observed.name),
            },
            alone: nodes.iter().all(own),
            takes: at.facts.takes(),
            why: (ONE_BY_ONE, None),
            settled: well(at, group, group.observed.desired),
            settled_title: looked_at(group),
            opt_out,
            at_most,
            watched: quarantine.as_ref().map(Quarantine::after_batch).unwrap_or_default(),
        };
        let object = at.own.names.group(&group.observed.name);
        predicted.cloud(&object, "/releaseVersion", json!(group.observed.release), None);
        predicted.cloud(&object, "/amiType", json!(group.observed.ami_type), None);
        let (roll, end) = replace::steps(&replacing, &[last], predicted.take_reads(), out);
        out.retentions.push(replacing.retention(&roll, Seconds::hours(24 * at.facts.keep.days)));
        last = end;
    }
    done(at, &last, quarantine.as_ref(), out);
}

/// Nodes of the pool that are of another group.
fn not_of(group: &str) -> Stale {
    Stale::LabelNot { key: NODEGROUP.to_owned(), value: group.to_owned(), or_left: false }
}

fn notices(at: &HopCx<'_, GpuNodeImage>, out: &mut Lowering) {
    let spec = &at.doc.spec;
    for key in at.facts.in_code.values() {
        if let Some(source) = at.facts.source(key) {
            out.sources.insert(key.clone(), source);
        }
    }
    let message = format!(
        "new nodes take pods that are Pending as soon as they are Ready, before their driver is read: {}",
        at.own.groups.iter().map(|group| group.new.as_str()).collect::<Vec<_>>().join(", ")
    );
    let advice =
        Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_STRATEGY, message) };
    let place = at.cx.label(at.doc.doc, "/spec/nodeGroups", "have the same labels and taints");
    at.findings.say(
        advice.at(place).help("hold new GPU jobs back until the plan has read the nodes, where that matters"),
    );
    let message = format!("release {} moves kernel, kubelet, containerd and driver together", at.hop.to);
    let advice =
        Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_STRATEGY, message) };
    let place = at.cx.label(at.doc.doc, "/spec/to", "all of the image");
    at.findings.say(
        advice
            .at(place)
            .help("read what the image's release notes say of each; no call of EKS moves the driver alone"),
    );
    let place = |text: &str| at.cx.label(at.doc.doc, "/spec/driver", text);
    match &spec.driver {
        Some(driver) => {
            let fit = Fit { cx: at.cx, known: &at.facts.known, driver: driver.oldest(), place: &place };
            if matches!(driver, super::ExpectedDriver::Branch(_)) {
                fit.branch(out);
            }
            let at_cuda = || at.cx.label(at.doc.doc, "/spec/cuda", "what workloads need");
            fit.cuda(spec.cuda.as_ref(), &at_cuda, &at.hop.upgrade, out);
            for group in &at.own.groups {
                fit.hardware(groups::nodes_in(at.cx, &group.observed.name).into_iter(), out);
            }
        }
        None if spec.cuda.is_none() => {
            out.blind_spots.push(unsaid(&at.facts.known, &at.hop.upgrade));
            out.blind_spots.push(BlindSpot {
                what: format!("which driver nodes of release {} have", at.hop.to),
                why: format!(
                    "EKS resolves it when it builds the image, and the manifest expects none; with `driver:` each new node's label {} is compared",
                    at.facts.labels.full
                ),
            });
        }
        None => {}
    }
}

/// Looks that the cluster and its groups are at rest, and NVSentinel, too.
fn ready(
    at: &HopCx<'_, GpuNodeImage>,
    quarantine: Option<&Quarantine>,
    predicted: &mut Predicted<'_>,
    out: &mut Lowering,
) -> StepId {
    let names = &at.own.names;
    let mut of: Vec<Condition> = Vec::new();
    for group in &at.own.groups {
        of.push(says(&names.group(&group.observed.name), "/status", "ACTIVE"));
    }
    of.extend(quarantine.and_then(Quarantine::watched));
    let groups: Vec<&str> = at.own.groups.iter().map(|group| group.observed.name.as_str()).collect();
    let title = format!("check that node groups of {} are at rest: {}", names.arn.name(), groups.join(", "));
    let look = at.scope.look("ready", title, Condition::All(of), predicted.take_reads());
    out.add(look.time(Seconds::minutes(30), Estimate::seconds(5, 30)))
}

/// The same in a title.
fn looked_at(group: &Moving) -> String {
    match &group.driver {
        Some(driver) => format!(", offer their GPUs and say {} in label {}", driver.title, driver.label),
        None => " and offer their GPUs".to_owned(),
    }
}

/// What has to hold of so many new nodes of a group.
fn well(at: &HopCx<'_, GpuNodeImage>, group: &Moving, nodes: u64) -> Vec<Verify> {
    let labels: BTreeMap<String, String> = [(NODEGROUP.to_owned(), group.new.clone())].into();
    let each = |title: String, tests: Vec<FieldTest>| {
        verify(
            format!("{nodes} nodes of group {} {title}", group.new),
            groups::so_many(&labels, tests, nodes),
            STAYS,
            SETTLED,
        )
    };
    let mut checks = Vec::new();
    for (resource, count) in &group.offers {
        let pointer = format!("/status/allocatable/{}", token(resource));
        let test = FieldTest { pointer, is: Test::QuantityAtLeast(*count) };
        checks.push(each(format!("offer {count} of {resource}, as the old ones did"), vec![test]));
    }
    if let Some(driver) = &group.driver {
        checks.push(each(format!("say {} in label {}", driver.title, driver.label), driver.tests.clone()));
    }
    for object in &at.own.daemon_sets {
        let condition = Condition::Kube(KubeCondition::Rollout { object: Target::Object(object.clone()) });
        checks.push(verify(format!("{object} is Ready on every node"), condition, STAYS, SETTLED));
    }
    checks
}

/// Every group is there with the new image, and its nodes offer what the old ones did.
fn done(at: &HopCx<'_, GpuNodeImage>, last: &StepId, quarantine: Option<&Quarantine>, out: &mut Lowering) {
    let names = &at.own.names;
    let mut of = vec![];
    for group in &at.own.groups {
        let object = names.group(&group.new);
        of.push(says(&object, "/status", "ACTIVE"));
        of.push(says(&object, "/releaseVersion", at.hop.to.as_str()));
    }
    let new: Vec<&str> = at.own.groups.iter().map(|group| group.new.as_str()).collect();
    let title = format!("verify release {} on {}", at.hop.to, new.join(", "));
    // An autoscaler may have taken nodes that nothing stood on, down to the smallest size.
    let kept = at.own.groups.iter().filter(|group| group.observed.min > 0);
    let checks = kept.flat_map(|group| well(at, group, group.observed.min.min(group.observed.desired)));
    let look = at
        .scope
        .look("done", title, Condition::All(of), Vec::new())
        .verify(checks)
        .verify(quarantine.map(Quarantine::after_batch).unwrap_or_default())
        .verify(at.cx.verifications(&at.scope.hop, &at.doc.spec.verify))
        .time(SETTLED, Estimate::seconds(60, 300))
        .after([need(last, "the new groups have taken over", None)]);
    out.add(look);
}
