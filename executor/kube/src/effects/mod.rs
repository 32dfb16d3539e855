//! Effects: one file each.

mod apply;
mod cordon;
mod delete;
mod drain;
mod migrate_storage;
mod patch;
mod placed;
mod restore;

use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::{Class, Outcome},
    plan::Effect,
};

use crate::{api::Writer, target::not_done};

/// Times that a compare-and-set is begun anew because something else of the object moved (a heartbeat, a status).
const ANEW: u32 = 5;

/// Whether an effect is done here.
pub(crate) fn is_ours(effect: &Effect) -> bool {
    match effect {
        Effect::KubeApply(_)
        | Effect::KubePatch(_)
        | Effect::KubeRestore(_)
        | Effect::KubeDelete(_)
        | Effect::MigrateStorage(_)
        | Effect::NodeCordon(_)
        | Effect::NodeDrain(_) => true,
        Effect::HelmUpgrade(_)
        | Effect::HelmRollback(_)
        | Effect::EksUpdateCluster(_)
        | Effect::EksUpdateAddon(_)
        | Effect::EksUpdateNodegroup(_)
        | Effect::EksCreateNodegroup(_)
        | Effect::EksScaleNodegroup(_)
        | Effect::EksDeleteNodegroup(_)
        | Effect::NodeTerminate(_)
        | Effect::RdsSnapshot(_)
        | Effect::RdsProveSnapshot(_)
        | Effect::RdsRestore(_)
        | Effect::RdsDeleteSnapshot(_)
        | Effect::RdsDeleteInstance(_)
        | Effect::Command(_)
        | Effect::Notify(_)
        | Effect::Wait(_) => false,
    }
}

/// Calls an effect.
pub(crate) async fn apply(api: &Writer, call: &Call, effect: &Effect) -> Outcome {
    let ended = match effect {
        Effect::KubeApply(effect) => apply::run(api, effect).await,
        Effect::KubePatch(effect) => patch::run(api, effect).await,
        Effect::KubeRestore(effect) => restore::run(api, call, effect).await,
        Effect::KubeDelete(effect) => delete::run(api, effect).await,
        Effect::MigrateStorage(effect) => migrate_storage::run(api, effect).await,
        Effect::NodeCordon(effect) => cordon::run(api, call, effect).await,
        Effect::NodeDrain(effect) => drain::run(api, call, effect).await,
        Effect::HelmUpgrade(_)
        | Effect::HelmRollback(_)
        | Effect::EksUpdateCluster(_)
        | Effect::EksUpdateAddon(_)
        | Effect::EksUpdateNodegroup(_)
        | Effect::EksCreateNodegroup(_)
        | Effect::EksScaleNodegroup(_)
        | Effect::EksDeleteNodegroup(_)
        | Effect::NodeTerminate(_)
        | Effect::RdsSnapshot(_)
        | Effect::RdsProveSnapshot(_)
        | Effect::RdsRestore(_)
        | Effect::RdsDeleteSnapshot(_)
        | Effect::RdsDeleteInstance(_)
        | Effect::Command(_)
        | Effect::Notify(_)
        | Effect::Wait(_) => {
            Ok(not_done(Class::Bug, format!("{} is no effect of this driver", effect.kind())))
        }
    };
    // What an effect hands up as an error is a reading before its first write; writes are classified where they are made.
    ended.unwrap_or_else(|error| error.of_read())
}
