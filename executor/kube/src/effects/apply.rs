//! `kube.apply`: server-side apply of one object.

use serde_json::Value;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    name::ObjectRef,
    plan::KubeApply,
};

use crate::{
    api::{Kinds, MANAGER, PatchKind, Sought, Writer, query_path},
    classify::CallError,
    fields,
    target::{done, refused},
};

pub(super) async fn run(api: &Writer, effect: &KubeApply) -> Result<Outcome, CallError> {
    let Some(object) = reference(&effect.object) else {
        return Ok(refused("the object to apply has no apiVersion, kind or metadata.name"));
    };
    let kinds = Kinds::new(&api.read);
    let resource = kinds.of(&object).await?;
    let sought = Sought::new(&resource, object.namespace.as_deref(), &object.name);
    let mut query = vec![("fieldManager", MANAGER), ("fieldValidation", "Strict")];
    if effect.force {
        query.push(("force", "true"));
    }
    Ok(
        match api
            .patch((sought, &query_path(&sought.path()?, &query)), PatchKind::Apply, &effect.object)
            .await
        {
            Ok(kept) => compared(&effect.object, &kept, &object),
            Err(error) => error.of_write(),
        },
    )
}

/// Done only if the API server kept all that was sent.
fn compared(sent: &Value, kept: &Value, object: &ObjectRef) -> Outcome {
    let lost = fields::lost(sent, kept);
    if lost.is_empty() {
        let version = fields::text(kept, "/metadata/resourceVersion");
        return done(format!("{object} applied (resourceVersion {version})"));
    }
    let mut lines = vec![format!("{object} was written, but the API server dropped fields that were sent")];
    lines.extend(lost.into_iter().take(20).map(|path| format!("dropped: {path}")));
    // Written by half: nothing of it can be taken for done, and sending it again would drop the same fields.
    Outcome::InDoubt { class: Class::Refused, evidence: Evidence(lines) }
}

/// Which object a manifest is of.
pub(super) fn reference(object: &Value) -> Option<ObjectRef> {
    let text =
        |pointer| Some(fields::text(object, pointer)).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(ObjectRef {
        api_version: text("/apiVersion")?,
        kind: text("/kind")?,
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn p20_fields_that_the_server_dropped_are_no_success() {
        let sent =
            json!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, "spec": {"old": 1, "new": 2}});
        let mut kept = sent.clone();
        let object = reference(&sent).unwrap();
        assert!(matches!(compared(&sent, &kept, &object), Outcome::Done { .. }));
        kept["spec"] = json!({"old": 1});
        let Outcome::InDoubt { class, evidence } = compared(&sent, &kept, &object) else { panic!("done") };
        assert_eq!((class, evidence.0[1].as_str()), (Class::Refused, "dropped: .spec.new"));
    }
}
