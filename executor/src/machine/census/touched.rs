//! What a run did to what stands on a platform, and by which hop: from the plan and what was called of it.

use std::collections::BTreeMap;

use switchback_schemas::{
    HopId,
    journal::{Counted, Touched, Way},
    name::{ObjectName, ObjectRef},
    plan::{Action, Effect, EksEffect, HelmEffect, KubeEffect, Plan, Target},
};

use crate::machine::{RunState, Task, fold::place::work_at, step_of};

/// Where EKS puts its add-ons.
const ADDONS: &str = "kube-system";

/// Everything that a run touched.
#[derive(Debug, Default)]
pub(in crate::machine) struct Touches {
    /// Workloads whose pods stood on nodes that it moved.
    workloads: BTreeMap<String, Vec<Touched>>,
    /// Releases that it moved.
    releases: Vec<(ObjectName, HopId)>,
    /// Objects that it changed.
    objects: Vec<(ObjectRef, HopId)>,
    /// Groups of nodes that it had replaced.
    groups: Vec<(String, HopId)>,
    /// Hops that moved an add-on of EKS.
    addons: Vec<HopId>,
}

impl Touches {
    /// What was called so far.
    pub(in crate::machine) fn of(plan: &Plan, state: &RunState) -> Self {
        let mut touches = Self::default();
        for (at, _) in state.tasks.iter().filter(|(_, task)| Task::may_have_acted(task)) {
            let Some(hop) = step_of(plan, at).map(|step| &step.hop) else { continue };
            if at.way == Way::Cleanup {
                continue;
            }
            if let Some(item) = state.item(at) {
                let how = format!("this run moved node {}, where its pods stood", item.name);
                for uid in &item.workloads {
                    let before = touches.workloads.entry(uid.clone()).or_default();
                    if !before.iter().any(|touched| touched.hop == *hop) {
                        before.push(Touched { hop: hop.clone(), how: how.clone() });
                    }
                }
            } else if let Some(Action::Effect(effect)) = work_at(plan, state, at).map(|work| &work.action) {
                touches.effect(effect, hop);
            }
        }
        touches
    }

    fn effect(&mut self, effect: &Effect, hop: &HopId) {
        let hop = || hop.clone();
        match effect {
            // No object changes by it.
            Effect::Helm(HelmEffect::Detach(_) | HelmEffect::Attach(_)) => {}
            Effect::Helm(effect) => self.releases.push((effect.release().clone(), hop())),
            Effect::Kube(KubeEffect::Apply(apply)) => {
                let text = |pointer| apply.object.pointer(pointer).and_then(serde_json::Value::as_str);
                let object = ObjectRef {
                    api_version: text("/apiVersion").unwrap_or_default().to_owned(),
                    kind: text("/kind").unwrap_or_default().to_owned(),
                    namespace: text("/metadata/namespace").map(str::to_owned),
                    name: text("/metadata/name").unwrap_or_default().to_owned(),
                };
                self.objects.push((object, hop()));
            }
            Effect::Kube(KubeEffect::Patch(patch)) => self.target(&patch.object, hop()),
            Effect::Kube(KubeEffect::Delete(delete)) => self.target(&delete.object, hop()),
            Effect::Eks(EksEffect::UpdateNodegroup(update)) => {
                self.groups.push((format!("nodegroup/{}", update.nodegroup), hop()));
            }
            Effect::Eks(EksEffect::DeleteNodegroup(delete)) => {
                self.groups.push((format!("nodegroup/{}", delete.nodegroup), hop()));
            }
            Effect::Eks(EksEffect::UpdateAddon(_)) => self.addons.push(hop()),
            _ => {}
        }
    }

    fn target(&mut self, target: &Target, hop: HopId) {
        if let Target::Object(object) = target {
            self.objects.push((object.clone(), hop));
        }
    }

    /// What was done to something, as it was counted.
    pub(super) fn to(&self, counted: &Counted) -> Vec<Touched> {
        let own = counted.uid.split('/').next().unwrap_or_default();
        let behind = counted.through.iter().map(String::as_str).chain([own]);
        let mut touched: Vec<Touched> =
            behind.filter_map(|uid| self.workloads.get(uid)).flatten().cloned().collect();
        let releases = self.releases.iter().filter(|(release, _)| counted.release.as_ref() == Some(release));
        touched
            .extend(releases.map(|(release, hop)| by(hop, format!("this run moved its release {release}"))));
        let objects =
            self.objects.iter().filter(|(object, _)| object.identity() == counted.object.identity());
        touched.extend(objects.map(|(_, hop)| by(hop, "this run changed it".to_owned())));
        let groups = self.groups.iter().filter(|(group, _)| counted.groups.contains(group));
        touched.extend(groups.map(|(group, hop)| by(hop, format!("this run replaced the nodes of {group}"))));
        if counted.object.namespace.as_deref() == Some(ADDONS) {
            let addons = self.addons.iter();
            touched.extend(addons.map(|hop| by(hop, format!("this run moved add-ons in {ADDONS}"))));
        }
        touched
    }
}

fn by(hop: &HopId, how: String) -> Touched {
    Touched { hop: hop.clone(), how }
}
