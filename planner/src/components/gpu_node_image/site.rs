//! Groups as they are found: what they have, who brings their driver, and what is in the way. What is not as it has to be is refused here,
//! all of it at once.

use std::{collections::BTreeMap, rc::Rc};

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::{
        eks::{EksCluster, Nodegroup},
        gpu_operator::GpuOperator,
    },
    name::ObjectRef,
    plan::Pool,
};

use super::{GpuNodeImage, expected::Reading};
use crate::{
    component::DocCx,
    image::Image,
    lower::{
        drivers::unsettled,
        groups::{cluster, names::Names},
    },
};

/// What was found.
pub struct Site {
    /// How things of the cluster are called.
    pub(super) names: Names,
    /// Groups that move, those of pools of a lower tier first.
    pub(super) groups: Vec<Moving>,
    /// DaemonSets that bring GPUs to pods: the operator's, or the device plugin.
    pub(super) daemon_sets: Vec<ObjectRef>,
}

/// A group that moves.
pub(super) struct Moving {
    /// As it was observed.
    pub(super) observed: Nodegroup,
    /// Its release.
    pub(super) release: Version,
    /// Its pool.
    pub(super) pool: Pool,
    /// The group that takes over.
    pub(super) new: String,
    /// What each of its nodes offers of GPUs.
    pub(super) offers: BTreeMap<String, u64>,
    /// How the driver of a new node is read; absent where nothing is expected.
    pub(super) driver: Option<Reading>,
}

/// Finds the site, and says everything that is wrong with it.
pub(super) fn find(at: &DocCx<'_, GpuNodeImage>) -> Option<Site> {
    let cluster = cluster::observed(at.cx, at.doc.doc, &at.doc.spec.target)?;
    let look = Look { at, cluster: &cluster };
    look.at_rest();
    let daemon_sets = look.daemon_sets(look.operator().as_deref());
    let mut groups: Vec<Moving> = Vec::new();
    for (number, name) in at.doc.spec.node_groups.iter().enumerate() {
        let Some(moving) = look.group(number, name) else { continue };
        if let Some(other) = groups.iter().find(|other| other.new == moving.new) {
            let message = format!(
                "node groups {} and {name} would both be replaced by {}",
                other.observed.name, moving.new
            );
            look.refuse(
                codes::PLAN_STRATEGY,
                number,
                message,
                "rename one of them, or move them one after the other",
            );
        }
        groups.push(moving);
    }
    groups.sort_by(|a, b| (a.pool.tier, &a.observed.name).cmp(&(b.pool.tier, &b.observed.name)));
    let names = Names { target: at.doc.spec.target.clone(), arn: cluster.arn.clone() };
    (!groups.is_empty()).then_some(Site { names, groups, daemon_sets })
}

pub(super) struct Look<'a> {
    pub(super) at: &'a DocCx<'a, GpuNodeImage>,
    pub(super) cluster: &'a EksCluster,
}

impl Look<'_> {
    pub(super) fn refuse(&self, code: codes::Code, number: usize, message: String, help: impl Into<String>) {
        let place = self.at.cx.label(self.at.doc.doc, &format!("/spec/nodeGroups/{number}"), "this group");
        self.at.findings.say(Diagnostic::error(code, message).at(place).help(help.into()));
    }

    fn say(&self, code: codes::Code, message: String, help: impl Into<String>) {
        let place = self.at.cx.label(self.at.doc.doc, "/spec/target", "of this cluster");
        self.at.findings.say(Diagnostic::error(code, message).at(place).help(help.into()));
    }

    fn at_rest(&self) {
        let name = self.cluster.arn.name();
        if self.cluster.status != "ACTIVE" || !self.cluster.in_progress.is_empty() {
            let message = format!(
                "EKS cluster {name} is {}, with {} updates under way",
                self.cluster.status,
                self.cluster.in_progress.len()
            );
            self.say(codes::PLAN_NOT_READY, message, "wait until they have ended, then observe again");
        }
    }

    /// What was observed of the operator, which must not bring drivers itself.
    fn operator(&self) -> Option<Rc<GpuOperator>> {
        let section = match self.at.cx.sections.get::<GpuOperator>("gpu-operator") {
            Ok(section) => section?,
            Err(error) => {
                self.say(codes::PLAN_UNREADABLE, error, "observe again with this release");
                return None;
            }
        };
        if section.driver.as_ref().is_some_and(|driver| driver.enabled) || !section.nvidia_drivers.is_empty()
        {
            self.say(
                codes::MANIFEST_NOT_BUILT,
                "the GPU Operator installs the drivers of GPU nodes, so another image brings no other driver".to_owned(),
                "move the driver in place by a GpuDriverUpgrade, and the image by an EksUpgrade; or set `driver.enabled` of the operator's \
                 release to false where the images hold a driver, then observe again",
            );
        }
        for found in unsettled(&section, true) {
            self.say(codes::PLAN_NOT_READY, found.message, found.help);
        }
        Some(section)
    }

    /// DaemonSets that have to be Ready on a new node, too.
    fn daemon_sets(&self, operator: Option<&GpuOperator>) -> Vec<ObjectRef> {
        let operands = operator.into_iter().flat_map(|section| &section.daemon_sets);
        let mut found: Vec<ObjectRef> =
            operands.map(|set| ObjectRef::new("apps/v1", "DaemonSet", &set.name)).collect();
        for workload in &self.at.inventory.workloads {
            let plugin = workload
                .containers
                .iter()
                .any(|container| Image(&container.image).name() == "k8s-device-plugin");
            if workload.object.kind == "DaemonSet" && plugin && !found.contains(&workload.object) {
                found.push(workload.object.clone());
            }
        }
        for object in &found {
            let seen = self.at.cx.index.workload(object);
            if let Some(set) = seen.filter(|set| set.ready < set.replicas) {
                let message = format!("{object} has {} of {} pods Ready", set.ready, set.replicas);
                self.say(
                    codes::PLAN_NOT_READY,
                    message,
                    "mend it first: on a new node nobody could tell its fault from the image's",
                );
            }
        }
        found
    }
}
