//! How the arguments of effects and conditions name things that only the run knows, and how they are filled in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{StepId, name::ObjectRef};

/// An argument that is known now, or that the run fills in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Operand {
    /// A value that the plan fixes.
    Value(Value),
    /// What a step captured before its effect: a scalar, or the list of the objects.
    Captured {
        /// The step.
        step: StepId,
        /// The capture's name.
        name: String,
    },
    /// The provider id of the node that a roll is at, frozen with its batch.
    ItemProviderId {},
}

/// An object that an effect acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Target {
    /// A named object.
    Object(ObjectRef),
    /// The node that a roll is at, by the name and UID that were frozen with its batch.
    ItemNode {},
    /// The NodeClaim of the node that a roll is at.
    ItemNodeClaim {},
}

/// A target as a driver is given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundObject {
    /// The object.
    pub object: ObjectRef,
    /// Its UID, where that is known: an object of the same name and another UID is another object.
    pub uid: Option<String>,
    /// For a node, the machine that it stands for, where that is known: it stays when the node registers anew.
    pub provider_id: Option<String>,
}

impl BoundObject {
    /// An object of a name, whichever it is.
    pub fn named(object: ObjectRef) -> Self {
        Self { object, uid: None, provider_id: None }
    }
}

/// What arguments become, one by one: values of a run, or the same of another plan.
pub trait Arguments {
    /// What an operand becomes.
    type Value;
    /// What a target becomes.
    type Object;
    /// Why one becomes nothing.
    type Error;

    /// An operand.
    fn value(&mut self, operand: &Operand) -> Result<Self::Value, Self::Error>;

    /// A target.
    fn object(&mut self, target: &Target) -> Result<Self::Object, Self::Error>;
}

/// A list, item by item.
pub(super) fn mapped<I, O, E>(list: &[I], item: impl FnMut(&I) -> Result<O, E>) -> Result<Vec<O>, E> {
    list.iter().map(item).collect()
}
