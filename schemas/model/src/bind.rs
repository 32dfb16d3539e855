//! Binding: filling in what only the run knows, before a driver sees an effect.
//!
//! After binding, no target is an item of a roll and no operand a capture. What cannot be bound is an error of the
//! plan, which `lint` finds before anything runs.

use serde_json::Value;
use switchback_schemas::{
    StepId,
    journal::Item,
    name::{ObjectName, ObjectRef},
    plan::{CaptureKind, Condition, Effect, FieldTest, NodeTerminate, NodegroupSize, Operand, Target, Test},
};

/// Why something cannot be bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// A capture that was not made.
    #[error("{step} captured no {name:?}")]
    NotCaptured {
        /// The step.
        step: StepId,
        /// The capture.
        name: String,
    },
    /// A node of a roll is named outside of a roll.
    #[error("an item of a roll is named outside of a roll")]
    NoItem,
    /// The node has no NodeClaim.
    #[error("node {0} has no NodeClaim")]
    NoNodeClaim(String),
    /// The node does not say which machine it is.
    #[error("node {0} has no provider id")]
    NoProviderId(String),
}

/// What is filled in.
pub struct Binder<'run> {
    /// The node that a roll is at.
    pub item: Option<&'run Item>,
    /// Scalar captures of this run, by step and name.
    pub captured: &'run dyn Fn(&StepId, &str) -> Option<Value>,
}

type Bound<T> = Result<T, BindError>;

impl Binder<'_> {
    /// Binds an effect.
    pub fn effect(&self, effect: &Effect) -> Bound<Effect> {
        let mut effect = effect.clone();
        match &mut effect {
            Effect::KubePatch(patch) => {
                self.target(&mut patch.object)?;
                self.tests(&mut patch.only_if)?;
                for field in &mut patch.set {
                    self.operand(&mut field.to)?;
                }
            }
            Effect::KubeDelete(delete) => self.target(&mut delete.object)?,
            Effect::NodeCordon(cordon) => self.target(&mut cordon.node)?,
            Effect::NodeDrain(drain) => self.target(&mut drain.node)?,
            Effect::HelmRollback(rollback) => self.operand(&mut rollback.to)?,
            Effect::Wait(wait) => self.in_condition(&mut wait.until)?,
            Effect::EksUpdateAddon(update) => self.operand(&mut update.version)?,
            Effect::EksUpdateNodegroup(update) => {
                update.release.as_mut().map_or(Ok(()), |release| self.operand(release))?;
            }
            Effect::EksCreateNodegroup(create) => self.size(&mut create.size)?,
            Effect::EksScaleNodegroup(scale) => self.size(&mut scale.size)?,
            Effect::NodeTerminate(terminate) => self.machine(terminate)?,
            Effect::RdsProveSnapshot(prove) => self.operand(&mut prove.instance)?,
            Effect::RdsRestore(restore) => self.operand(&mut restore.instance)?,
            Effect::KubeApply(_)
            | Effect::KubeRestore(_)
            | Effect::MigrateStorage(_)
            | Effect::HelmUpgrade(_)
            | Effect::EksUpdateCluster(_)
            | Effect::EksDeleteNodegroup(_)
            | Effect::RdsSnapshot(_)
            | Effect::RdsDeleteSnapshot(_)
            | Effect::RdsDeleteInstance(_)
            | Effect::Command(_)
            | Effect::Notify(_) => {}
        }
        Ok(effect)
    }

    /// Binds a condition.
    pub fn condition(&self, condition: &Condition) -> Bound<Condition> {
        let mut condition = condition.clone();
        self.in_condition(&mut condition)?;
        Ok(condition)
    }

    /// Binds what is captured.
    pub fn capture(&self, what: &CaptureKind) -> Bound<CaptureKind> {
        let mut what = what.clone();
        match &mut what {
            CaptureKind::Field { object, .. } => self.target(object)?,
            CaptureKind::Objects(objects) => objects.iter_mut().try_for_each(|object| self.target(object))?,
            CaptureKind::Revision(_) | CaptureKind::Found(_) | CaptureKind::Cloud { .. } => {}
        }
        Ok(what)
    }

    fn in_condition(&self, condition: &mut Condition) -> Bound<()> {
        match condition {
            Condition::All { of } | Condition::Any { of } => {
                of.iter_mut().try_for_each(|c| self.in_condition(c))
            }
            Condition::Field { object, is, .. } => {
                self.target(object)?;
                self.test(is)
            }
            Condition::Count { each, .. } => self.tests(each),
            Condition::Rollout { object } => self.target(object),
            Condition::Release { revision, .. } => revision.as_mut().map_or(Ok(()), |r| self.operand(r)),
            Condition::Drained { node } => self.target(node),
            Condition::Cloud { is, .. } => self.test(is),
            Condition::ConversionReady { .. }
            | Condition::Insights { .. }
            | Condition::FreeAddresses { .. }
            | Condition::StoredAs { .. }
            | Condition::NodesReady { .. }
            | Condition::Http { .. }
            | Condition::Prometheus { .. }
            | Condition::Command(_) => Ok(()),
        }
    }

    fn size(&self, size: &mut NodegroupSize) -> Bound<()> {
        [&mut size.min, &mut size.desired, &mut size.max].into_iter().try_for_each(|n| self.operand(n))
    }

    /// A machine goes by the provider id that was frozen with its node.
    fn machine(&self, terminate: &mut NodeTerminate) -> Bound<()> {
        let item = matches!(terminate.node, Target::ItemNode {});
        self.target(&mut terminate.node)?;
        if let Some(item) = self.item.filter(|_| item) {
            let id = item.provider_id.clone();
            terminate.provider_id = Some(id.ok_or_else(|| BindError::NoProviderId(item.name.clone()))?);
        }
        Ok(())
    }

    fn tests(&self, tests: &mut [FieldTest]) -> Bound<()> {
        tests.iter_mut().try_for_each(|test| self.test(&mut test.is))
    }

    fn test(&self, test: &mut Test) -> Bound<()> {
        match test {
            Test::Equals(operand) | Test::Differs(operand) => self.operand(operand),
            Test::Present {}
            | Test::Absent {}
            | Test::OneOf(_)
            | Test::Contains(_)
            | Test::AtLeast(_)
            | Test::VersionAtLeast(_)
            | Test::VersionBelow(_) => Ok(()),
        }
    }

    fn operand(&self, operand: &mut Operand) -> Bound<()> {
        if let Operand::Captured { step, name } = operand {
            let missing = || BindError::NotCaptured { step: step.clone(), name: name.clone() };
            *operand = Operand::Value((self.captured)(step, name).ok_or_else(missing)?);
        }
        Ok(())
    }

    fn target(&self, target: &mut Target) -> Bound<()> {
        let item = || self.item.ok_or(BindError::NoItem);
        match target {
            Target::Object(_) | Target::Bound { .. } => {}
            Target::ItemNode {} => {
                let item = item()?;
                let object = ObjectRef::new("v1", "Node", &ObjectName::cluster(&item.name));
                *target = Target::Bound { object, uid: item.key.to_string() };
            }
            Target::ItemNodeClaim {} => {
                let item = item()?;
                let claim =
                    item.node_claim.as_ref().ok_or_else(|| BindError::NoNodeClaim(item.name.clone()))?;
                let object =
                    ObjectRef::new("karpenter.sh/v1", "NodeClaim", &ObjectName::cluster(&claim.name));
                *target = Target::Bound { object, uid: claim.uid.clone() };
            }
        }
        Ok(())
    }
}
