//! `rds.prove-snapshot`: a trial instance is restored from a snapshot, and deleted once it was available.
//!
//! That it was available is written on the snapshot, as a tag, before the trial is deleted: so a process that comes later knows.

use aws_sdk_rds::types::{DbInstance, DbSnapshot};
use serde_json::Value;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::RdsProveSnapshot};

use super::{Scene, snapshot};
use crate::{
    classify::CallError,
    outcome::{conflict, done, operation, refused},
    rds::{self, FROM_TAG, PROVEN_TAG, RUN_TAG, State, instance_state, settings::Settings, tag, tagged},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &RdsProveSnapshot<Value>) -> Result<Outcome, CallError> {
    let (name, trial) = (effect.snapshot.as_str(), effect.trial.as_str());
    if trial.eq_ignore_ascii_case(scene.name()) {
        return Err(CallError::malformed("a trial instance cannot have the name of the database itself"));
    }
    let found = match snapshot::ready(scene, name).await? {
        Ok(found) => found,
        Err(outcome) => return Ok(outcome),
    };
    let proven = tagged(found.tag_list(), PROVEN_TAG) == Some(trial);
    let Some(instance) = rds::instance(scene.aws(), trial).await? else {
        return match proven {
            true => Ok(done(format!(
                "snapshot {name} was restored as {trial} and was available; {trial} is deleted"
            ))),
            false => create(scene, effect).await,
        };
    };
    if tagged(instance.tag_list(), FROM_TAG) != Some(name) {
        return Ok(conflict(format!(
            "an instance {trial} is there that was not restored from snapshot {name}"
        )));
    }
    let status = instance.db_instance_status().unwrap_or_default();
    if status == "deleting" {
        return Ok(operation(trial, format!("trial instance {trial} is deleting")));
    }
    match instance_state(status) {
        // It was available once, and goes whatever it is now.
        State::Ready | State::Broken if proven => Ok(delete(scene, trial, &instance).await),
        State::Ready => {
            if let Err(outcome) = note(scene, &found, trial).await {
                return Ok(outcome);
            }
            Ok(delete(scene, trial, &instance).await)
        }
        State::Changing => {
            Ok(operation(trial, format!("trial instance {trial} from snapshot {name} is {status}")))
        }
        State::Broken => Ok(refused(format!(
            "snapshot {name} could not be restored: trial instance {trial} is {status}; look at its events and delete it"
        ))),
    }
}

async fn create(scene: &Scene<'_>, effect: &RdsProveSnapshot<Value>) -> Result<Outcome, CallError> {
    let (name, trial) = (effect.snapshot.as_str(), effect.trial.as_str());
    let settings = Settings::read(&effect.instance)?;
    let sent = settings
        .trial(scene.aws().rds.restore_db_instance_from_db_snapshot())
        .db_instance_identifier(trial)
        .db_snapshot_identifier(name)
        .tags(tag(RUN_TAG, scene.call.run.as_str()))
        .tags(tag(FROM_TAG, name))
        .send();
    Ok(match scene.aws().call(sent).await {
        Ok(_) => operation(trial, format!("trial instance {trial} from snapshot {name} is creating")),
        // A call whose answer was lost made it; the next one looks at it.
        Err(error) if error.already_exists() => {
            operation(trial, format!("trial instance {trial} is there already, and is looked at next"))
        }
        Err(error) => error.of_write(),
    })
}

/// Writes on the snapshot that it was restored.
async fn note(scene: &Scene<'_>, snapshot: &DbSnapshot, trial: &str) -> Result<(), Outcome> {
    let sent = scene
        .aws()
        .rds
        .add_tags_to_resource()
        .resource_name(snapshot.db_snapshot_arn().unwrap_or_default())
        .tags(tag(PROVEN_TAG, trial))
        .send();
    scene.aws().call(sent).await.map(|_| ()).map_err(|error| error.of_write())
}

async fn delete(scene: &Scene<'_>, trial: &str, instance: &DbInstance) -> Outcome {
    if instance.deletion_protection() == Some(true) {
        // It was made without, so somebody or a policy of the account has set it since.
        let sent = scene
            .aws()
            .rds
            .modify_db_instance()
            .db_instance_identifier(trial)
            .deletion_protection(false)
            .apply_immediately(true)
            .send();
        return match scene.aws().call(sent).await {
            Ok(_) => operation(
                trial,
                format!("trial instance {trial} loses its protection, and is deleted after that"),
            ),
            Err(error) => error.of_write(),
        };
    }
    let sent = scene
        .aws()
        .rds
        .delete_db_instance()
        .db_instance_identifier(trial)
        .skip_final_snapshot(true)
        .delete_automated_backups(true)
        .send();
    match scene.aws().call(sent).await {
        Ok(_) => operation(trial, format!("trial instance {trial} was available and is deleting")),
        Err(error) if error.is_not_found() => operation(trial, format!("trial instance {trial} is gone")),
        Err(error) => error.of_write(),
    }
}
