//! Conditions on what AWS describes.

mod addresses;
mod cloud;
mod insights;

use serde_json::Value;
use switchback_executor::{env::Clock, ports::Classify as _};
use switchback_schemas::{journal::Verdict, plan::CloudCondition};

pub(crate) use addresses::subnets;
pub(crate) use cloud::read;
pub(crate) use insights::{list as insights, status as insight_status};

use crate::{
    aws::{Aws, Purpose},
    classify::CallError,
    targets::Targets,
};

/// Asks a condition. It only reads.
pub(crate) async fn check(
    aws: &Aws,
    targets: &Targets,
    clock: &dyn Clock,
    condition: &CloudCondition<Value>,
) -> Verdict {
    let verdict: Result<Verdict, CallError> = async {
        match condition {
            CloudCondition::Field { of, pointer, is } => cloud::check(aws, targets, of, pointer, is).await,
            CloudCondition::Insights { target, category, kubernetes, accepted_until } => {
                let resource = targets.of(target, "eks")?;
                let session = aws.session(resource, Purpose::Check).await;
                let asked = insights::Asked { category: *category, kubernetes, accepted_until };
                insights::check(&session, resource.arn.name(), &asked, clock.now()).await
            }
            CloudCondition::FreeAddresses { target, at_least } => {
                let resource = targets.of(target, "eks")?;
                let session = aws.session(resource, Purpose::Check).await;
                addresses::check(&session, resource.arn.name(), *at_least).await
            }
        }
    }
    .await;
    verdict.unwrap_or_else(|error| error.verdict())
}

/// Holds or fails, with the same evidence.
fn verdict(holds: bool, line: &str) -> Verdict {
    let line = switchback_executor::untrusted::text::line(line);
    if holds { Verdict::holds(line) } else { Verdict::fails(line) }
}
