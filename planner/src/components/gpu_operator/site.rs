//! The operator as it is found: its ClusterPolicy, the driver that stays, and nodes that are in the middle of something. What is not
//! as it has to be is refused here, all of it at once.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::{
        Release,
        gpu_operator::{GpuDriver, GpuOperator as Section},
    },
};

use super::GpuOperator;
use crate::{
    component::DocCx,
    lower::drivers::{self, unsettled},
    objects::{self, nested},
};

/// What was found of the operator.
#[derive(Clone)]
pub struct Site {
    pub(super) section: Rc<Section>,
    /// Who puts drivers on nodes.
    pub(super) drivers: Drivers,
}

/// Who puts drivers on nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Drivers {
    /// The operator does, and upgrades them by itself.
    Automatic(Pins),
    /// The operator does, and upgrades them when somebody deletes their pods.
    ByHand(Pins),
    /// The image of each node holds its driver.
    OfImages,
}

/// The driver that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pins {
    /// Its version.
    pub(super) version: String,
    /// The version of its manager.
    pub(super) manager: Option<String>,
}

impl Site {
    /// Values of the chart: what changes, and the driver that stays. A chart of another version has another driver as its default.
    pub(super) fn values(&self, set: &BTreeMap<String, Value>) -> Value {
        let mut set = set.clone();
        if let Some(pins) = self.pins() {
            set.insert("driver.version".to_owned(), pins.version.clone().into());
            if let Some(manager) = &pins.manager {
                set.insert("driver.manager.version".to_owned(), manager.clone().into());
            }
        }
        nested(&set).unwrap_or_default()
    }

    /// The driver that stays, where the operator installs it.
    pub(super) fn pins(&self) -> Option<&Pins> {
        match &self.drivers {
            Drivers::Automatic(pins) | Drivers::ByHand(pins) => Some(pins),
            Drivers::OfImages => None,
        }
    }
}

/// Finds the site, and says everything that is wrong with it.
pub(super) fn find(at: &DocCx<'_, GpuOperator>, release: &Release) -> Option<Site> {
    let look = Look { at };
    let section = drivers::section(at.cx, at.cx.label(at.doc.doc, "/spec/release", "needs it"))?;
    let policies: Vec<&str> = section.policies.iter().map(String::as_str).collect();
    let driver = match (policies.as_slice(), &section.driver) {
        ([_], Some(driver)) => driver.clone(),
        ([], _) | (_, None) => {
            look.refuse(
                codes::MANIFEST_NOT_BUILT,
                ("/spec/release", "not upgradable as it is"),
                "there is no ClusterPolicy: drivers and operands of this release are configured in another way".to_owned(),
                "a GPUCluster (DRA) or NVIDIADriver objects alone are not built yet; upgrade it by its own documentation",
            );
            return None;
        }
        (several, _) => {
            let message = format!(
                "there are {} ClusterPolicies, and the operator follows one: {}",
                several.len(),
                several.join(", ")
            );
            look.not_ready(message, "delete those that it ignores");
            return None;
        }
    };
    let drivers = look.drivers(&driver, release)?;
    look.nodes(&section, &drivers);
    Some(Site { section, drivers })
}

struct Look<'a> {
    at: &'a DocCx<'a, GpuOperator>,
}

impl Look<'_> {
    fn refuse(&self, code: codes::Code, (at, label): (&str, &str), message: String, help: &str) {
        let label = self.at.cx.label(self.at.doc.doc, at, label);
        self.at.findings.say(Diagnostic::error(code, message).at(label).help(help));
    }

    fn not_ready(&self, message: String, help: &str) {
        self.refuse(codes::PLAN_NOT_READY, ("/spec/release", "not upgradable as it is"), message, help);
    }

    /// Who puts drivers on nodes, and that it stays so, forward and back.
    fn drivers(&self, driver: &GpuDriver, release: &Release) -> Option<Drivers> {
        if !driver.enabled {
            return Some(Drivers::OfImages);
        }
        if driver.by_objects {
            let message = "NVIDIADriver objects say which driver a node gets, and the ClusterPolicy does not"
                .to_owned();
            let help = "such a release is not built yet: its budgets are counted per object, and one pin would not hold them; \
                        write `spec.version` into each NVIDIADriver and upgrade the release by its own documentation";
            self.refuse(codes::MANIFEST_NOT_BUILT, ("/spec/release", "not built yet"), message, help);
            return None;
        }
        let Some(version) = driver.version.clone() else {
            let message = "the ClusterPolicy names no version of the driver, so none can be kept".to_owned();
            let help = "set `driver.version` of the release to the driver that runs, then observe again";
            self.refuse(codes::PLAN_INVENTORY_MISSING, ("/spec/driver", "not known"), message, help);
            return None;
        };
        let pins = Pins { version, manager: driver.manager_version.clone() };
        self.stays(&pins);
        self.stays_on_the_way_back(&pins, release);
        self.manager_works(&pins);
        Some(if driver.auto_upgrade { Drivers::Automatic(pins) } else { Drivers::ByHand(pins) })
    }

    /// What the manifest says of the driver is what runs.
    fn stays(&self, pins: &Pins) {
        let asked = self.at.doc.spec.driver.clone().unwrap_or_default();
        let running = [Some(pins.version.clone()), pins.manager.clone()];
        for (at, what, (asked, runs)) in [
            ("/spec/driver/version", "driver", (asked.version, &running[0])),
            ("/spec/driver/managerVersion", "driver manager", (asked.manager_version, &running[1])),
        ] {
            let Some(asked) = asked.filter(|asked| Some(asked) != runs.as_ref()) else { continue };
            let runs = runs.as_deref().unwrap_or("none that is named");
            let message = format!("the {what} that runs is {runs}, and {asked} is another one");
            let help = "this upgrade keeps it: leave `driver` out or write what runs; a GpuDriverUpgrade moves it, node by node";
            self.refuse(codes::MANIFEST_NOT_BUILT, (at, "another one"), message, help);
        }
    }

    /// A rollback brings back what the deployed revision rendered. Where that is another driver, it would move every node.
    fn stays_on_the_way_back(&self, pins: &Pins, release: &Release) {
        let policy = drivers::policy(&release.objects);
        let rendered = |pointer| policy.and_then(|policy| objects::text(policy, pointer));
        let manager = pins.manager.as_deref();
        for (what, rendered, runs) in [
            ("driver", rendered("/spec/driver/version"), Some(pins.version.as_str())),
            ("driver manager", rendered("/spec/driver/manager/version"), manager),
        ] {
            if policy.is_none() || rendered == runs {
                continue;
            }
            let message = format!(
                "the deployed revision of release {} has the {what} {}, and {} runs: a rollback would move the driver of every node",
                self.at.doc.spec.release,
                rendered.unwrap_or("of nobody's choice"),
                runs.unwrap_or("another one")
            );
            let help = "make the release say what runs, by an upgrade to its own version with that value, then observe again";
            let at = ("/spec/release", "rolls back to another driver");
            self.refuse(codes::PLAN_WAY_BACK, at, message, help);
        }
    }

    fn manager_works(&self, pins: &Pins) {
        let (floor, to) = (&self.at.facts.manager_floor, &self.at.doc.spec.to);
        let Some(manager) = pins.manager.as_deref().and_then(|text| text.parse::<Version>().ok()) else {
            return;
        };
        if *to >= floor.since && manager < floor.version {
            let message = format!(
                "the driver manager {manager} is older than {}, the oldest that GPU Operator {to} works with",
                floor.version
            );
            self.not_ready(
                message,
                "raise `driver.manager.version` before, which restarts drivers, node by node",
            );
        }
    }

    /// A node in the middle of an upgrade of its driver would be left there, or be taken up anew by another operator.
    fn nodes(&self, section: &Section, drivers: &Drivers) {
        for found in unsettled(section, *drivers == Drivers::OfImages) {
            self.not_ready(found.message, found.help);
        }
    }
}
