//! Groups as they are found: what they have, who brings their driver, and what is in the way. What is not as it has to be is refused here,
//! all of it at once.

use std::{collections::BTreeMap, rc::Rc};

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::{
        Node,
        eks::{EksCluster, Nodegroup},
        gpu_operator::GpuOperator,
        karpenter::Karpenter,
    },
    name::ObjectRef,
    plan::{Pool, Strategy},
};

use super::{GpuNodeImage, expected, expected::Reading, spec::ExpectedDriver};
use crate::{
    component::DocCx,
    findings::listed,
    hop::rising,
    image::Image,
    lower::{
        drivers::unsettled,
        groups::{
            self, capacity, cluster,
            names::{NODEGROUP, Names, successor_with},
        },
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

struct Look<'a> {
    at: &'a DocCx<'a, GpuNodeImage>,
    cluster: &'a EksCluster,
}

impl Look<'_> {
    fn refuse(&self, code: codes::Code, number: usize, message: String, help: impl Into<String>) {
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

    /// One group of the manifest.
    fn group(&self, number: usize, name: &str) -> Option<Moving> {
        let Some(observed) = self.cluster.nodegroups.iter().find(|group| group.name == name) else {
            self.missing(number, name);
            return None;
        };
        let release = self.release(number, observed)?;
        self.healthy(number, observed);
        let pool = self.pool(number, observed)?;
        let nodes: Vec<&Node> =
            groups::nodes_in(self.at.cx, name).into_iter().filter(|node| node.ready).collect();
        let offers = self.offers(number, observed, &nodes)?;
        let driver = self.driver(number, observed, &nodes)?;
        let new = successor_with(name, self.at.doc.spec.to.as_str());
        if self.cluster.nodegroups.iter().any(|group| group.name == new) {
            let message =
                format!("node group {name} is to be replaced by {new}, and there is one of that name");
            let help = "resume or roll back the run that made it; delete that group if nobody needs it";
            self.refuse(codes::PLAN_STRATEGY, number, message, help);
        }
        let what = format!("the copy of node group {name} needs {} nodes beside it", observed.desired);
        let needed = (observed.desired, what.as_str());
        if let Some(message) = capacity::lacking(self.at.cx, pool, observed, &self.cluster.reserved, needed) {
            let help = "free as many instances for the time of the move, or leave the group out and replace its nodes by hand while nothing \
                        runs on them: `aws eks update-nodegroup-version --release-version`, with `updateStrategy: MINIMAL`";
            let found = Diagnostic::error(codes::PLAN_CAPACITY, message);
            self.at
                .findings
                .say_about(pool.name.as_str(), found.at(self.at.cx.pool_label(pool, "this pool")).help(help));
        }
        Some(Moving { observed: observed.clone(), release, pool: pool.clone(), new, offers, driver })
    }

    /// A name that is none of a managed group.
    fn missing(&self, number: usize, name: &str) {
        let karpenter = self.at.cx.sections.get::<Karpenter>("karpenter").ok().flatten();
        let of_karpenter = karpenter.is_some_and(|section| {
            section.node_pools.iter().any(|pool| pool.name == name)
                || section.node_classes.iter().any(|class| class.name == name)
        });
        if of_karpenter {
            let message = format!("{name} is Karpenter's, and images of its nodes are not built yet");
            let help = "pin `amiSelectorTerms` of its EC2NodeClass yourself, to an id or an alias with a date: Karpenter then replaces the nodes \
                        that have drifted under the budgets of their NodePool, and asks no workload class; the annotation \
                        karpenter.sh/do-not-disrupt on a pod keeps its node";
            return self.refuse(codes::MANIFEST_NOT_BUILT, number, message, help);
        }
        let known = self.cluster.nodegroups.iter().map(|group| group.name.clone());
        let message = format!("EKS cluster {} has no node group {name}", self.cluster.arn.name());
        let help = format!("node groups that it has: {}", listed(known));
        self.refuse(codes::PLAN_NOT_READY, number, message, help);
    }

    /// The release that the group has, where it can get the other one.
    fn release(&self, number: usize, group: &Nodegroup) -> Option<Version> {
        let (name, to) = (&group.name, &self.at.doc.spec.to);
        if group.ami_type == "CUSTOM" {
            let message = format!(
                "node group {name} has a custom image: its launch template names it, and EKS takes no release for it"
            );
            let help = "build the image with the driver that is wanted, put it into a new version of the launch template, and replace the \
                        group by hand; or make a group without an image in its template";
            self.refuse(codes::PLAN_STRATEGY, number, message, help);
            return None;
        }
        let bottlerocket = group.ami_type.starts_with("BOTTLEROCKET_");
        if !group.ami_type.contains("_NVIDIA") {
            let message = format!(
                "node group {name} is of {}, which this build knows no driver of NVIDIA in",
                group.ami_type
            );
            let help = "name groups of AL2023_*_NVIDIA or BOTTLEROCKET_*_NVIDIA; an EksUpgrade brings groups of AL2 to AL2023";
            self.refuse(codes::PLAN_STRATEGY, number, message, help);
            return None;
        }
        let minor = group.version.minor_line();
        // A release of AL2023 is a kubelet and a day; one of Bottlerocket is its own version and a commit.
        let dated = to.as_str().split_once('-').is_some_and(|(_, end)| {
            end.len() == 8 && end.starts_with("20") && end.bytes().all(|byte| byte.is_ascii_digit())
        });
        if dated == bottlerocket {
            let (of, like) = match bottlerocket {
                true => ("AL2023", "'1.50.0-0a1b2c3d'"),
                false => ("Bottlerocket", "'1.33.5-20261112'"),
            };
            let message =
                format!("{to} reads like a release of {of}, and node group {name} is of {}", group.ami_type);
            self.refuse(
                codes::PLAN_STRATEGY,
                number,
                message,
                format!("its releases are written like {like}; one manifest moves groups to one release"),
            );
            return None;
        }
        if !bottlerocket && !to.is_of(&minor) {
            let message =
                format!("release {to} is of minor {}, and node group {name} is at {minor}", to.minor_line());
            let help = format!(
                "choose a release of {minor}; an EksUpgrade moves groups to another minor, with the control plane"
            );
            self.refuse(codes::PLAN_STRATEGY, number, message, help);
            return None;
        }
        let Ok(release) = group.release.parse::<Version>() else {
            let message =
                format!("node group {name} has the release {:?}, which is no version number", group.release);
            self.refuse(
                codes::PLAN_INVENTORY_MISSING,
                number,
                message,
                "observe again; an update of the group by EKS sets it",
            );
            return None;
        };
        rising(self.at.cx, self.at.doc.doc, &format!("node group {name}"), &release, to)?;
        Some(release)
    }

    fn healthy(&self, number: usize, group: &Nodegroup) {
        if group.status != "ACTIVE" || !group.issues.is_empty() {
            let why = if group.issues.is_empty() {
                String::new()
            } else {
                format!(" ({})", group.issues.join(", "))
            };
            let message = format!("node group {} is not healthy: {}{why}", group.name, group.status);
            self.refuse(
                codes::PLAN_NOT_READY,
                number,
                message,
                "repair it first: a copy of it would not be healthy either",
            );
        }
        if group.desired == 0 {
            let message =
                format!("node group {} has no nodes, so nothing shows what its image brings", group.name);
            self.refuse(codes::PLAN_NOT_READY, number, message, "leave it out, or scale it up first");
        }
    }

    /// Its pool, which has to move by a copy: nothing else waits for workloads, and nothing else leads back.
    fn pool(&self, number: usize, group: &Nodegroup) -> Option<&Pool> {
        let name = &group.name;
        let pools = groups::pools_of(self.at.cx, group, &groups::nodes_in(self.at.cx, name));
        let [pool] = pools.as_slice() else {
            let message = match pools.as_slice() {
                [] => format!("node group {name} is in no pool, so nobody says how its nodes move"),
                _ => format!("node group {name} is in {} pools", pools.len()),
            };
            self.refuse(
                codes::PLAN_STRATEGY,
                number,
                message,
                "give it one pool under `pools:` of the Platform, by a label that the group gives its nodes",
            );
            return None;
        };
        if pool.strategy != Strategy::ReplaceGroup {
            let message = format!("pool {} of node group {name} does not move by replace-group", pool.name);
            let help = "set `strategy: replace-group`: an update by EKS evicts pods at once and gives up after 15 minutes, and its API says that \
                        it leads back to no earlier image";
            self.refuse(codes::PLAN_STRATEGY, number, message, help);
            return None;
        }
        if pool.labels.contains_key(NODEGROUP) {
            let message = format!(
                "pool {} matches the name of node group {name}, and another group takes over",
                pool.name
            );
            let help = "match a label that the group gives its nodes (`labels` of the node group); its copy gives them the same";
            self.refuse(codes::PLAN_STRATEGY, number, message, help);
            return None;
        }
        Some(pool)
    }

    /// What each of its nodes offers.
    fn offers(&self, number: usize, group: &Nodegroup, nodes: &[&Node]) -> Option<BTreeMap<String, u64>> {
        let mut offers: BTreeMap<String, u64> =
            nodes.first().map(|node| node.gpus.clone()).unwrap_or_default();
        offers.retain(|resource, least| {
            let of: Vec<u64> = nodes.iter().filter_map(|node| node.gpus.get(resource).copied()).collect();
            *least = of.iter().copied().min().unwrap_or_default();
            of.len() == nodes.len() && *least > 0
        });
        if offers.is_empty() {
            let message = format!("no GPU is offered by every Ready node of node group {}", group.name);
            let help =
                "mend the device plugin first: on a new node nobody could tell its fault from the image's";
            self.refuse(codes::PLAN_NOT_READY, number, message, help);
            return None;
        }
        Some(offers)
    }

    /// How its new driver is read. `None` where it cannot be, although one is expected.
    fn driver(&self, number: usize, group: &Nodegroup, nodes: &[&Node]) -> Option<Option<Reading>> {
        let spec = &self.at.doc.spec;
        self.new_gpus(number, group);
        // What CUDA needs is looked for on the node, too, where nothing else is said.
        let by_cuda = || spec.cuda.as_ref().and_then(|cuda| self.at.facts.known.for_cuda(cuda));
        let expected = spec.driver.clone().or_else(|| by_cuda().cloned().map(ExpectedDriver::AtLeast));
        let Some(expected) = expected else { return Some(None) };
        match expected::reading(nodes, &expected, &self.at.facts.labels) {
            Ok(reading) => Some(Some(reading)),
            Err((message, help)) => {
                self.refuse(
                    codes::PLAN_NOT_READY,
                    number,
                    format!("node group {}: {message}", group.name),
                    help,
                );
                None
            }
        }
    }

    /// GPUs that are newer than the driver of the published Bottlerocket images.
    fn new_gpus(&self, number: usize, group: &Nodegroup) {
        let facts = &self.at.facts.bottlerocket;
        let new = |kind: &&String| facts.families.iter().any(|family| kind.starts_with(family.as_str()));
        let Some(kind) = group.instance_types.iter().find(new) else { return };
        let expected =
            self.at.doc.spec.driver.as_ref().is_some_and(|driver| *driver.oldest() >= facts.driver);
        if !group.ami_type.starts_with("BOTTLEROCKET_") || expected {
            return;
        }
        let message = format!(
            "node group {} has {kind}, which needs a driver of at least {}, and published images of Bottlerocket hold {}",
            group.name, facts.driver, facts.holds
        );
        let help = format!(
            "move the group to AL2023_x86_64_NVIDIA; where a release does hold it, write `driver: {{atLeast: '{}'}}`, which is read from each new node",
            facts.driver
        );
        self.refuse(codes::PLAN_NOT_READY, number, message, help);
    }
}
