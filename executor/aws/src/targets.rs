//! What targets of a plan are at AWS.

use std::collections::BTreeMap;

use switchback_schemas::{
    name::Label,
    plan::{Arn, AwsResource},
};

use crate::classify::CallError;

/// Resources by target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets(pub(crate) BTreeMap<Label, AwsResource>);

impl Targets {
    /// A target that is at AWS.
    pub(crate) fn find(&self, target: &Label) -> Result<&AwsResource, CallError> {
        let missing =
            || CallError::malformed(format!("the target {target} has no resource at AWS in this plan"));
        self.0.get(target).ok_or_else(missing)
    }

    /// A target that is of a service.
    pub(crate) fn of(&self, target: &Label, service: &str) -> Result<&AwsResource, CallError> {
        let found = self.find(target)?;
        match found.arn.service() == service {
            true => Ok(found),
            false => Err(other(&found.arn, service)),
        }
    }
}

fn other(arn: &Arn, service: &str) -> CallError {
    CallError::malformed(format!("{arn} is nothing of {service}"))
}
