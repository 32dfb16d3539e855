//! What has to hold at every moment, read off the world and not off a plan: the catalog's hard facts about the versions that
//! are really there, budgets, floors of pools, workloads that somebody counts on, jobs that train.
//!
//! Pods and nodes are looked at change by change, through the world's own history: what was wrong for a second is seen. What
//! is at AWS has no history; it is looked at whenever the clock moved and whenever an effect was called.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use switchback_planner::{catalog::Catalog, components::built_in};
use switchback_schemas::Version;
use switchback_twin::{Change, ChangeKind, Key, World};

use super::states::{State, broken};

/// Which component an image is of, by the end of its repository.
const IMAGES: [(&str, &str); 5] = [
    ("karpenter/controller", "karpenter"),
    ("mlflow/mlflow", "mlflow"),
    ("eks/kube-proxy", "kube-proxy"),
    ("eks/coredns", "coredns"),
    ("eks/amazon-k8s-cni", "vpc-cni"),
];

/// What has to hold, and what did not.
pub(crate) struct Watch {
    catalog: &'static Catalog,
    floors: Vec<(&'static str, &'static str, usize)>,
    served: Vec<(&'static str, &'static str, usize)>,
    training: bool,
    seen: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    /// Pods that each budget was made for.
    expected: BTreeMap<Key, usize>,
    /// Every combination of versions that was there.
    pub(crate) states: BTreeSet<State>,
    /// What did not hold, with when.
    pub(crate) wrong: Vec<String>,
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = all.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.map_or("", |condition| text(condition, "/status"))
}

fn has(object: &Value, pointer: &str, labels: &BTreeMap<String, String>) -> bool {
    labels.iter().all(|(name, value)| object.pointer(pointer).is_some_and(|of| of[name] == **value))
}

/// Whether a pod serves: Ready, and nobody has asked it to go.
fn serves(pod: &Value) -> bool {
    condition(pod, "Ready") == "True" && pod["metadata"].get("deletionTimestamp").is_none()
}

fn of_job(pod: &Value) -> bool {
    text(pod, "/metadata/ownerReferences/0/kind") == "Job" && text(pod, "/metadata/namespace") == "training"
}

impl Watch {
    /// The facts about versions, and the budgets of a platform on which everything is well now.
    pub(crate) fn of() -> Self {
        Self {
            catalog: built_in().expect("the catalog").catalog(),
            floors: Vec::new(),
            served: Vec::new(),
            training: false,
            seen: 0,
            objects: BTreeMap::new(),
            expected: BTreeMap::new(),
            states: BTreeSet::new(),
            wrong: Vec::new(),
        }
    }

    /// The same, and pods of Jobs that run are left alone.
    pub(crate) fn training(mut self) -> Self {
        self.training = true;
        self
    }

    /// The same, and so many pods serve at every moment: namespace, label `app`, how many.
    pub(crate) fn serving(mut self, served: &[(&'static str, &'static str, usize)]) -> Self {
        self.served.extend(served);
        self
    }

    /// The same, and so many nodes with a label are there for pods at every moment: name and value of the label, how many.
    pub(crate) fn keeping(mut self, floors: &[(&'static str, &'static str, usize)]) -> Self {
        self.floors.extend(floors);
        self
    }

    /// Looks at everything that happened since the last time.
    pub(crate) fn look(&mut self, world: &World) {
        if self.seen == 0 {
            self.begin(world);
        }
        let Some(changes) = world.since(self.seen) else {
            return self.wrong.push("the world forgot its history".to_owned());
        };
        let changes: Vec<Change> = changes.cloned().collect();
        for change in changes {
            self.follow(&change, world);
        }
        self.seen = world.resource_version();
        self.versions(world);
    }

    fn begin(&mut self, world: &World) {
        self.seen = world.resource_version();
        self.objects = world.objects().map(|(key, object)| (key.clone(), Arc::clone(object))).collect();
        let budgets = self.objects.iter().filter(|(key, _)| key.is("policy", "poddisruptionbudgets"));
        let counted = budgets.map(|(key, budget)| (key.clone(), self.matching(budget).count()));
        self.expected = counted.collect();
    }

    fn follow(&mut self, change: &Change, world: &World) {
        let at = world.now();
        let before = match change.kind {
            ChangeKind::Deleted => self.objects.remove(&change.key),
            _ => self.objects.insert(change.key.clone(), Arc::clone(&change.object)),
        };
        if change.key.is("", "pods") {
            let gone = change.kind == ChangeKind::Deleted;
            if let Some(before) = before.filter(|before| self.training && of_job(before)) {
                let ran = text(&before, "/status/phase") == "Running" && serves(&before);
                let asked = change.object["metadata"].get("deletionTimestamp").is_some();
                if ran && (gone || asked || text(&change.object, "/status/phase") == "Failed") {
                    self.wrong.push(format!("{at}: training pod {} was ended", change.key));
                }
            }
            self.budgets(&change.key, &at.to_string());
            self.services(&at.to_string());
        }
        if change.key.is("", "nodes") {
            self.pools(&at.to_string());
        }
    }

    /// Pods that a budget is about and that serve.
    fn matching<'a>(&'a self, budget: &'a Value) -> impl Iterator<Item = &'a Arc<Value>> {
        let labels: BTreeMap<String, String> =
            serde_json::from_value(budget["spec"]["selector"]["matchLabels"].clone()).expect("labels");
        let namespace = text(budget, "/metadata/namespace");
        let pods = self.objects.iter().filter(|(key, _)| key.is("", "pods") && *key.namespace == *namespace);
        pods.map(|(_, pod)| pod).filter(move |pod| has(pod, "/metadata/labels", &labels) && serves(pod))
    }

    fn budgets(&mut self, pod: &Key, at: &str) {
        let mut wrong = Vec::new();
        for (key, budget) in self.objects.iter().filter(|(key, _)| key.is("policy", "poddisruptionbudgets")) {
            if key.namespace != pod.namespace {
                continue;
            }
            let Some(expected) = self.expected.get(key) else { continue };
            let spec = &budget["spec"];
            let number = |name: &str| spec[name].as_u64().and_then(|number| usize::try_from(number).ok());
            let least = number("minAvailable")
                .or_else(|| Some(expected.saturating_sub(number("maxUnavailable")?)))
                .expect("a budget of numbers");
            let healthy = self.matching(budget).count();
            if healthy < least {
                wrong.push(format!("{at}: {key} wants {least} healthy pods, and {healthy} are"));
            }
        }
        self.wrong.extend(wrong);
    }

    fn services(&mut self, at: &str) {
        for (namespace, app, least) in self.served.clone() {
            let ours = |key: &Key, pod: &Value| {
                key.is("", "pods") && *key.namespace == *namespace && text(pod, "/metadata/labels/app") == app
            };
            let ready = self.objects.iter().filter(|(key, pod)| ours(key, pod) && serves(pod)).count();
            if ready < least {
                self.wrong.push(format!("{at}: {app} serves with {ready} pods, and {least} are promised"));
            }
        }
    }

    fn pools(&mut self, at: &str) {
        for (name, value, floor) in self.floors.clone() {
            let there = |key: &Key, node: &Value| {
                key.is("", "nodes")
                    && node["metadata"]["labels"][name] == *value
                    && node["spec"]["unschedulable"] != Value::Bool(true)
                    && condition(node, "Ready") == "True"
            };
            let found = self.objects.iter().filter(|(key, node)| there(key, node)).count();
            if found < floor {
                self.wrong
                    .push(format!("{at}: {found} nodes of {value} take pods, and {floor} are promised"));
            }
        }
    }

    /// The versions that are there now, and what the catalog says about them.
    fn versions(&mut self, world: &World) {
        let state = there(world);
        if !self.states.insert(state.clone()) {
            return;
        }
        let mut wrong = broken(self.catalog, &state);
        wrong.extend(self.skewed(&state));
        self.wrong.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", world.now())));
    }

    /// Minors that are too far from each other.
    fn skewed(&self, state: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        for (component, versions) in state {
            let skews = self.catalog.components.get(component).into_iter().flat_map(|facts| &facts.skew);
            for skew in skews.filter(|skew| skew.strength.hard()) {
                for other in state.get(&skew.with).into_iter().flatten() {
                    let (ahead, behind) = (skew.ahead, skew.behind);
                    let far = |version: &&Version| {
                        version.minor() > other.minor() + ahead || version.minor() + behind < other.minor()
                    };
                    let far = versions.iter().filter(far);
                    wrong.extend(
                        far.map(|version| format!("{component} {version} with {} {other}", skew.with)),
                    );
                }
            }
        }
        wrong
    }
}

/// The versions that a world really has.
pub(crate) fn there(world: &World) -> State {
    let mut state: BTreeMap<String, BTreeSet<Version>> = BTreeMap::new();
    let mut add = |component: &str, version: &str| {
        let version = version.parse().unwrap_or_else(|_| panic!("{component} has the version {version:?}"));
        state.entry(component.to_owned()).or_default().insert(version);
    };
    for cluster in world.cloud().eks.clusters.values() {
        add("eks", &cluster.version);
        // While it moves, what talks to it may meet either.
        for update in cluster.updates.iter().filter(|update| update.running()) {
            let to = update.params.iter().find(|param| param.kind == "Version");
            let to = to.filter(|_| update.nodegroup.is_none() && update.addon.is_none());
            if let Some(to) = to {
                add("eks", &to.value);
            }
        }
        for (name, addon) in &cluster.addons {
            add(name, &addon.version);
        }
    }
    for (key, object) in world.objects() {
        if key.is("", "nodes") {
            let kubelet: Version = text(object, "/status/nodeInfo/kubeletVersion")
                .trim_start_matches('v')
                .parse()
                .expect("a kubelet has a version");
            add("node-images", kubelet.minor_line().as_str());
        }
        if key.is("", "pods") && matches!(text(object, "/status/phase"), "Running" | "Pending") {
            let containers = object["spec"]["containers"].as_array().into_iter().flatten();
            for image in containers.map(|container| text(container, "/image")) {
                let Some((repository, tag)) = image.rsplit_once(':') else { continue };
                let component = IMAGES.iter().find(|(end, _)| repository.ends_with(end));
                if let Some((_, component)) = component {
                    // Add-ons keep the letter in their versions.
                    let plain = if tag.contains("eksbuild") { tag } else { tag.trim_start_matches('v') };
                    add(component, plain);
                }
            }
        }
    }
    state.into_iter().map(|(component, versions)| (component, versions.into_iter().collect())).collect()
}
