//! Effects: one file each.

mod admit;
mod apply;
mod cordon;
mod delete;
mod drain;
mod migrate_storage;
mod node_job;
mod patch;
mod placed;
mod restart_pods;
mod restore;
mod tried;

use serde_json::Value;
use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::Outcome,
    plan::{BoundObject, KubeEffect},
};

use crate::{api::Writer, classify::CallError, target::unconfirmed};

/// Times that a compare-and-set is begun anew because something else of the object moved (a heartbeat, a status).
const ANEW: u32 = 5;

/// Calls an effect.
pub(crate) async fn apply(api: &Writer, call: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome {
    let ended = match effect {
        KubeEffect::Admit(effect) => admit::run(api, effect).await,
        KubeEffect::TryCreate(effect) => tried::create(api, effect).await,
        KubeEffect::TryUpdate(effect) => tried::update(api, effect).await,
        KubeEffect::Apply(effect) => apply::run(api, effect).await,
        KubeEffect::Patch(effect) => patch::run(api, effect).await,
        KubeEffect::Restore(effect) => restore::run(api, effect).await,
        KubeEffect::Delete(effect) => delete::run(api, effect).await,
        KubeEffect::MigrateStorage(effect) => migrate_storage::run(api, effect).await,
        KubeEffect::Cordon(effect) => cordon::run(api, call, effect).await,
        KubeEffect::RestartPods(effect) => restart_pods::run(api, effect).await,
        KubeEffect::NodeJob(effect) => node_job::run(api, call, effect).await,
        KubeEffect::Drain(effect) => drain::run(api, call, effect).await,
    };
    // What an effect hands up as an error is a reading before its first write; writes are classified where they are made.
    ended.unwrap_or_else(|error| match &error {
        CallError::NotServed { .. } => {
            unconfirmed(call, &error.to_string()).unwrap_or_else(|| error.of_read())
        }
        _ => error.of_read(),
    })
}
