//! Drivers as they are found: who installs them, on which nodes, and what is in the way. What is not as it has to be is refused here,
//! all of it at once.

use std::rc::Rc;

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::{
        Release,
        gpu_operator::{GpuDriver as Observed, GpuNode, GpuOperator as Section},
    },
    name::ObjectName,
    plan::{Condition, KubeCondition, Pool, Target},
};

use super::GpuDriver;
use crate::{
    component::DocCx,
    findings::listed,
    lower::{
        drivers::{self, unsettled},
        pools,
    },
    objects,
};

/// What was found of drivers.
#[derive(Clone)]
pub struct Site {
    pub(super) section: Rc<Section>,
    /// The driver that the ClusterPolicy names.
    pub(super) driver: Version,
    /// The ClusterPolicy.
    pub(super) policy: String,
    /// Its DaemonSets of drivers.
    pub(super) daemon_sets: Vec<ObjectName>,
    /// Whether the operator moves drivers by itself; where it does not, their pods are deleted one by one.
    pub(super) automatic: bool,
    /// The namespace of the operator.
    pub(super) namespace: String,
    /// Pools with GPU nodes, lower tiers first.
    pub(super) pools: Vec<GpuPool>,
}

/// A pool with its GPU nodes.
#[derive(Clone)]
pub(super) struct GpuPool {
    /// The pool.
    pub(super) pool: Pool,
    /// Its GPU nodes.
    pub(super) nodes: Vec<GpuNode>,
}

impl Site {
    /// Nodes whose driver pod runs a version.
    pub(super) fn running<'s>(&'s self, driver: &'s Version) -> impl Iterator<Item = &'s GpuNode> {
        self.section
            .nodes
            .iter()
            .filter(move |node| node.driver.as_deref().is_some_and(|tag| is_of(tag, driver)))
    }
}

/// Whether a tag is a version, or it and then what follows a `-`.
pub(super) fn is_of(tag: &str, driver: &Version) -> bool {
    tag.strip_prefix(driver.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Finds the site, and says everything that is wrong with it.
pub(super) fn find(at: &DocCx<'_, GpuDriver>, release: &Release) -> Option<Site> {
    let look = Look { at };
    let section = drivers::section(at.cx, at.cx.label(at.doc.doc, "/spec/release", "needs it"))?;
    let (policy, observed) = look.policy(&section)?;
    let driver = look.driver(&observed, release)?;
    let daemon_sets: Vec<ObjectName> =
        section.daemon_sets.iter().filter(|set| set.driver).map(|set| set.name.clone()).collect();
    let Some(namespace) = daemon_sets.first().and_then(|set| set.namespace.clone()) else {
        look.not_ready(
            "the ClusterPolicy installs drivers, and there is no DaemonSet of one".to_owned(),
            "find out why the operator has made none, then observe again",
        );
        return None;
    };
    look.nodes(&section);
    let pools = look.pools(&section);
    let automatic = observed.auto_upgrade;
    Some(Site { section, driver, policy, daemon_sets, automatic, namespace, pools })
}

struct Look<'a> {
    at: &'a DocCx<'a, GpuDriver>,
}

impl Look<'_> {
    fn refuse(&self, code: codes::Code, (at, label): (&str, &str), message: String, help: &str) {
        let label = self.at.cx.label(self.at.doc.doc, at, label);
        self.at.findings.say(Diagnostic::error(code, message).at(label).help(help));
    }

    fn not_ready(&self, message: String, help: &str) {
        self.refuse(codes::PLAN_NOT_READY, ("/spec/release", "not upgradable as it is"), message, help);
    }

    fn not_built(&self, message: &str, help: &str) {
        let at = ("/spec/release", "not built yet");
        self.refuse(codes::MANIFEST_NOT_BUILT, at, message.to_owned(), help);
    }

    /// The one ClusterPolicy, and what it says of the driver.
    fn policy(&self, section: &Section) -> Option<(String, Observed)> {
        if !section.gpu_clusters.is_empty() {
            let message = format!(
                "GPUCluster {} takes the place of a ClusterPolicy (DRA)",
                listed(section.gpu_clusters.iter().cloned())
            );
            self.not_built(&message, "upgrade its driver by the documentation of its NVIDIADriver objects");
            return None;
        }
        match (section.policies.as_slice(), &section.driver) {
            ([policy], Some(driver)) => Some((policy.clone(), driver.clone())),
            ([], _) | (_, None) => {
                self.not_built(
                    "there is no ClusterPolicy: drivers of this release are configured in another way",
                    "NVIDIADriver objects alone are not built yet; upgrade them by their own documentation",
                );
                None
            }
            (several, _) => {
                let names = several.join(", ");
                let message = format!(
                    "there are {} ClusterPolicies, and the operator follows one: {names}",
                    several.len()
                );
                self.not_ready(message, "delete those that it ignores");
                None
            }
        }
    }

    /// The driver that the ClusterPolicy names, if the operator moves it as this upgrade needs it.
    fn driver(&self, observed: &Observed, release: &Release) -> Option<Version> {
        if !observed.enabled {
            self.not_built(
                "drivers are part of the nodes' images, so no ClusterPolicy moves them",
                "move the nodes to an image with another driver: managed node groups by a GpuNodeImageUpgrade, which reads the new \
                 driver from each node; nodes of Karpenter by the image that their EC2NodeClass selects",
            );
            return None;
        }
        if observed.by_objects {
            self.not_built(
                "NVIDIADriver objects say which driver a node gets, and the ClusterPolicy does not",
                "raise `spec.version` of each NVIDIADriver by its own documentation; its budgets are counted per object",
            );
            return None;
        }
        if observed.precompiled {
            self.not_built(
                "drivers are compiled beforehand: `driver.usePrecompiled` makes of the version a branch, and no tag says which driver it is",
                "raise the branch by the operator's documentation",
            );
            return None;
        }
        if !observed.auto_upgrade && !observed.manager_moves_pods.is_empty() {
            let message = format!(
                "the driver manager would evict pods past their workload classes and uncordon nodes before anybody has looked at their \
                 driver: {}",
                observed.manager_moves_pods.join(", ")
            );
            let help = "`driver.upgradePolicy.autoUpgrade` is off, so it is the manager's to say: set each of them to 'false' under \
                        `driver.manager.env` of the release, by an upgrade to its own version (no driver restarts by that), then observe again";
            self.refuse(codes::PLAN_NOT_READY, ("/spec/release", "moves pods by itself"), message, help);
        }
        if observed.auto_upgrade && !observed.moves_pods.is_empty() {
            let values: Vec<String> =
                observed.moves_pods.iter().map(|path| format!("driver.upgradePolicy.{path}: true")).collect();
            let message = format!(
                "the operator would move pods past their workload classes and budgets: {}",
                values.join(", ")
            );
            let help = "set each of them to false in the values of the release, by an upgrade to its own version, then observe again";
            self.refuse(codes::PLAN_NOT_READY, ("/spec/release", "moves pods by itself"), message, help);
        }
        let named = observed.version.as_deref();
        let rendered = drivers::policy(&release.objects)
            .and_then(|policy| objects::text(policy, "/spec/driver/version"));
        let Some(driver) = named.and_then(|text| text.parse::<Version>().ok()) else {
            let message = match named {
                Some(digest) => {
                    format!("the ClusterPolicy names the driver {digest}, which is no version number")
                }
                None => "the ClusterPolicy names no version of the driver".to_owned(),
            };
            let help = "set `driver.version` of the release to the driver that runs, then observe again";
            self.refuse(codes::PLAN_INVENTORY_MISSING, ("/spec/release", "not known"), message, help);
            return None;
        };
        if rendered != named {
            let message = format!(
                "release {} has the driver {}, and the ClusterPolicy names {driver}: a rollback would lead to another one",
                self.at.doc.spec.release,
                rendered.unwrap_or("of nobody's choice"),
            );
            let help = "make the release say what runs, by an upgrade to its own version with that value, then observe again";
            let at = ("/spec/release", "rolls back to another driver");
            self.refuse(codes::PLAN_WAY_BACK, at, message, help);
        }
        Some(driver)
    }

    /// Nodes that are in the middle of something, that somebody holds, and pods that nobody takes off them.
    fn nodes(&self, section: &Section) {
        for found in unsettled(section, false) {
            self.not_ready(found.message, found.help);
        }
        let by_others = |node: &&GpuNode| node.skip.is_some() && !self.left_held(&node.name);
        let others: Vec<String> =
            section.nodes.iter().filter(by_others).map(|node| node.name.clone()).collect();
        if !others.is_empty() {
            let message = format!("GPU nodes are held by somebody: {}", listed(others.into_iter()));
            let help = "drain each, take the label nvidia.com/gpu-driver-upgrade.skip off it and wait until it says upgrade-done, \
                        then observe again";
            self.not_ready(message, help);
        }
        if !section.holders.is_empty() {
            let names = listed(section.holders.iter().map(ToString::to_string));
            let message = format!(
                "DaemonSets hold the driver of their nodes, and neither a drain nor the operator takes them off: {names}"
            );
            let help = "give their pods the nodeSelector nvidia.com/gpu.deploy.client: 'true' and their nodes that label (operator \
                        26.7 and later pause such pods), or take them off the GPU nodes while the driver moves";
            self.not_ready(message, help);
        }
    }

    /// Whether an earlier run of the operation left a node held: this one takes that over.
    fn left_held(&self, node: &str) -> bool {
        let left = self.at.inventory.carry_over.iter().flat_map(|carried| &carried.left_suspended);
        let mut holds = left.filter_map(|suspension| suspension.held.leaves().first().copied());
        holds.any(|held| {
            matches!(held, Condition::Kube(KubeCondition::Field { object: Target::Object(object), pointer, .. })
                if object.kind == "Node" && object.name == node && pointer == drivers::SKIP_POINTER)
        })
    }

    /// Pools with GPU nodes; a GPU node in none is said.
    fn pools(&self, section: &Section) -> Vec<GpuPool> {
        let (pools, outside) = pools::of(self.at.cx, &section.nodes, |node| &node.name);
        let pools = pools.into_iter().map(|(pool, nodes)| GpuPool { pool, nodes }).collect();
        if !outside.is_empty() {
            let message = format!(
                "GPU nodes are in no pool, and their driver would move with nobody draining them: {}",
                listed(outside.into_iter())
            );
            let at = ("/spec/release", "moves the driver of every GPU node");
            self.refuse(codes::PLAN_OUTSIDE, at, message, "give them a pool under `pools:` of the Platform");
        }
        pools
    }
}
