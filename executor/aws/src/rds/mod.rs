//! RDS: what its API describes, and the settings that a restore would lose.

pub(crate) mod facts;
pub(crate) mod settings;

use aws_sdk_rds::types::{DbInstance, DbSnapshot};

use crate::{aws::Session, classify::CallError, eks::absent};

/// Tag of what a run made.
pub(crate) const RUN_TAG: &str = "switchback.dev/run";

/// Tag of an instance that was restored: the snapshot.
pub(crate) const FROM_TAG: &str = "switchback.dev/restored-from";

/// Tag of a snapshot that was restored once to prove it: the trial instance.
pub(crate) const PROVEN_TAG: &str = "switchback.dev/proven-by";

/// An instance; `None` when RDS says that there is none.
pub(crate) async fn instance(session: &Session, name: &str) -> Result<Option<DbInstance>, CallError> {
    let sent = session.rds.describe_db_instances().db_instance_identifier(name).send();
    let Some(answer) = absent(session.call(sent).await)? else { return Ok(None) };
    Ok(answer.db_instances.unwrap_or_default().into_iter().find(|found| {
        // RDS keeps names in lower case.
        found.db_instance_identifier().is_some_and(|found| found.eq_ignore_ascii_case(name))
    }))
}

/// A snapshot.
pub(crate) async fn snapshot(session: &Session, name: &str) -> Result<Option<DbSnapshot>, CallError> {
    let sent = session.rds.describe_db_snapshots().db_snapshot_identifier(name).send();
    let Some(answer) = absent(session.call(sent).await)? else { return Ok(None) };
    Ok(answer
        .db_snapshots
        .unwrap_or_default()
        .into_iter()
        .find(|found| found.db_snapshot_identifier().is_some_and(|found| found.eq_ignore_ascii_case(name))))
}

/// A tag.
pub(crate) fn tag(key: &str, value: &str) -> aws_sdk_rds::types::Tag {
    aws_sdk_rds::types::Tag::builder().key(key).value(value).build()
}

/// The value of a tag.
pub(crate) fn tagged<'a>(tags: &'a [aws_sdk_rds::types::Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
}

/// What an instance or a snapshot in this state is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It can be used.
    Ready,
    /// It will be, by itself.
    Changing,
    /// It will not be.
    Broken,
}

/// What an instance's status means (RDS user guide, "Viewing Amazon RDS DB instance status").
pub(crate) fn instance_state(status: &str) -> State {
    match status {
        "available" | "storage-optimization" | "storage-config-upgrade" => State::Ready,
        "failed"
        | "inaccessible-encryption-credentials"
        | "restore-error"
        | "storage-full"
        | "stopped"
        | "stopping"
        | "deleting"
        | "insufficient-capacity" => State::Broken,
        status if status.starts_with("incompatible-") => State::Broken,
        _ => State::Changing,
    }
}

/// What a snapshot's status means.
pub(crate) fn snapshot_state(status: &str) -> State {
    match status {
        "available" => State::Ready,
        "failed" | "deleting" | "deleted" => State::Broken,
        status if status.starts_with("incompatible-") => State::Broken,
        _ => State::Changing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_do_not_end_by_themselves_are_broken() {
        for (status, state) in [
            ("available", State::Ready),
            ("backing-up", State::Changing),
            ("renaming", State::Changing),
            ("something-new", State::Changing),
            ("incompatible-restore", State::Broken),
            ("storage-full", State::Broken),
        ] {
            assert_eq!(instance_state(status), state, "{status}");
        }
        assert_eq!(snapshot_state("creating"), State::Changing);
        assert_eq!(snapshot_state("failed"), State::Broken);
    }
}
