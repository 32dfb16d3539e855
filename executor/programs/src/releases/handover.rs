//! Objects that go from one release to another as they are.
//!
//! Helm adopts an object that carries the annotations and the label of the release, and refuses any other that is there: so those of
//! what is taken over are written first, and nothing else can be taken along. Helm deletes what a revision no longer holds unless the live
//! object says to keep it (seen with 3.22 and 4.3, `tests/contract/rows/helm_rollbacks.rs`): so what is left says so while helm works, and
//! no longer.

use serde_json::{Value, json};
use switchback_executor::ports::Call;
use switchback_schemas::{
    journal::{Class, Outcome, Verdict},
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, FieldTest, Handover, KubeCondition, KubeEffect, KubePatch, LEFT_BY, SetField, Test},
};

use super::{HelmDriver, not_done};
use crate::helm::{namespace, refused};

/// Where Helm's word to keep an object stands.
pub(super) const KEEP: &str = "/metadata/annotations/helm.sh~1resource-policy";
/// Where the release that holds an object stands.
const NAME: &str = "/metadata/annotations/meta.helm.sh~1release-name";
/// Where its namespace stands.
const NAMESPACE: &str = "/metadata/annotations/meta.helm.sh~1release-namespace";
/// Where it stands that Helm manages it at all.
const MANAGED: &str = "/metadata/labels/app.kubernetes.io~1managed-by";

impl HelmDriver {
    /// Marks objects as a release's that were another's, or nobody's. What is not there helm makes by itself; what is the release's already
    /// stays so.
    pub(super) async fn take(
        &self,
        call: &Call,
        release: &ObjectName,
        takes: &[Handover],
    ) -> Result<(), Outcome> {
        for (number, (other, object)) in each(takes).enumerate() {
            let given = self.give(call, object, other, release).await;
            given.map_err(|outcome| after(number > 0, outcome))?;
        }
        Ok(())
    }

    /// Gives what a release left back to those to whom it goes.
    pub(super) async fn give_back(
        &self,
        call: &Call,
        release: &ObjectName,
        leaves: &[Handover],
    ) -> Result<(), Outcome> {
        for (other, object) in each(leaves) {
            // It was nobody's before the release took it, or the release made it: then it stays as it is.
            let Some(other) = other else { continue };
            if self.is(call, object, NAME, Test::Equals(json!(release.name))).await? {
                self.give(call, object, Some(release), other).await?;
            }
        }
        Ok(())
    }

    async fn give(
        &self,
        call: &Call,
        object: &ObjectRef,
        from: Option<&ObjectName>,
        to: &ObjectName,
    ) -> Result<(), Outcome> {
        if !self.is(call, object, "", Test::Present {}).await? {
            return Ok(());
        }
        let is = |pointer: &str, is| FieldTest { pointer: pointer.to_owned(), is };
        let only_if = match from {
            Some(from) => vec![
                is(NAME, Test::Equals(json!(from.name))),
                is(NAMESPACE, Test::Equals(json!(namespace(from).map_err(not_done)?))),
            ],
            None => vec![is(NAME, Test::Absent {})],
        };
        let set = [
            (NAME, json!(to.name)),
            (NAMESPACE, json!(namespace(to).map_err(not_done)?)),
            (MANAGED, json!("Helm")),
        ];
        self.patch(call, object, only_if, &set).await
    }

    /// Marks objects so that Helm leaves them standing. What says so already is left as it is.
    pub(super) async fn keep(
        &self,
        call: &Call,
        release: &ObjectName,
        leaves: &[Handover],
    ) -> Result<(), Outcome> {
        for (number, (_, object)) in each(leaves).enumerate() {
            let kept = self.keep_one(call, release, object).await;
            kept.map_err(|outcome| after(number > 0, outcome))?;
        }
        Ok(())
    }

    async fn keep_one(&self, call: &Call, release: &ObjectName, object: &ObjectRef) -> Result<(), Outcome> {
        let keeps = Test::Equals(json!("keep"));
        if !self.is(call, object, "", Test::Present {}).await?
            || self.is(call, object, KEEP, keeps.clone()).await?
        {
            return Ok(());
        }
        let set = [(KEEP, json!("keep")), (&mark(), json!(release.to_string()))];
        self.patch(call, object, Vec::new(), &set).await?;
        // Helm is not called unless the mark stands.
        match self.is(call, object, KEEP, keeps).await? {
            true => Ok(()),
            false => Err(not_done(refused(format!("{object} does not keep its mark"))).in_part()),
        }
    }

    /// Takes the marks off that were written for this, and no others.
    pub(super) async fn unmark(&self, call: &Call, leaves: &[Handover]) -> Result<(), Outcome> {
        for (_, object) in each(leaves) {
            if self.is(call, object, &mark(), Test::Present {}).await? {
                let set = [(KEEP, Value::Null), (&mark(), Value::Null)];
                self.patch(call, object, Vec::new(), &set).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn patch(
        &self,
        call: &Call,
        object: &ObjectRef,
        only_if: Vec<FieldTest<Value>>,
        set: &[(&str, Value)],
    ) -> Result<(), Outcome> {
        let set = set.iter().map(|(pointer, to)| SetField { pointer: (*pointer).to_owned(), to: to.clone() });
        let object = BoundObject::named(object.clone());
        let patch = KubePatch { object, subresource: None, only_if, set: set.collect() };
        match self.kube.apply(call, &KubeEffect::Patch(patch)).await {
            Outcome::Done { .. } => Ok(()),
            other => Err(other),
        }
    }

    pub(super) async fn is(
        &self,
        call: &Call,
        object: &ObjectRef,
        pointer: &str,
        is: Test<Value>,
    ) -> Result<bool, Outcome> {
        let object = BoundObject::named(object.clone());
        let condition = KubeCondition::Field { object, pointer: pointer.to_owned(), is };
        match self.kube.check(call, &condition).await {
            Verdict::Holds { .. } => Ok(true),
            Verdict::Fails { .. } => Ok(false),
            Verdict::Unknown { evidence } => Err(Outcome::NotDone { class: Class::Unreachable, evidence }),
        }
    }
}

/// Where the mark stands that an object is kept for the length of a call.
fn mark() -> String {
    format!("/metadata/annotations/{}", LEFT_BY.replace('/', "~1"))
}

fn each(handed: &[Handover]) -> impl Iterator<Item = (Option<&ObjectName>, &ObjectRef)> {
    handed.iter().flat_map(|handed| handed.objects.iter().map(|object| (handed.other.as_ref(), object)))
}

/// All of these objects.
pub(super) fn objects(handed: &[Handover]) -> Vec<&ObjectRef> {
    each(handed).map(|(_, object)| object).collect()
}

/// What went wrong, once objects may have been marked.
pub(super) fn after(marked: bool, outcome: Outcome) -> Outcome {
    if marked { outcome.in_part() } else { outcome }
}
