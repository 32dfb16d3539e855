//! Copies of Helm's records. They stay beside the record, as Secrets that Helm does not see: a record holds values that
//! may be secret, and those never leave the platform.

use serde_json::{Value, json};
use switchback_executor::{
    ports::{Call, Classify as _, Failure},
    untrusted::text::line,
};
use switchback_schemas::{
    Digest,
    journal::{Class, Evidence},
    name::ObjectName,
};

use crate::{
    api::{Sought, Writer, object_path},
    fields::text,
    helm,
    nodes::built_in,
};

/// Type of the Secrets that hold copies. Helm looks for its own type and labels only.
const COPY_TYPE: &str = "switchback.dev/release-copy";

/// Keeps a copy of the record of one revision of a release. Its name holds a digest of the record, so a second call finds
/// the first one's copy and no copy is ever written over.
pub(crate) async fn keep(
    api: &Writer,
    call: &Call,
    release: &ObjectName,
    revision: u64,
) -> Result<Evidence, Failure> {
    let failed = |error: crate::classify::CallError| error.failure();
    let secrets = helm::secrets(&api.read, release).await.map_err(failed)?;
    let Some(record) = secrets.iter().find(|secret| helm::revision(secret) == revision) else {
        let why = format!("release {release} has no record of revision {revision} to copy");
        return Err(Failure { class: Class::Conflict, evidence: Evidence::line(line(&why)) });
    };
    let copy = copy_of(record, call, release);
    let (namespace, name) = (release.namespace.as_deref(), text(&copy, "/metadata/name").to_owned());
    let kind = built_in("v1", "Secret").map_err(failed)?;
    let sought = Sought::new(&kind, namespace, &name);
    if api.read.look(sought).await.map_err(failed)?.is_none() {
        let all = object_path(&kind, namespace, None, None).map_err(failed)?;
        api.post(&all, &copy).await.map_err(failed)?;
    }
    // Nothing is repaired unless the copy can be read back.
    let kept = api.read.look(sought).await.map_err(failed)?;
    if kept.as_deref().and_then(|kept| kept.get("data")) != record.get("data") {
        let why = format!("Secret {name} is not the copy of release {release} that it is named for");
        return Err(Failure { class: Class::Conflict, evidence: Evidence::line(line(&why)) });
    }
    let place = namespace.unwrap_or_default();
    Ok(Evidence(vec![
        line(&format!(
            "the record of revision {revision} of release {release} is kept in Secret {place}/{name}"
        )),
        line(&format!("when the release is healthy, delete it: kubectl delete secret {name} -n {place}")),
    ]))
}

fn copy_of(record: &Value, call: &Call, release: &ObjectName) -> Value {
    let data = record.get("data").cloned().unwrap_or_default();
    let digest = Digest::of(data.to_string());
    let name = format!("switchback.{}.{}", text(record, "/metadata/name"), digest.short(10));
    let said = |pointer: &str| text(record, pointer).to_owned();
    json!({"apiVersion": "v1", "kind": "Secret", "type": COPY_TYPE, "immutable": true, "data": data,
        "metadata": {"name": name, "namespace": release.namespace,
            "labels": {"app.kubernetes.io/managed-by": "switchback", "switchback.dev/copy-of": "helm-release"},
            "annotations": {"switchback.dev/run": call.run.to_string(), "switchback.dev/step": call.at.to_string(),
                "switchback.dev/release": release.to_string(), "switchback.dev/revision": said("/metadata/labels/version"),
                "switchback.dev/status": said("/metadata/labels/status"), "switchback.dev/uid": said("/metadata/uid")}}})
}
