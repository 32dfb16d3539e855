//! Identity: the credentials for every purpose are of the resource's account, and the resource describes itself by its name.

use std::collections::BTreeSet;

use switchback_schemas::plan::{Arn, AwsResource, Proof};

use crate::{
    aws::{Aws, Purpose, Session},
    classify::CallError,
    eks, rds,
};

/// Shows which resource is spoken to. The roles to go forward and back are taken on too, so that a role that cannot be had is
/// found before the first effect.
pub(crate) async fn show(aws: &Aws, resource: &AwsResource) -> Result<Proof, CallError> {
    let mut seen = BTreeSet::new();
    for purpose in [Purpose::Check, Purpose::Apply, Purpose::Rollback] {
        if seen.insert(purpose.role(resource).cloned()) {
            let session = aws.session(resource, purpose).await;
            let caller = session.caller().await?;
            if caller.account != resource.arn.account() {
                return Err(CallError::NoCredentials {
                    what: format!(
                        "{} is of account {}, and {} is of account {}; name a role of that account in the Platform",
                        caller.arn,
                        caller.account,
                        resource.arn,
                        resource.arn.account()
                    ),
                });
            }
        }
    }
    let session = aws.session(resource, Purpose::Check).await;
    let Some(text) = described(&session, resource).await? else {
        return Err(CallError::malformed(format!("{} does not exist", resource.arn)));
    };
    let arn: Arn = text.parse().map_err(|_| CallError::Garbled { what: format!("{text:?} is no ARN") })?;
    match arn == resource.arn {
        true => Ok(Proof::Arn { arn }),
        false => Err(CallError::malformed(format!("{} describes itself as {arn}", resource.arn))),
    }
}

/// The name by which the resource describes itself.
async fn described(session: &Session, resource: &AwsResource) -> Result<Option<String>, CallError> {
    let name = resource.arn.name();
    Ok(match resource.arn.service() {
        "eks" => eks::cluster(session, name).await?.map(|found| found.arn.unwrap_or_default()),
        "rds" => rds::instance(session, name).await?.map(|found| found.db_instance_arn.unwrap_or_default()),
        other => return Err(CallError::malformed(format!("{other} is no service of this driver"))),
    })
}
