//! What the compiler sees: the inventory, as earlier hops of the plan will have changed it.
//!
//! Components look at the platform only through here, and every look is noted as a predicate with the step that makes it
//! true. So reads are recorded, never declared, and none can be forgotten.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::{Value, json};
use switchback_schemas::{
    Digest, StepId, Version,
    inventory::{Crd, Inventory, Workload},
    journal::Captured,
    lock::Render,
    name::{ObjectName, ObjectRef},
    plan::{
        CloudCondition, CloudRef, Condition, Find, KubeCondition, Operand, Read, ReadBasis, Target, Test,
    },
    report::{CaptureName, LeftSuspended},
};

use crate::{index::same, objects};

/// The platform as the compiler sees it.
pub struct Predicted<'a> {
    inventory: &'a Inventory,
    releases: BTreeMap<ObjectName, ReleaseView>,
    workloads: BTreeMap<&'a ObjectRef, &'a Workload>,
    /// Suspensions that an earlier run of the operation left, until a hop resumes them.
    left_open: RefCell<Vec<&'a LeftSuspended>>,
    /// Fields that a hop puts back to what they were before an earlier run, and the step that does.
    put_back: RefCell<BTreeMap<Field, (Value, StepId)>>,
    /// CRDs whose objects a hop stores anew, with the version.
    stored_as: RefCell<BTreeMap<String, String>>,
    reads: RefCell<Vec<Read>>,
    /// Which releases hold an object, once somebody asked.
    held: RefCell<Option<Holders>>,
}

/// Releases by the identity of what they hold.
type Holders = BTreeMap<Identity, Vec<ObjectName>>;

/// What makes two references the same object, in whatever version of its group it is written.
type Identity = (String, String, Option<String>, String);

fn key(object: &ObjectRef) -> Identity {
    let (group, kind, namespace, name) = object.identity();
    (group.to_owned(), kind.to_owned(), namespace.map(str::to_owned), name.to_owned())
}

/// A field of an object, in whatever version of its group the object is written.
type Field = (String, &'static str);

fn field(object: &ObjectRef, pointer: &'static str) -> Field {
    let group = object.group();
    let namespace = object.namespace.as_deref().unwrap_or_default();
    (format!("{group}/{}/{namespace}/{}", object.kind, object.name), pointer)
}

/// A release, observed or predicted.
#[derive(Clone, Debug)]
pub struct ReleaseView {
    /// Its chart.
    pub chart: String,
    /// The chart's version.
    pub version: Version,
    /// Digest of the values given.
    pub values: Digest,
    /// Its objects.
    pub objects: Vec<Value>,
    /// The step that leaves it so; absent when it was observed.
    pub by: Option<StepId>,
}

impl ReleaseView {
    /// Names of the CRDs among its objects.
    pub fn crds(&self) -> Vec<String> {
        objects::crds(&self.objects)
    }
}

impl<'a> Predicted<'a> {
    /// The platform as it was observed.
    pub fn new(inventory: &'a Inventory, left_open: Vec<&'a LeftSuspended>) -> Self {
        let view = |release: &switchback_schemas::inventory::Release| ReleaseView {
            chart: release.chart.clone(),
            version: release.chart_version.clone(),
            values: release.values_digest,
            objects: release.objects.clone(),
            by: None,
        };
        let releases =
            inventory.releases.iter().map(|release| (release.name.clone(), view(release))).collect();
        let workloads = inventory.workloads.iter().map(|workload| (&workload.object, workload)).collect();
        Self {
            inventory,
            releases,
            workloads,
            left_open: RefCell::new(left_open),
            put_back: RefCell::default(),
            stored_as: RefCell::default(),
            reads: RefCell::default(),
            held: RefCell::default(),
        }
    }

    /// What was looked at since the last call; it belongs to the step that is being built.
    pub fn take_reads(&self) -> Vec<Read> {
        self.reads.take()
    }

    fn note(&self, condition: Condition, by: Option<&StepId>) {
        let basis = by.map_or(ReadBasis::Observed {}, |step| ReadBasis::After(step.clone()));
        let read = Read { condition, basis };
        let mut reads = self.reads.borrow_mut();
        if !reads.contains(&read) {
            reads.push(read);
        }
    }

    fn note_field(&self, object: ObjectRef, pointer: &str, is: Test) {
        let object = Target::Object(object);
        self.note(Condition::Kube(KubeCondition::Field { object, pointer: pointer.to_owned(), is }), None);
    }

    /// A release. Notes its chart version and values.
    pub fn release(&self, release: &ObjectName) -> Option<&ReleaseView> {
        let view = self.releases.get(release)?;
        let condition = Condition::Kube(KubeCondition::Release {
            release: release.clone(),
            chart: None,
            chart_version: Some(view.version.clone()),
            revision: None,
            values: Some(view.values),
        });
        self.note(condition, view.by.as_ref());
        Some(view)
    }

    /// From now on the release is as a render says.
    pub fn upgraded(&mut self, render: &Render, by: &StepId) {
        let view = ReleaseView {
            chart: render.chart.name.clone(),
            version: render.chart.version.clone(),
            values: render.values,
            objects: render.objects.clone(),
            by: Some(by.clone()),
        };
        let before = self.releases.insert(render.release.clone(), view);
        self.hold(&render.release, before.as_ref());
    }

    /// From now on helm knows no such release.
    pub fn detached(&mut self, release: &ObjectName) {
        let before = self.releases.remove(release);
        self.hold(release, before.as_ref());
    }

    /// Keeps what was asked about holders true, without looking at every release anew.
    fn hold(&self, release: &ObjectName, before: Option<&ReleaseView>) {
        let mut held = self.held.borrow_mut();
        let Some(held) = held.as_mut() else { return };
        for object in before.into_iter().flat_map(|view| &view.objects).filter_map(objects::reference) {
            if let Some(holders) = held.get_mut(&key(&object)) {
                holders.retain(|holder| holder != release);
            }
        }
        let after = self.releases.get(release).into_iter().flat_map(|view| &view.objects);
        for object in after.filter_map(objects::reference) {
            held.entry(key(&object)).or_default().push(release.clone());
        }
    }

    /// Notes that helm knows no such release.
    pub fn note_no_release(&self, release: &ObjectName) {
        self.note(Condition::Kube(KubeCondition::NoRelease { release: release.clone() }), None);
    }

    /// A release as earlier hops leave it. Not a predicate, as [`Self::releases`] is none.
    pub fn seen(&self, release: &ObjectName) -> Option<&ReleaseView> {
        self.releases.get(release)
    }

    /// The releases that hold an object. Not a predicate: whoever changes it notes whose it is.
    pub fn holders(&self, object: &ObjectRef) -> Vec<ObjectName> {
        let mut held = self.held.borrow_mut();
        let held = held.get_or_insert_with(|| {
            let mut held = Holders::new();
            for (name, view) in &self.releases {
                for object in view.objects.iter().filter_map(objects::reference) {
                    held.entry(key(&object)).or_default().push(name.clone());
                }
            }
            held
        });
        held.get(&key(object)).cloned().unwrap_or_default()
    }

    /// A CRD, as earlier hops leave it. Notes that it is the same object, by UID: one that was deleted and made again has
    /// lost its objects.
    pub fn crd(&self, name: &str) -> Option<Crd> {
        let mut crd = self.inventory.crds.iter().find(|crd| crd.name == name)?.clone();
        self.note_field(crd_ref(name), "/metadata/uid", Test::Equals(Operand::Value(json!(crd.uid))));
        if let Some(version) = self.stored_as.borrow().get(name) {
            crd.stored = vec![version.clone()];
        }
        for release in self.releases.values().filter(|release| release.by.is_some()) {
            if let Some(object) = objects::crd(&release.objects, name) {
                predict(&mut crd, object);
            }
        }
        Some(crd)
    }

    /// From now on every object of a CRD is stored in one version.
    pub fn stores(&self, crd: &str, version: &str) {
        self.stored_as.borrow_mut().insert(crd.to_owned(), version.to_owned());
    }

    /// Notes that Helm leaves an object which a chart no longer holds.
    pub fn note_keep(&self, object: &ObjectRef) {
        let pointer = format!("/metadata/annotations/{}", objects::token(objects::KEEP));
        self.note_field(object.clone(), &pointer, Test::Equals(Operand::Value(json!("keep"))));
    }

    /// Notes that there are at most so many objects of a CRD, unless it is gone.
    pub fn note_at_most(&self, crd: &Crd, most: u64) {
        let (object, pointer, is) = (Target::Object(crd_ref(&crd.name)), String::new(), Test::Absent {});
        let count =
            KubeCondition::Count { find: all_of(crd), each: Vec::new(), at_least: None, at_most: Some(most) };
        let gone = Condition::Kube(KubeCondition::Field { object, pointer, is });
        self.note(Condition::Any(vec![gone, Condition::Kube(count)]), None);
    }

    /// A container of a Deployment: its position and image. Notes both.
    pub fn container(
        &self,
        deployment: &ObjectName,
        container: &str,
    ) -> Option<(&'a Workload, usize, &'a str)> {
        let object = ObjectRef::new("apps/v1", "Deployment", deployment);
        let workload = *self.workloads.get(&object)?;
        let (index, found) = workload.containers.iter().enumerate().find(|(_, c)| c.name == container)?;
        for (field, value) in [("name", &found.name), ("image", &found.image)] {
            let pointer = format!("/spec/template/spec/containers/{index}/{field}");
            self.note_field(object.clone(), &pointer, Test::Equals(Operand::Value(json!(value))));
        }
        Some((workload, index, &found.image))
    }

    /// What a hop puts a field of an object back to, if one does. Not a predicate by itself.
    pub fn put_back(&self, object: &ObjectRef, pointer: &'static str) -> Option<Value> {
        let put_back = self.put_back.borrow();
        put_back.get(&field(object, pointer)).map(|(value, _)| value.clone())
    }

    /// Notes what a field of an object holds, as earlier hops leave it.
    pub fn note_held(&self, object: &ObjectRef, pointer: &'static str, observed: &Value) {
        let put_back = self.put_back.borrow();
        let put_back = put_back.get(&field(object, pointer));
        let is = match put_back.map_or(observed, |(value, _)| value) {
            Value::Null => Test::Absent {},
            value => Test::Equals(Operand::Value(value.clone())),
        };
        let by = put_back.map(|(_, by)| by);
        let object = Target::Object(object.clone());
        let field = |pointer: &str, is| {
            let (object, pointer) = (object.clone(), pointer.to_owned());
            Condition::Kube(KubeCondition::Field { object, pointer, is })
        };
        // An object that is gone has no such field either.
        if is == (Test::Absent {}) {
            self.note(field("", Test::Present {}), by);
        }
        self.note(field(pointer, is), by);
    }

    /// Notes that a Deployment is not scaled to 0, unless it was observed to be.
    pub fn note_runs(&self, deployment: &ObjectRef) {
        let workload = self.workloads.get(deployment);
        if workload.is_none_or(|workload| workload.replicas > 0) {
            self.note_field(deployment.clone(), "/spec/replicas", Test::AtLeast(1));
        }
    }

    /// From now on a field of an object is what it was before an earlier run of the operation changed it.
    pub fn puts_back(&self, object: &ObjectRef, pointer: &'static str, value: Value, by: &StepId) {
        self.put_back.borrow_mut().insert(field(object, pointer), (value, by.clone()));
    }

    /// The suspension on a field of an object that an earlier run of the operation left, for the hop that resumes it: what the field
    /// held first, and the capture that puts it back.
    pub fn take_over(&self, object: &ObjectRef, pointer: &str) -> Option<(&'a Value, &'a CaptureName)> {
        let mut open = self.left_open.borrow_mut();
        let is_it = |suspension: &&LeftSuspended| {
            matches!(suspension.held.leaves().first(),
                Some(Condition::Kube(KubeCondition::Field { object: Target::Object(held), pointer: at, .. }))
                    if same(held, object) && at == pointer)
        };
        let position = open.iter().position(is_it)?;
        let capture = open.get(position)?.puts_back.first()?;
        // A suspension whose first value is not there stays among those that nobody resumes.
        let first = self.captured(capture)?;
        open.remove(position);
        Some((first, capture))
    }

    /// A value that an earlier run of the operation captured.
    fn captured(&self, capture: &CaptureName) -> Option<&'a Value> {
        let captures = self.inventory.carry_over.as_ref()?.captures.get(&capture.step)?;
        match captures.get(&capture.name)? {
            Captured::Scalar(value) => Some(value),
            Captured::Artifact { .. } => None,
        }
    }

    /// Suspensions that an earlier run left and no hop resumes.
    pub fn left_open(&self) -> Vec<&'a LeftSuspended> {
        self.left_open.borrow().clone()
    }

    /// A field of something that the cloud provider describes. Notes it; `by` is the step that leaves it so, absent when it was
    /// observed.
    pub fn cloud(&self, of: &CloudRef, pointer: &str, value: Value, by: Option<&StepId>) {
        let is = Test::Equals(Operand::Value(value));
        self.note(
            Condition::Cloud(CloudCondition::Field { of: of.clone(), pointer: pointer.to_owned(), is }),
            by,
        );
    }

    /// Every release as earlier hops leave it, for checks whose result is a diagnostic.
    pub fn releases(&self) -> impl Iterator<Item = (&ObjectName, &ReleaseView)> {
        self.releases.iter()
    }

    /// The inventory, for checks whose result is a diagnostic and not part of a step.
    pub fn inventory(&self) -> &'a Inventory {
        self.inventory
    }
}

/// What a CRD becomes when a chart's object replaces it: new objects are stored in its storage version, and old ones stay
/// stored as they are.
fn predict(crd: &mut Crd, object: &Value) {
    let owned =
        |flag| objects::versions(object, Some(flag)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    crd.served = owned("served");
    if let Some(storage) = owned("storage").pop() {
        if !crd.stored.contains(&storage) {
            crd.stored.push(storage.clone());
        }
        crd.storage = storage;
    }
    crd.keep |= objects::keeps(object);
}

/// Every object of a CRD.
pub fn all_of(crd: &Crd) -> Find {
    let (api_version, kind) = (crd.api_version(), crd.kind.clone());
    Find { api_version, kind, namespace: None, labels: BTreeMap::new() }
}

/// A CRD as an object.
pub fn crd_ref(name: &str) -> ObjectRef {
    ObjectRef::new("apiextensions.k8s.io/v1", "CustomResourceDefinition", &ObjectName::cluster(name))
}
