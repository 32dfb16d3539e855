//! One group: whether it can get the release, how its nodes move, and what is asked of the new ones.

use std::collections::BTreeMap;

use switchback_schemas::{
    Diagnostic, Severity, Version, codes,
    inventory::{Node, eks::Nodegroup, karpenter::Karpenter},
    plan::{Pool, Strategy},
};

use super::{
    expected::{self, Reading},
    site::{Look, Moving},
    spec::ExpectedDriver,
};
use crate::{
    findings::listed,
    hop::rising,
    lower::groups::{
        self, capacity,
        names::{NODEGROUP, successor_with},
    },
};

impl Look<'_> {
    /// One group of the manifest.
    pub(super) fn group(&self, number: usize, name: &str) -> Option<Moving> {
        let observed = self.cluster.nodegroups.iter().find(|group| group.name == name);
        if self.replaced_already(number, name, observed) {
            return None;
        }
        let Some(observed) = observed else {
            self.missing(number, name);
            return None;
        };
        let release = self.release(number, observed)?;
        self.healthy(number, observed);
        let pool = self.pool(number, observed)?;
        let nodes: Vec<&Node> =
            groups::nodes_in(self.at.cx, name).into_iter().filter(|node| node.ready).collect();
        let offers = self.offers(number, observed, &nodes)?;
        let driver = self.driver(number, observed, &nodes);
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

    /// Whether an earlier run has replaced a group by one with the release, and keeps it at size 0 or has deleted it since.
    fn replaced_already(&self, number: usize, name: &str, observed: Option<&Nodegroup>) -> bool {
        let to = &self.at.doc.spec.to;
        let new = successor_with(name, to.as_str());
        let there =
            self.cluster.nodegroups.iter().any(|group| group.name == new && group.release == to.as_str());
        if !there || observed.is_some_and(|group| group.desired > 0) {
            return false;
        }
        let message = format!("node group {name} was replaced by {new}, which has release {to} already");
        let place = self.at.cx.label(self.at.doc.doc, &format!("/spec/nodeGroups/{number}"), "replaced");
        let found =
            Diagnostic { severity: Severity::Advice, ..Diagnostic::warning(codes::PLAN_UNCHANGED, message) };
        self.at.findings.say(found.at(place).help("name the group that took over for the next release"));
        true
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

    /// How its new driver is read; `None` where nothing is expected, and where it cannot be, which is said.
    fn driver(&self, number: usize, group: &Nodegroup, nodes: &[&Node]) -> Option<Reading> {
        let spec = &self.at.doc.spec;
        self.new_gpus(number, group);
        // What CUDA needs is looked for on the node, too, where nothing else is said.
        let by_cuda = || spec.cuda.as_ref().and_then(|cuda| self.at.facts.known.for_cuda(cuda));
        let expected = spec.driver.clone().or_else(|| by_cuda().cloned().map(ExpectedDriver::AtLeast))?;
        match expected::reading(nodes, &expected, &self.at.facts.labels) {
            Ok(reading) => Some(reading),
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
