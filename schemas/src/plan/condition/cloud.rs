//! Conditions on what APIs of the cloud provider describe.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Test;
use crate::{
    Version,
    name::Label,
    plan::{Arguments, CloudRef, InsightCategory, Operand},
};

/// Asked of the cloud provider's APIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CloudCondition")]
pub enum CloudCondition<V = Operand> {
    /// A field of something that an API of the cloud provider describes passes a test. A missing thing has no fields.
    Field {
        /// The thing.
        of: CloudRef,
        /// JSON pointer into the answer; empty for the whole.
        pointer: String,
        /// What must be true of it.
        is: Test<V>,
    },
    /// The EKS insights of a category have no error, no warning about this minor and nothing unknown, except for findings that somebody
    /// accepted. Findings that are older than a day are unknown (user-pain P-01, P-09).
    Insights {
        /// The cluster.
        target: Label,
        /// Which of them.
        category: InsightCategory,
        /// The minor that they are about.
        kubernetes: Version,
        /// Findings that are accepted, by name, each until an instant: at it and after it the finding counts again.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        accepted_until: BTreeMap<String, Timestamp>,
    },
    /// The subnets of an EKS cluster have so many free addresses together, and no subnet none.
    FreeAddresses {
        /// The cluster.
        target: Label,
        /// How many.
        at_least: u64,
    },
}

impl CloudCondition {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<CloudCondition<A::Value>, A::Error> {
        Ok(match self {
            Self::Field { of, pointer, is } => {
                CloudCondition::Field { of: of.clone(), pointer: pointer.clone(), is: is.map(by)? }
            }
            Self::Insights { target, category, kubernetes, accepted_until } => CloudCondition::Insights {
                target: target.clone(),
                category: *category,
                kubernetes: kubernetes.clone(),
                accepted_until: accepted_until.clone(),
            },
            Self::FreeAddresses { target, at_least } => {
                CloudCondition::FreeAddresses { target: target.clone(), at_least: *at_least }
            }
        })
    }
}
