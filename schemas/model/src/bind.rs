//! Binding: filling in what only the run knows, before a driver sees an effect.
//!
//! What is bound has another type: in it no target is an item of a roll and no operand a capture, so that nothing else can reach
//! a driver. What cannot be bound is an error of the plan, which `lint` finds before anything runs.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::{
    StepId,
    journal::Item,
    name::{ObjectName, ObjectRef},
    plan::{Arguments, BoundObject, Operand, Target},
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

/// What is filled in: an effect, a condition or a capture is bound by its `map`.
pub struct Binder<'run> {
    /// The node that a roll is at.
    pub item: Option<&'run Item>,
    /// Captures of this run, by step and name; objects are a list.
    pub captured: &'run BTreeMap<(StepId, String), Value>,
}

impl Binder<'_> {
    fn item(&self) -> Result<&Item, BindError> {
        self.item.ok_or(BindError::NoItem)
    }
}

impl Arguments for Binder<'_> {
    type Value = Value;
    type Object = BoundObject;
    type Error = BindError;

    fn value(&mut self, operand: &Operand) -> Result<Value, BindError> {
        match operand {
            Operand::Value(value) => Ok(value.clone()),
            Operand::Captured { step, name } => {
                let captured = self.captured.get(&(step.clone(), name.clone())).cloned();
                captured.ok_or_else(|| BindError::NotCaptured { step: step.clone(), name: name.clone() })
            }
            Operand::ItemProviderId {} => {
                let item = self.item()?;
                let id = item.provider_id.clone();
                id.map(Value::String).ok_or_else(|| BindError::NoProviderId(item.name.clone()))
            }
        }
    }

    fn object(&mut self, target: &Target) -> Result<BoundObject, BindError> {
        let (api_version, kind, name, uid, provider_id) = match target {
            Target::Object(object) => return Ok(BoundObject::named(object.clone())),
            Target::ItemNode {} => {
                let item = self.item()?;
                ("v1", "Node", &item.name, item.key.to_string(), item.provider_id.clone())
            }
            Target::ItemNodeClaim {} => {
                let item = self.item()?;
                let claim = item.node_claim.as_ref();
                let claim = claim.ok_or_else(|| BindError::NoNodeClaim(item.name.clone()))?;
                ("karpenter.sh/v1", "NodeClaim", &claim.name, claim.uid.clone(), None)
            }
        };
        let object = ObjectRef::new(api_version, kind, &ObjectName::cluster(name));
        Ok(BoundObject { object, uid: Some(uid), provider_id })
    }
}
