//! Owners: a change written past its owner is undone by it. So a component asks for a change of a subject, and the owner of
//! the subject writes the steps: forward, back, and the proof that it was made.
//!
//! A component names no owner. An owner is a line of [`OWNERS`]; it may as well live outside of this crate and be given to a
//! [`crate::registry::Registry`].

mod eks;
mod helm;
mod kubectl;
pub mod release;

use serde_json::Value;
use switchback_schemas::{
    Label, Seconds, Version,
    lock::Render,
    manifest::{AcceptedDeletion, OwnerKind},
    name::{ObjectName, ObjectRef},
    plan::{Arn, FieldTest, Need},
};

pub use self::eks::at as cluster_at;
use crate::{
    context::Cx,
    evidence::{Evidence, Found},
    lower::{Draft, HopScope, Lowering},
    predicted::Predicted,
};

/// All owners of this build.
pub const OWNERS: [&dyn Owner; 3] = [&helm::Helm, &kubectl::Kubectl, &eks::Eks];

/// Who writes a change so that it lasts.
pub trait Owner: Sync {
    /// Which owner it is, in evidence and in the Platform's `owners:`.
    fn kind(&self) -> OwnerKind;

    /// Whether it makes changes of a subject. It is asked for no other.
    fn makes(&self, subject: &Subject<'_>) -> bool;

    /// Whether a change is there already, as an earlier run of the operation left it. Notes what it looked at, if it is.
    fn is_there(&self, desired: &Desired<'_>, predicted: &Predicted<'_>) -> bool;

    /// The step that makes a change, with what undoes it and what proves it. Steps that come before it are added to `out`, and it
    /// waits for them. `None` where what is in the way was said.
    fn change(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>, out: &mut Lowering) -> Option<Draft>;

    /// A step that only proves that a change is there and works.
    fn prove(&self, asked: &Asked<'_>, predicted: &mut Predicted<'_>) -> Option<Draft>;
}

/// A change of a subject.
#[derive(Debug)]
pub enum Desired<'a> {
    /// A release at a chart and values.
    Release(DesiredRelease<'a>),
    /// A field of an object at a value.
    Field(DesiredField),
    /// A cluster at a minor.
    Cluster(DesiredCluster),
    /// A release that is taken out of its owner's sight, while its objects stay.
    Detached(&'a ObjectName),
}

/// A release at a chart and values.
#[derive(Clone, Copy, Debug)]
pub struct DesiredRelease<'a> {
    /// The chart with its values, rendered.
    pub render: &'a Render,
    /// How long its workloads may take to become ready.
    pub within: Seconds,
    /// Whether CRDs of the chart's `crds/` directory are applied with it; not where another release holds them.
    pub with_crds: bool,
    /// Objects of custom kinds that it may delete; `None` where the manifest has no field to accept that by.
    pub deletes: Option<&'a [AcceptedDeletion]>,
    /// Whether it is installed where it is not there.
    pub installs: bool,
    /// What it may take over.
    pub adopts: Adopts<'a>,
}

/// What a release may take over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Adopts<'a> {
    /// Releases of which it may take what its chart holds.
    pub releases: &'a [ObjectName],
    /// Whether it may take CRDs that no release holds.
    pub loose: bool,
    /// Whether the manifest has fields to allow more.
    pub by_manifest: bool,
}

/// A field of an object at a value.
#[derive(Clone, Debug)]
pub struct DesiredField {
    /// The object.
    pub object: ObjectRef,
    /// Where the field is: a JSON pointer.
    pub pointer: String,
    /// The same for people.
    pub path: String,
    /// What it is, for people: `the image of Deployment ml/mlflow`.
    pub what: String,
    /// What else has to be as it was observed.
    pub only_if: Vec<FieldTest>,
    /// What it has.
    pub before: Value,
    /// What it is to have.
    pub after: Value,
    /// Its name among what the step captures.
    pub capture: &'static str,
    /// How long pods that the change restarts may take to be ready; `None` where it restarts none.
    pub restarts: Option<Seconds>,
}

/// A cluster at a minor.
#[derive(Debug)]
pub struct DesiredCluster {
    /// The cluster.
    pub arn: Arn,
    /// The UID of its namespace `kube-system`, which says that the API server which answers is its own.
    pub uid: String,
    /// The minor that it has.
    pub from: Version,
    /// The minor that it is to have.
    pub to: Version,
    /// How it rolls back, and until when.
    pub back: ClusterBack,
}

/// How a cluster rolls back to the minor before.
#[derive(Debug)]
pub enum ClusterBack {
    /// It is taken back, while the provider does that.
    Window(Window),
    /// It cannot be taken back.
    Never {
        /// Why.
        why: String,
        /// What a person does instead.
        recovery: String,
    },
}

/// Until when a cluster is taken back, and what has to be done and looked at before.
#[derive(Debug, Default)]
pub struct Window {
    /// Rollback steps that come before.
    pub after: Vec<switchback_schemas::StepId>,
    /// What is read before.
    pub reads: Vec<switchback_schemas::plan::Read>,
    /// When it stops being possible.
    pub expires: Vec<switchback_schemas::plan::Expiry>,
}

/// A change that a component asks for, with all that its steps are called by.
pub struct Asked<'a> {
    /// The platform.
    pub cx: &'a Cx<'a>,
    /// Who can write it.
    pub owners: Owners<'a>,
    /// What the steps of the hop share.
    pub scope: &'a HopScope,
    /// The part of the step's id.
    pub part: &'a str,
    /// The step's title.
    pub title: String,
    /// What is asked for.
    pub desired: Desired<'a>,
    /// What comes before all of it.
    pub needs: Vec<Need>,
    /// Where a manifest asks for it.
    pub place: Label,
}

impl Asked<'_> {
    /// The step that makes the change, by its owner. All that the owner adds waits for what is needed. `None` where what is in the
    /// way was said.
    pub fn change(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) -> Option<Draft> {
        let before = out.steps.len();
        let draft = self.owner()?.change(self, predicted, out)?;
        for step in out.steps.iter_mut().skip(before).filter(|step| step.needs.is_empty()) {
            step.needs.clone_from(&self.needs);
        }
        Some(draft.after(self.needs.iter().cloned()))
    }

    /// A step that only proves that the change is there and works.
    pub fn prove(&self, predicted: &mut Predicted<'_>) -> Option<Draft> {
        Some(self.owner()?.prove(self, predicted)?.after(self.needs.iter().cloned()))
    }

    /// Whether the change is there already, as an earlier run of the operation left it.
    pub fn is_there(&self, predicted: &Predicted<'_>) -> bool {
        self.owner().is_some_and(|owner| owner.is_there(&self.desired, predicted))
    }

    fn owner(&self) -> Option<&dyn Owner> {
        let subject = match &self.desired {
            Desired::Release(desired) => Subject::Release(&desired.render.release),
            Desired::Field(desired) => Subject::Object(&desired.object),
            Desired::Cluster(desired) => Subject::Cluster(&desired.arn),
            Desired::Detached(release) => Subject::Release(release),
        };
        self.owners.of(self.cx, &subject, &self.place)
    }
}

/// What somebody owns.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'s> {
    /// A release.
    Release(&'s ObjectName),
    /// An object.
    Object(&'s ObjectRef),
    /// A cluster.
    Cluster(&'s Arn),
}

impl Subject<'_> {
    /// Who writes it where nobody else is known to own it.
    fn natural(&self) -> OwnerKind {
        match self {
            Subject::Release(_) => OwnerKind::Helm,
            Subject::Object(_) => OwnerKind::Kubectl,
            Subject::Cluster(_) => OwnerKind::Eks,
        }
    }
}

/// The owners that there are.
#[derive(Clone, Copy)]
pub struct Owners<'a> {
    list: &'a [&'a dyn Owner],
}

impl<'a> Owners<'a> {
    /// These.
    pub fn new(list: &'a [&'a dyn Owner]) -> Self {
        Self { list }
    }

    fn kind(&self, kind: OwnerKind) -> Option<&'a dyn Owner> {
        self.list.iter().copied().find(|owner| owner.kind() == kind)
    }

    /// The owner of a subject; where there is none that makes changes of it, that is said. Where that is waived, whoever writes
    /// such a subject where nobody owns it.
    pub fn of(&self, cx: &Cx<'_>, subject: &Subject<'_>, place: &Label) -> Option<&'a dyn Owner> {
        let natural = subject.natural();
        let objects = match subject {
            Subject::Release(name) => {
                let objects = cx.index.release(name).map(|release| release.objects.as_slice());
                release::workloads(objects.unwrap_or_default(), name)
            }
            Subject::Object(object) => vec![(*object).clone()],
            Subject::Cluster(_) => Vec::new(),
        };
        let mut owner = natural;
        let mut wrong = false;
        for object in &objects {
            let evidence = Evidence::of(cx, object);
            let found = match evidence.owner(natural) {
                // That the release is there is evidence that Helm made it.
                Found::Nobody if natural == OwnerKind::Helm => continue,
                Found::Owner(found) if found == natural || found == owner => continue,
                Found::Owner(found)
                    if owner == natural && self.kind(found).is_some_and(|owner| owner.makes(subject)) =>
                {
                    owner = found;
                    continue;
                }
                Found::Owner(found) => evidence.past(found, natural),
                Found::Nobody | Found::Several => evidence.unknown(),
            };
            wrong |= !cx.findings.say_about(&object.to_string(), found.at(place.clone()));
        }
        if wrong { None } else { self.kind(owner) }
    }
}
