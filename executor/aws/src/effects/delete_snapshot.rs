//! `rds.delete-snapshot`: a snapshot that a step of the plan took, when nothing rolls back to it any more.

use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::RdsDeleteSnapshot};

use super::Scene;
use crate::{
    classify::CallError,
    outcome::{conflict, done, operation},
    rds::{self, State, snapshot_state},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &RdsDeleteSnapshot) -> Result<Outcome, CallError> {
    let (instance, name) = (scene.name(), effect.snapshot.as_str());
    let Some(found) = rds::snapshot(scene.aws(), name).await? else {
        return Ok(done(format!("snapshot {name} does not exist")));
    };
    let of = found.db_instance_identifier().unwrap_or_default();
    if !of.eq_ignore_ascii_case(instance) {
        return Ok(conflict(format!("snapshot {name} is of instance {of} and not of {instance}")));
    }
    let status = found.status().unwrap_or_default();
    if status == "deleting" || snapshot_state(status) == State::Changing {
        return Ok(operation(name, format!("snapshot {name} is {status}")));
    }
    let sent = scene.aws().rds.delete_db_snapshot().db_snapshot_identifier(name).send();
    Ok(match scene.aws().call(sent).await {
        Ok(_) => operation(name, format!("snapshot {name} is deleting")),
        Err(error) if error.is_not_found() => done(format!("snapshot {name} does not exist")),
        Err(error) => error.of_write(),
    })
}
