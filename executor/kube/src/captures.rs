//! Captures: what is read and kept before an effect. Secrets are never captured.

use serde_json::{Value, json};
use switchback_executor::ports::{Capturing, Classify as _, Failure};
use switchback_schemas::{
    journal::{Class, Evidence},
    name::ObjectName,
    plan::{BoundObject, KubeCapture},
};

use crate::{
    api::{Kinds, Reader, Seen},
    classify::CallError,
    conditions::count,
    helm, target,
};

pub(crate) async fn capture(api: &Reader, what: &KubeCapture<BoundObject>) -> Result<Capturing, Failure> {
    match what {
        KubeCapture::Field { object, pointer } => field(api, object, pointer).await,
        KubeCapture::Revision(release) => revision(api, release).await,
        KubeCapture::Objects(targets) => {
            let mut objects = Vec::new();
            for target in targets {
                // What is not there is captured as not being there.
                objects.extend(object(api, target).await?.map(slim));
            }
            Ok(Capturing::Objects(objects))
        }
        KubeCapture::Found(find) => {
            no_secret(&find.kind)?;
            let objects = count::found(api, find).await.map_err(|error| error.failure())?;
            Ok(Capturing::Objects(objects.into_iter().map(slim).collect()))
        }
        KubeCapture::Kinds(finds) => {
            let mut all = Vec::new();
            for find in finds {
                no_secret(&find.kind)?;
                let objects = count::found(api, find).await.map_err(|error| error.failure())?;
                all.extend(objects.into_iter().map(slim));
            }
            Ok(Capturing::Objects(all))
        }
    }
}

async fn field(api: &Reader, target: &BoundObject, pointer: &str) -> Result<Capturing, Failure> {
    let object = object(api, target).await?;
    let value = object.as_ref().and_then(|object| object.pointer(pointer));
    Ok(Capturing::Scalar(value.cloned().unwrap_or(Value::Null)))
}

async fn object(api: &Reader, target: &BoundObject) -> Result<Option<Value>, Failure> {
    let read = |error: CallError| error.failure();
    no_secret(&target.object.kind)?;
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, target).await.map_err(read)?;
    Ok(found.object().map_err(read)?.cloned().map(Seen::into_object))
}

/// The revision that is deployed, which must exist: a rollback to nothing is no rollback (user-pain P-37).
async fn revision(api: &Reader, release: &ObjectName) -> Result<Capturing, Failure> {
    let secrets = helm::secrets(api, release).await.map_err(|error| error.failure())?;
    for secret in secrets.iter().rev() {
        let stored = helm::decode(secret).map_err(|error| refused(format!("release {release}: {error}")))?;
        if stored.status == "deployed" {
            return Ok(Capturing::Scalar(json!(stored.revision)));
        }
    }
    Err(refused(format!("release {release} has no deployed revision to roll back to")))
}

fn no_secret(kind: &str) -> Result<(), Failure> {
    if kind == "Secret" {
        return Err(refused("objects of kind Secret are never captured".to_owned()));
    }
    Ok(())
}

fn refused(line: String) -> Failure {
    Failure { class: Class::Refused, evidence: Evidence::line(line) }
}

/// Who wrote which field is no part of what is put back.
fn slim(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}
