//! `kube.admit`: lets the API server try to create an object, without storing it.

use serde_json::Value;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::KubeAdmit};

use super::apply::reference;
use crate::{
    api::{Kinds, MANAGER, Writer, object_path, query_path},
    classify::CallError,
    target::{done, refused},
};

pub(super) async fn run(api: &Writer, effect: &KubeAdmit) -> Result<Outcome, CallError> {
    let Some(named) = reference(&effect.object) else {
        return Ok(refused("the plan names no object to try"));
    };
    let kinds = Kinds::new(&api.read);
    let resource = kinds.of(&named).await?;
    let path = object_path(&resource, named.namespace.as_deref(), None, None)?;
    let path = query_path(&path, &[("fieldManager", MANAGER), ("dryRun", "All")]);
    let tried: Result<Value, CallError> = api.post(&path, &effect.object).await;
    // Nothing is stored, whatever the answer: no error leaves anything in doubt.
    Ok(tried.map_or_else(|error| error.of_read(), |_| done(format!("{named} would be created"))))
}
