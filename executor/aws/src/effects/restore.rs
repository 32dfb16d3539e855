//! `rds.restore`: an instance as a snapshot holds it, under its own name; the live one is kept aside.
//!
//! Where it stands is read from what is there. The live instance is known by the resource id that was captured, which a rename
//! keeps and a restore does not:
//!
//! | under its name | aside | then |
//! |---|---|---|
//! | the captured one | nothing | rename it aside |
//! | nothing | the captured one | restore the snapshot under the name |
//! | another one | the captured one | that is the restored one: wait for it, and mend settings that did not take |

use aws_sdk_rds::types::DbInstance;
use serde_json::Value;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::RdsRestore};

use super::{Scene, snapshot};
use crate::{
    classify::CallError,
    outcome::{conflict, done, operation, person, refused},
    rds::{self, FROM_TAG, RUN_TAG, State, facts, instance_state, settings::Settings, tag, tagged},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &RdsRestore<Value>) -> Result<Outcome, CallError> {
    let settings = Settings::read(&effect.instance)?;
    let (name, aside) = (scene.name(), effect.aside.as_str());
    if aside.eq_ignore_ascii_case(name) {
        return Err(CallError::malformed("an instance cannot be put aside under its own name"));
    }
    let live = rds::instance(scene.aws(), name).await?;
    let kept = rds::instance(scene.aws(), aside).await?;
    let is_captured = |instance: &DbInstance| instance.dbi_resource_id() == Some(settings.resource_id());
    match (live, kept) {
        (Some(live), None) if is_captured(&live) => put_aside(scene, effect, &live).await,
        (Some(live), Some(_)) if is_captured(&live) => Ok(conflict(format!(
            "instance {name} cannot be put aside as {aside}: an instance of that name is there already"
        ))),
        (None, Some(kept)) if is_captured(&kept) => bring_back(scene, effect, &settings, &kept).await,
        (Some(live), Some(kept)) if is_captured(&kept) => see(scene, effect, &settings, &live).await,
        (Some(live), None) if tagged(live.tag_list(), FROM_TAG) == Some(effect.snapshot.as_str()) => {
            see(scene, effect, &settings, &live).await
        }
        (Some(live), _) => Ok(conflict(format!(
            "instance {name} is {}, neither the one that was captured ({}) nor one restored from snapshot {}",
            live.dbi_resource_id().unwrap_or("of no resource id"),
            settings.resource_id(),
            effect.snapshot
        ))),
        (None, Some(_)) => Ok(conflict(format!(
            "instance {name} does not exist, and {aside} is another one than was captured ({})",
            settings.resource_id()
        ))),
        // In the middle of a rename RDS may show neither for a moment.
        (None, None) => Ok(person(format!(
            "neither {name} nor {aside} is there; if that stays so, restore snapshot {} as {name} without Switchback and resume",
            effect.snapshot
        ))),
    }
}

/// Renames the live instance, once it is sure that there is something to restore.
async fn put_aside(
    scene: &Scene<'_>,
    effect: &RdsRestore<Value>,
    live: &DbInstance,
) -> Result<Outcome, CallError> {
    let (name, aside) = (scene.name(), effect.aside.as_str());
    let status = live.db_instance_status().unwrap_or_default();
    match instance_state(status) {
        State::Changing => {
            return Ok(operation(
                aside,
                format!("instance {name} is {status}; it is put aside as {aside} after that"),
            ));
        }
        State::Broken if status == "deleting" => {
            return Ok(conflict(format!("instance {name} is deleting, not by this run")));
        }
        // Whatever else is wrong with it is why it goes aside; RDS says if it cannot be renamed so.
        State::Ready | State::Broken => {}
    }
    if let Err(outcome) = snapshot::ready(scene, &effect.snapshot).await? {
        return Ok(outcome);
    }
    let sent = scene
        .aws()
        .rds
        .modify_db_instance()
        .db_instance_identifier(name)
        .new_db_instance_identifier(aside)
        // Without this it would wait for the maintenance window.
        .apply_immediately(true)
        .send();
    Ok(match scene.aws().call(sent).await {
        Ok(_) => operation(aside, format!("instance {name} is renamed to {aside}")),
        Err(error) => error.of_write(),
    })
}

/// Restores the snapshot under the name that is free now.
async fn bring_back(
    scene: &Scene<'_>,
    effect: &RdsRestore<Value>,
    settings: &Settings<'_>,
    kept: &DbInstance,
) -> Result<Outcome, CallError> {
    let (name, aside) = (scene.name(), effect.aside.as_str());
    let status = kept.db_instance_status().unwrap_or_default();
    if instance_state(status) == State::Changing {
        return Ok(operation(aside, format!("instance {aside}, which was {name}, is {status}")));
    }
    if let Err(outcome) = snapshot::ready(scene, &effect.snapshot).await? {
        return Ok(outcome);
    }
    let mut restore = settings
        .restore(scene.aws().rds.restore_db_instance_from_db_snapshot())
        .db_instance_identifier(name)
        .db_snapshot_identifier(&effect.snapshot)
        .tags(tag(RUN_TAG, scene.call.run.as_str()))
        .tags(tag(FROM_TAG, &effect.snapshot));
    for (key, value) in settings.tags() {
        restore = restore.tags(tag(&key, &value));
    }
    let sent = restore.send();
    Ok(match scene.aws().call(sent).await {
        Ok(_) => operation(name, format!("instance {name} is restored from snapshot {}", effect.snapshot)),
        Err(error) if error.already_exists() => {
            operation(name, format!("instance {name} is there already, and is looked at next"))
        }
        Err(error) => error.of_write(),
    })
}

/// Looks at the restored instance.
async fn see(
    scene: &Scene<'_>,
    effect: &RdsRestore<Value>,
    settings: &Settings<'_>,
    live: &DbInstance,
) -> Result<Outcome, CallError> {
    let (name, snapshot) = (scene.name(), effect.snapshot.as_str());
    let status = live.db_instance_status().unwrap_or_default();
    match instance_state(status) {
        State::Ready => {}
        State::Changing => {
            return Ok(operation(name, format!("instance {name} from snapshot {snapshot} is {status}")));
        }
        State::Broken => {
            return Ok(refused(format!(
                "instance {name} from snapshot {snapshot} is {status}; the one before is kept as {}",
                effect.aside
            )));
        }
    }
    let differ = settings.differences(&facts::instance(live));
    if differ.is_empty() {
        return Ok(done(format!(
            "instance {name} is restored from snapshot {snapshot} as {} and available; the one before is kept as {}",
            live.dbi_resource_id().unwrap_or("a new resource"),
            effect.aside
        )));
    }
    let mending = format!("settings of {name}");
    if scene.call.operation.as_deref() == Some(mending.as_str()) {
        return Ok(refused(format!(
            "instance {name} is restored and available, and these settings are not as they were: {}",
            differ.join(", ")
        )));
    }
    let sent =
        settings.mend(scene.aws().rds.modify_db_instance().db_instance_identifier(name), &differ).send();
    Ok(match scene.aws().call(sent).await {
        Ok(_) => operation(mending, format!("instance {name} gets settings back: {}", differ.join(", "))),
        Err(error) => error.of_write(),
    })
}
