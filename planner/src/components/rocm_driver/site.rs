//! A DeviceConfig as it is found: which driver it names, on which nodes, and what is in the way. What is not as it has to be is refused
//! here, all of it at once.

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::rocm_driver::{DeviceConfig, RocmDriver as Section, RocmNode},
    name::ObjectRef,
    plan::{DeviceHolders, KernelModule, Pool},
};

use super::RocmDriver;
use crate::{component::DocCx, findings::listed, lower::pools, objects::token};

/// What was found of drivers.
#[derive(Clone)]
pub struct Site {
    pub(super) config: DeviceConfig,
    /// The driver that the DeviceConfig names.
    pub(super) driver: Version,
    /// Pools with its nodes, lower tiers first.
    pub(super) pools: Vec<RocmPool>,
}

/// A pool with its nodes.
#[derive(Clone)]
pub(super) struct RocmPool {
    /// The pool.
    pub(super) pool: Pool,
    /// Its nodes.
    pub(super) nodes: Vec<RocmNode>,
}

impl Site {
    /// Its namespace, which is that of the operator's own pods.
    pub(super) fn namespace(&self) -> &str {
        self.config.name.namespace.as_deref().unwrap_or_default()
    }

    /// The DeviceConfig.
    pub(super) fn object(&self) -> ObjectRef {
        ObjectRef::new("amd.com/v1alpha1", "DeviceConfig", &self.config.name)
    }

    /// What the operator makes of it for Kernel Module Management.
    pub(super) fn module(&self) -> ObjectRef {
        ObjectRef::new("kmm.sigs.x-k8s.io/v1beta1", "Module", &self.config.name)
    }

    /// The driver of a version, as a kernel module.
    pub(super) fn kernel_module(&self, version: &Version) -> KernelModule {
        KernelModule {
            namespace: self.namespace().to_owned(),
            name: self.config.name.name.clone(),
            version: version.as_str().to_owned(),
        }
    }

    /// The label of a node that says which driver it is to have.
    pub(super) fn label(&self) -> String {
        format!("kmm.node.kubernetes.io/version-module.{}.{}", self.namespace(), self.config.name.name)
    }

    /// Where it stands in a node.
    pub(super) fn label_pointer(&self) -> String {
        format!("/metadata/labels/{}", token(&self.label()))
    }

    /// Where the label stands that says that the driver is loaded.
    pub(super) fn ready_pointer(&self) -> String {
        let label = format!("kmm.node.kubernetes.io/{}.{}.ready", self.namespace(), self.config.name.name);
        format!("/metadata/labels/{}", token(&label))
    }

    pub(super) fn holders(&self) -> DeviceHolders {
        DeviceHolders::of_amd(self.namespace())
    }

    /// Nodes whose label asks for a driver.
    pub(super) fn asking<'s>(&'s self, driver: &'s Version) -> impl Iterator<Item = &'s RocmNode> {
        let is = move |node: &&RocmNode| node.version.as_deref() == Some(driver.as_str());
        self.config.nodes.iter().filter(is)
    }
}

/// Finds the site, and says everything that is wrong with it.
pub(super) fn find(at: &DocCx<'_, RocmDriver>) -> Option<Site> {
    let look = Look { at };
    let config = look.config()?;
    let driver = look.driver(&config)?;
    look.nodes(&config, &driver);
    let pools = look.pools(&config);
    Some(Site { config, driver, pools })
}

struct Look<'a> {
    at: &'a DocCx<'a, RocmDriver>,
}

const AT: &str = "/spec/deviceConfig";

impl Look<'_> {
    fn refuse(&self, code: codes::Code, label: &str, message: String, help: &str) {
        let label = self.at.cx.label(self.at.doc.doc, AT, label);
        self.at.findings.say(Diagnostic::error(code, message).at(label).help(help));
    }

    fn not_ready(&self, message: String, help: &str) {
        self.refuse(codes::PLAN_NOT_READY, "not upgradable as it is", message, help);
    }

    fn not_built(&self, message: String, help: &str) {
        self.refuse(codes::MANIFEST_NOT_BUILT, "not built yet", message, help);
    }

    fn config(&self) -> Option<DeviceConfig> {
        let name = &self.at.doc.spec.device_config;
        let section = match self.at.sections.get::<Section>("rocm-driver") {
            Ok(Some(section)) => section,
            Ok(None) => {
                let message = "the inventory holds nothing about AMD's GPU Operator".to_owned();
                let help = "observe again with credentials that may list DeviceConfigs, Modules and nodes";
                self.refuse(codes::PLAN_INVENTORY_MISSING, "needs it", message, help);
                return None;
            }
            Err(error) => {
                self.refuse(codes::PLAN_UNREADABLE, "needs it", error, "observe again with this release");
                return None;
            }
        };
        let found = section.configs.iter().find(|config| config.name == *name).cloned();
        let Some(config) = found else {
            let names: Vec<String> = section.configs.iter().map(|config| config.name.to_string()).collect();
            let message = format!("there is no DeviceConfig {name}, only {}", listed(names.into_iter()));
            self.refuse(codes::PLAN_INVENTORY_MISSING, "not there", message, "name one that is there");
            return None;
        };
        let of = |node: &RocmNode| {
            let others = section.configs.iter().filter(|other| other.name != config.name && other.enabled);
            others.into_iter().any(|other| other.nodes.iter().any(|one| one.name == node.name))
        };
        let both: Vec<String> =
            config.nodes.iter().filter(|node| of(node)).map(|node| node.name.clone()).collect();
        if !both.is_empty() {
            let message =
                format!("another DeviceConfig selects nodes of this one, too: {}", listed(both.into_iter()));
            self.not_ready(message, "let each node be selected by one DeviceConfig");
        }
        Some(config)
    }

    /// The driver that the DeviceConfig names, if the operator installs it.
    fn driver(&self, config: &DeviceConfig) -> Option<Version> {
        if !config.enabled {
            self.not_built(
                format!("DeviceConfig {} installs no driver: `spec.driver.enable` is false", config.name),
                "the driver is part of the nodes' images; move the nodes to an image with another driver",
            );
            return None;
        }
        if config.driver_type != "container" {
            let message = format!("DeviceConfig {} is of driver type {}", config.name, config.driver_type);
            self.not_built(
                message,
                "upgrade it by the operator's documentation; virtual machines stand on it",
            );
            return None;
        }
        let named = config.version.as_deref();
        let Some(driver) = named.and_then(|text| text.parse::<Version>().ok()) else {
            let message = match named {
                Some(text) => format!("the DeviceConfig names the driver {text}, which is no version number"),
                None => "the DeviceConfig names no driver, and the operator chooses one for each system"
                    .to_owned(),
            };
            let help = "set `spec.driver.version` to the driver that runs, then observe again";
            self.refuse(codes::PLAN_INVENTORY_MISSING, "not known", message, help);
            return None;
        };
        if config.module.as_deref() != named {
            let message = format!(
                "the operator has not followed the DeviceConfig: its Module is of {}, and not of {driver}",
                config.module.as_deref().unwrap_or("no version")
            );
            self.not_ready(message, "find out why, by the operator's log and the Module, then observe again");
        }
        Some(driver)
    }

    /// Nodes that are in the middle of something or have another driver, and pods that nobody takes off them.
    fn nodes(&self, config: &DeviceConfig, driver: &Version) {
        let found = |is: &dyn Fn(&RocmNode) -> bool, what: &str, help: &str| {
            let names: Vec<String> =
                config.nodes.iter().filter(|node| is(node)).map(|node| node.name.clone()).collect();
            if !names.is_empty() {
                self.not_ready(format!("GPU nodes {what}: {}", listed(names.into_iter())), help);
            }
        };
        let states = &self.at.facts.states;
        let within = |states: &[String], node: &RocmNode| {
            node.state.as_ref().is_some_and(|state| states.contains(state))
        };
        found(
            &|node| within(&states.busy, node),
            "are in the middle of an upgrade by the operator",
            "wait until it says Upgrade-Complete or Install-Complete; do not restart the operator meanwhile, it keeps their states in memory",
        );
        found(
            &|node| within(&states.failed, node),
            "say that the operator's upgrade of their driver has failed",
            "mend them; the operator tries again when the label operator.amd.com/gpu-driver-upgrade-state is set to upgrade-required",
        );
        found(
            &|node| node.retry.is_some(),
            "ask for another attempt by the label operator.amd.com/gpu-driver-upgrade-state",
            "let it end, or take the label off, then observe again",
        );
        found(
            &|node| node.tainted,
            "have the operator's taint amd-gpu-driver-upgrade",
            "the operator left it, or is at work: see the state of the node in the DeviceConfig, and take it off where nothing goes on",
        );
        let to = &self.at.doc.spec.to;
        let runs = |version: &Version, node: &RocmNode| {
            node.version.as_deref() == Some(version.as_str())
                && node.image.as_deref().is_none_or(|image| image.ends_with(&format!("-{version}")))
        };
        found(
            &|node| !runs(driver, node) && !runs(to, node),
            &format!("have neither driver {driver} nor driver {to}"),
            "finish what was begun on them, by the label kmm.node.kubernetes.io/version-module.NAMESPACE.NAME, then observe again",
        );
        found(
            &|node| runs(driver, node) && !node.ready && node.state.is_none(),
            "have no loaded driver",
            "Kernel Module Management loads none on a node that it would schedule no pod on: see its taints, whether it is cordoned, and its NodeModulesConfig",
        );
        if !config.holders.is_empty() {
            let holders = listed(config.holders.iter().map(ToString::to_string));
            let message =
                format!("DaemonSets hold the driver of their nodes, and no drain takes them off: {holders}");
            let help = "give their pods the nodeSelector by which the operator's own go with the driver, \
                        kmm.node.kubernetes.io/NAMESPACE.NAME.ready: '', or take them off the GPU nodes while the driver moves";
            self.not_ready(message, help);
        }
    }

    /// Pools with its nodes; a node in none is said.
    fn pools(&self, config: &DeviceConfig) -> Vec<RocmPool> {
        let (pools, outside) = pools::of(self.at.cx, &config.nodes, |node| &node.name);
        if !outside.is_empty() {
            let message = format!(
                "GPU nodes are in no pool, and would keep a driver that the DeviceConfig no longer names: {}",
                listed(outside.into_iter())
            );
            let help = "give them a pool under `pools:` of the Platform";
            self.refuse(codes::PLAN_OUTSIDE, "moves the driver of every node of it", message, help);
        }
        if pools.is_empty() {
            let message = format!("DeviceConfig {} selects no node", config.name);
            self.not_ready(message, "see its `spec.selector`");
        }
        pools.into_iter().map(|(pool, nodes)| RocmPool { pool, nodes }).collect()
    }
}
