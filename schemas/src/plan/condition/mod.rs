//! Conditions: the one language for "done when", "verify", "held", "safe to close", gates and read-sets.
//!
//! A condition holds, fails, or cannot be read. Failing and not being readable are never the same.

mod cloud;
mod kube;
mod test;
mod web;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cloud::CloudCondition;
pub use kube::{AccessReview, Find, KubeCondition, OfClasses, PodLogs};
pub use test::{FieldTest, Test};
pub use web::{Compare, HttpRequest, Level, Method, Missing, PromQuery, WebCondition};

use super::{Arguments, Command, Operand, Target, argument::mapped};
use crate::Seconds;

/// Something that can be asked of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Condition")]
pub enum Condition<V = Operand, T = Target> {
    /// All of them hold.
    All(Vec<Self>),
    /// At least one of them holds.
    Any(Vec<Self>),
    /// Asked of a Kubernetes API server.
    Kube(KubeCondition<V, T>),
    /// Asked of the cloud provider's APIs.
    Cloud(CloudCondition<V>),
    /// Asked over HTTP.
    Web(WebCondition<V>),
    /// A command ends with exit code 0.
    Command(Command),
}

impl Condition {
    /// What it asks for one by one: itself, or what its parts ask for.
    pub fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::All(of) | Self::Any(of) => of.iter().flat_map(Self::leaves).collect(),
            leaf => vec![leaf],
        }
    }

    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<Condition<A::Value, A::Object>, A::Error> {
        Ok(match self {
            Self::All(of) => Condition::All(mapped(of, |one| one.map(by))?),
            Self::Any(of) => Condition::Any(mapped(of, |one| one.map(by))?),
            Self::Kube(condition) => Condition::Kube(condition.map(by)?),
            Self::Cloud(condition) => Condition::Cloud(condition.map(by)?),
            Self::Web(condition) => Condition::Web(condition.map(by)?),
            Self::Command(command) => Condition::Command(command.clone()),
        })
    }
}

/// A condition that must come true after an effect, and stay true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verify {
    /// What must hold.
    pub condition: Condition,
    /// How long it must hold without a break.
    #[serde(default, skip_serializing_if = "Seconds::is_zero")]
    pub settle: Seconds,
    /// How long it may take to come true, settling included.
    pub within: Seconds,
    /// For people: which `Verification`, or what it shows.
    pub title: String,
}
