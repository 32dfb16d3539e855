//! `rds.snapshot`: a snapshot under a name that the plan fixes. RDS has no tokens, so the name is what tells it from others.

use aws_sdk_rds::types::DbSnapshot;
use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::RdsSnapshot};

use super::Scene;
use crate::{
    classify::CallError,
    outcome::{conflict, done, operation, refused},
    rds::{self, RUN_TAG, State, instance_state, snapshot_state, tag},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &RdsSnapshot) -> Result<Outcome, CallError> {
    let (instance, name) = (scene.name(), effect.snapshot.as_str());
    if let Some(found) = rds::snapshot(scene.aws(), name).await? {
        return Ok(judge(&found, instance, name));
    }
    let Some(found) = rds::instance(scene.aws(), instance).await? else {
        return Ok(refused(format!("there is no instance {instance} in this account and region")));
    };
    let status = found.db_instance_status().unwrap_or_default();
    match instance_state(status) {
        State::Ready => {}
        State::Changing => {
            return Ok(operation(
                name,
                format!("instance {instance} is {status}; snapshot {name} is made after that"),
            ));
        }
        State::Broken => {
            return Ok(refused(format!("instance {instance} is {status}: no snapshot can be made of it")));
        }
    }
    let sent = scene
        .aws()
        .rds
        .create_db_snapshot()
        .db_instance_identifier(instance)
        .db_snapshot_identifier(name)
        .tags(tag(RUN_TAG, scene.call.run.as_str()))
        .send();
    match scene.aws().call(sent).await {
        Ok(_) => Ok(operation(name, format!("snapshot {name} of instance {instance} is creating"))),
        Err(error) if error.already_exists() => match rds::snapshot(scene.aws(), name).await? {
            Some(found) => Ok(judge(&found, instance, name)),
            None => Ok(error.of_write()),
        },
        Err(error) => Ok(error.of_write()),
    }
}

fn judge(found: &DbSnapshot, instance: &str, name: &str) -> Outcome {
    let of = found.db_instance_identifier().unwrap_or_default();
    if !of.eq_ignore_ascii_case(instance) {
        return conflict(format!(
            "a snapshot {name} is there already, of instance {of} and not of {instance}"
        ));
    }
    let status = found.status().unwrap_or_default();
    match snapshot_state(status) {
        State::Ready => done(format!("snapshot {name} of instance {instance} is available")),
        State::Changing => {
            let percent = found.percent_progress().unwrap_or_default();
            operation(name, format!("snapshot {name} of instance {instance} is {status}, {percent} %"))
        }
        State::Broken => refused(format!("snapshot {name} of instance {instance} is {status}")),
    }
}

/// A snapshot that can be restored, or why not yet or not at all.
pub(super) async fn ready(scene: &Scene<'_>, name: &str) -> Result<Result<DbSnapshot, Outcome>, CallError> {
    let Some(found) = rds::snapshot(scene.aws(), name).await? else {
        return Ok(Err(refused(format!("there is no snapshot {name}"))));
    };
    let status = found.status().unwrap_or_default();
    Ok(match snapshot_state(status) {
        State::Ready => Ok(found),
        State::Changing => {
            let percent = found.percent_progress().unwrap_or_default();
            Err(operation(name, format!("snapshot {name} is {status}, {percent} %")))
        }
        State::Broken => Err(refused(format!("snapshot {name} is {status}"))),
    })
}
