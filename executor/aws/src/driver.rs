//! The driver: all that AWS answers.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;
use switchback_executor::{
    env::Clock,
    ports::{Call, Capturing, Classify as _, Cloud, Failure},
};
use switchback_schemas::{
    journal::{Outcome, Verdict},
    name::Label,
    plan::{AwsResource, CloudCapture, CloudCondition, CloudRef, EksEffect, Proof, RdsEffect},
};

use crate::{aws::Aws, classify::CallError, conditions, effects, proof, targets::Targets};

/// Speaks to AWS about the targets of a plan.
///
/// It keeps nothing between calls but credentials, and retries nothing: whether a call is sent again is decided by the journal.
pub struct AwsDriver {
    aws: Aws,
    targets: Targets,
    clock: Arc<dyn Clock>,
}

impl AwsDriver {
    /// `targets` is what the plan's identities say of AWS; `clock` is domain time, by which findings grow old.
    pub fn new(aws: Aws, targets: BTreeMap<Label, AwsResource>, clock: Arc<dyn Clock>) -> Self {
        Self { aws, targets: Targets(targets), clock }
    }

    async fn captured(&self, of: &CloudRef, pointer: &str) -> Result<Capturing, CallError> {
        let found = conditions::read(&self.aws, &self.targets, of, pointer).await?;
        let value = found.as_ref().and_then(|found| found.pointer(pointer));
        Ok(Capturing::Scalar(value.cloned().unwrap_or(Value::Null)))
    }
}

#[async_trait]
impl Cloud for AwsDriver {
    async fn eks(&self, call: &Call, effect: &EksEffect<Value>) -> Outcome {
        effects::eks(&self.aws, &self.targets, call, effect).await
    }

    async fn rds(&self, call: &Call, effect: &RdsEffect<Value>) -> Outcome {
        effects::rds(&self.aws, &self.targets, call, effect).await
    }

    async fn check(&self, condition: &CloudCondition<Value>) -> Verdict {
        conditions::check(&self.aws, &self.targets, self.clock.as_ref(), condition).await
    }

    async fn capture(&self, what: &CloudCapture) -> Result<Capturing, Failure> {
        self.captured(&what.of, &what.pointer).await.map_err(|error| error.failure())
    }

    async fn proof(&self, target: &Label) -> Option<Result<Proof, Failure>> {
        let resource = self.targets.0.get(target)?;
        Some(proof::show(&self.aws, resource).await.map_err(|error| error.failure()))
    }
}
