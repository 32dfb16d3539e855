//! Helm's records as helm finds them: by the label `owner: helm`. A release whose records say another owner is unknown to helm, and its
//! objects stay as they are: nothing deletes them, as `helm uninstall` would (`facts/addenda/kserve.md`, `rollback_0_17_to_0_16`).

use serde_json::{Value, json};
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::{Class, Outcome},
    name::ObjectName,
};

use crate::{
    api::{MANAGER, PatchKind, Sought, Writer, object_path, query_path},
    classify::CallError,
    fields::text,
    helm::{self, Owner},
    nodes::built_in,
    target::{done, not_done, refused},
};

/// Takes every revision of a release out of helm's sight, or gives them back. The newest is the last to go and the first to come back, so
/// that helm never takes an older one for the newest.
pub(crate) async fn detach(api: &Writer, release: &ObjectName, detached: bool) -> Result<Outcome, CallError> {
    let (from, to) = if detached { (Owner::Helm, Owner::Nobody) } else { (Owner::Nobody, Owner::Helm) };
    let mut records = helm::records(&api.read, release, from).await?;
    if !detached {
        records.reverse();
    }
    if records.is_empty() {
        return Ok(match helm::records(&api.read, release, to).await?.is_empty() {
            true => refused(format!("release {release} has no record, neither helm's nor a detached one")),
            false => done(format!("release {release} is {} already", state(detached))),
        });
    }
    for (number, record) in records.iter().enumerate() {
        if let Err(error) = relabel(api, release, record, (from, to)).await {
            let outcome = error.of_write();
            return Ok(if number > 0 { outcome.in_part() } else { outcome });
        }
    }
    Ok(match helm::records(&api.read, release, from).await {
        Ok(left) if left.is_empty() => {
            done(format!("release {release} is {}: {} revisions", state(detached), records.len()))
        }
        Ok(left) => {
            let came = format!("{} records of release {release} came meanwhile", left.len());
            not_done(Class::Conflict, came).in_part()
        }
        Err(error) => error.of_read().in_part(),
    })
}

async fn relabel(
    api: &Writer,
    release: &ObjectName,
    record: &Value,
    (from, to): (Owner, Owner),
) -> Result<(), CallError> {
    let kind = built_in("v1", "Secret")?;
    let (namespace, name) = (release.namespace.as_deref(), text(record, "/metadata/name"));
    let path = object_path(&kind, namespace, Some(name), None)?;
    let path = query_path(&path, &[("fieldManager", MANAGER), ("fieldValidation", "Strict")]);
    let operations = json!([
        {"op": "test", "path": "/metadata/labels/owner", "value": from.label()},
        {"op": "replace", "path": "/metadata/labels/owner", "value": to.label()},
    ]);
    let sought = Sought::new(&kind, namespace, name);
    api.patch((sought, &path), PatchKind::Json, &operations).await.map(drop)
}

fn state(detached: bool) -> &'static str {
    if detached { "detached from helm" } else { "helm's again" }
}
