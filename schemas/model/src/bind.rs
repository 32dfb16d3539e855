//! Binding: filling in what only the run knows, before a driver sees an effect.
//!
//! After binding, no target is an item of a roll and no operand a capture. What cannot be bound is an error of the
//! plan, which `lint` finds before anything runs.

use serde_json::Value;
use switchback_schemas::{
    StepId,
    journal::Item,
    name::{ObjectName, ObjectRef},
    plan::{Arguments, CaptureKind, Condition, Effect, NodeTerminate, Operand, Target},
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
        if let Effect::NodeTerminate(terminate) = &mut effect {
            self.machine(terminate)?;
        }
        effect.visit(&mut Filled(self))?;
        Ok(effect)
    }

    /// Binds a condition.
    pub fn condition(&self, condition: &Condition) -> Bound<Condition> {
        let mut condition = condition.clone();
        condition.visit(&mut Filled(self))?;
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

    /// A machine goes by the provider id that was frozen with its node.
    fn machine(&self, terminate: &mut NodeTerminate) -> Bound<()> {
        let is_item = matches!(terminate.node, Target::ItemNode {});
        if let Some(item) = self.item.filter(|_| is_item) {
            let id = item.provider_id.clone();
            terminate.provider_id = Some(id.ok_or_else(|| BindError::NoProviderId(item.name.clone()))?);
        }
        Ok(())
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

/// Fills in what a binder knows.
struct Filled<'binder>(&'binder Binder<'binder>);

impl Arguments for Filled<'_> {
    type Error = BindError;

    fn operand(&mut self, operand: &mut Operand) -> Bound<()> {
        self.0.operand(operand)
    }

    fn target(&mut self, target: &mut Target) -> Bound<()> {
        self.0.target(target)
    }
}
