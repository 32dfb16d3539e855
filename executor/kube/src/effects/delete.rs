//! `kube.delete`: deletes one object under its UID.

use serde_json::json;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::Outcome,
    plan::{BoundObject, KubeDelete},
};

use crate::{
    api::{Kinds, Writer},
    classify::CallError,
    fields,
    target::{self, done},
};

pub(super) async fn run(api: &Writer, effect: &KubeDelete<BoundObject>) -> Result<Outcome, CallError> {
    let kinds = Kinds::new(&api.read);
    let found = target::find(&api.read, &kinds, &effect.object).await?;
    let Some(object) = found.object()? else { return Ok(done(format!("{} is gone", found.named))) };
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Ok(done(format!("{} is being deleted already", found.named)));
    }
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": fields::text(object, "/metadata/uid")},
        "propagationPolicy": "Background",
    });
    Ok(match api.delete(found.sought(), &options).await {
        Ok(()) => done(format!("{} deleted", found.named)),
        // The object that was meant went away in between; another one of its name is not ours to delete.
        Err(error) if found.sought().is_gone(&error) || error.is_other_uid() => {
            done(format!("{} is gone", found.named))
        }
        Err(error) => error.of_write(),
    })
}
