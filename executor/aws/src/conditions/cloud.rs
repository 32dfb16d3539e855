//! A field of something that AWS describes passes a test.

use serde_json::Value;
use switchback_executor::untrusted::fields;
use switchback_schemas::{
    journal::Verdict,
    plan::{CloudKind, CloudRef, Test},
};

use super::verdict;
use crate::{
    aws::{Aws, Purpose},
    classify::CallError,
    eks, rds,
    targets::Targets,
};

pub(super) async fn check(
    aws: &Aws,
    targets: &Targets,
    of: &CloudRef,
    pointer: &str,
    test: &Test<Value>,
) -> Result<Verdict, CallError> {
    let found = read(aws, targets, of, pointer).await?;
    let value = found.as_ref().and_then(|found| found.pointer(pointer));
    let holds = fields::passes(test, value);
    let named = named(of);
    let seen = match (&found, pointer) {
        (None, _) => "it does not exist".to_owned(),
        (Some(_), "") => "it exists".to_owned(),
        (Some(_), _) => fields::shown(value.unwrap_or(&Value::Null)),
    };
    let place = if pointer.is_empty() { named } else { format!("{named} {pointer}") };
    let line = match holds {
        true => format!("{place}: {seen}"),
        false => format!("{place}: expected {}, found {seen}", fields::asked(test)),
    };
    Ok(verdict(holds, &line))
}

fn named(of: &CloudRef) -> String {
    let kind = match of.kind {
        CloudKind::EksCluster => "EKS cluster",
        CloudKind::EksAddon => "EKS add-on",
        CloudKind::EksNodegroup => "EKS node group",
        CloudKind::RdsInstance => "RDS instance",
        CloudKind::RdsSnapshot => "RDS snapshot",
    };
    match &of.name {
        Some(name) => format!("{kind} {name} of {}", of.target),
        None => format!("{kind} {}", of.target),
    }
}

/// What AWS describes, with the fields that are read; `None` when AWS itself says that it is not there.
pub(crate) async fn read(
    aws: &Aws,
    targets: &Targets,
    of: &CloudRef,
    pointer: &str,
) -> Result<Option<Value>, CallError> {
    let (service, listed): (&str, &[&str]) = match of.kind {
        CloudKind::EksCluster => ("eks", &eks::facts::CLUSTER),
        CloudKind::EksAddon => ("eks", &eks::facts::ADDON),
        CloudKind::EksNodegroup => ("eks", &eks::facts::NODEGROUP),
        CloudKind::RdsInstance => ("rds", &rds::facts::INSTANCE),
        CloudKind::RdsSnapshot => ("rds", &rds::facts::SNAPSHOT),
    };
    let field = pointer.split('/').nth(1).unwrap_or_default();
    if !pointer.is_empty() && !listed.contains(&field) {
        return Err(CallError::malformed(format!("{}: the field {pointer:?} is not read", named(of))));
    }
    let resource = targets.of(&of.target, service)?;
    let session = aws.session(resource, Purpose::Check).await;
    let cluster = resource.arn.name();
    let part = || {
        let missing = || CallError::malformed(format!("{}: it is not said which", named(of)));
        of.name.as_deref().ok_or_else(missing)
    };
    Ok(match of.kind {
        CloudKind::EksCluster => eks::cluster(&session, cluster).await?.as_ref().map(eks::facts::cluster),
        CloudKind::EksAddon => eks::addon(&session, cluster, part()?).await?.as_ref().map(eks::facts::addon),
        CloudKind::EksNodegroup => {
            eks::nodegroup(&session, cluster, part()?).await?.as_ref().map(eks::facts::nodegroup)
        }
        CloudKind::RdsInstance => {
            let name = of.name.as_deref().unwrap_or(cluster);
            rds::instance(&session, name).await?.as_ref().map(rds::facts::instance)
        }
        CloudKind::RdsSnapshot => rds::snapshot(&session, part()?).await?.as_ref().map(rds::facts::snapshot),
    })
}
