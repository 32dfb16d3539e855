//! `rds.delete-instance`: an instance that a restore put aside. Protection from deletion is taken off first, and what the instance
//! holds stays as its last snapshot.

use switchback_executor::ports::Classify as _;
use switchback_schemas::{journal::Outcome, plan::RdsDeleteInstance};

use super::Scene;
use crate::{
    classify::CallError,
    outcome::{done, operation},
    rds::{self, State, instance_state},
};

pub(super) async fn run(scene: &Scene<'_>, effect: &RdsDeleteInstance) -> Result<Outcome, CallError> {
    let (name, last) = (effect.instance.as_str(), effect.last_snapshot.as_str());
    if name.eq_ignore_ascii_case(scene.name()) {
        return Err(CallError::malformed("the database itself is never deleted"));
    }
    let Some(found) = rds::instance(scene.aws(), name).await? else {
        return Ok(done(format!("instance {name} does not exist; it was kept as snapshot {last}")));
    };
    let status = found.db_instance_status().unwrap_or_default();
    if status == "deleting" || instance_state(status) == State::Changing {
        return Ok(operation(name, format!("instance {name} is {status}")));
    }
    if found.deletion_protection() == Some(true) {
        let sent = scene
            .aws()
            .rds
            .modify_db_instance()
            .db_instance_identifier(name)
            .deletion_protection(false)
            .apply_immediately(true)
            .send();
        return Ok(match scene.aws().call(sent).await {
            Ok(_) => {
                operation(name, format!("instance {name} loses its protection, and is deleted after that"))
            }
            Err(error) => error.of_write(),
        });
    }
    let sent = scene
        .aws()
        .rds
        .delete_db_instance()
        .db_instance_identifier(name)
        .skip_final_snapshot(false)
        .final_db_snapshot_identifier(last)
        .send();
    Ok(match scene.aws().call(sent).await {
        Ok(_) => operation(name, format!("instance {name} is deleting, and is kept as snapshot {last}")),
        Err(error) if error.is_not_found() => done(format!("instance {name} does not exist")),
        Err(error) => error.of_write(),
    })
}
