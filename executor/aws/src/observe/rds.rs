//! An instance of RDS, and its manual snapshots.

use aws_sdk_rds::types::{DbInstance, DbSnapshot};
use switchback_executor::untrusted::fields::shown;
use switchback_schemas::{
    inventory::rds::{RdsInstance, Snapshot},
    plan::Arn,
};

use super::Gaps;
use crate::{aws::Session, classify::CallError, rds, time};

/// Reads an instance; `None` when it cannot be read.
pub(super) async fn read(session: &Session, arn: &Arn, gaps: &mut Gaps) -> Option<RdsInstance> {
    let name = arn.name();
    let what = || format!("RDS instance {name}");
    let Some(found) = gaps.note(what, rds::instance(session, name).await)? else {
        gaps.say(what(), format!("there is no {arn}"));
        return None;
    };
    let described = found.db_instance_arn().unwrap_or_default();
    if described != arn.as_str() {
        gaps.say(what(), format!("these credentials see {described}, and {arn} was asked for"));
        return None;
    }
    let listed = snapshots(session, name).await;
    let snapshots = gaps.note(|| format!("snapshots of RDS instance {name}"), listed).unwrap_or_default();
    Some(instance(arn, &found, snapshots))
}

fn instance(arn: &Arn, of: &DbInstance, snapshots: Vec<Snapshot>) -> RdsInstance {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let endpoint = of.endpoint().map(|endpoint| {
        format!("{}:{}", endpoint.address().unwrap_or_default(), endpoint.port().unwrap_or_default())
    });
    let facts = rds::facts::instance(of);
    let pending = facts.pointer("/PendingModifiedValues").and_then(serde_json::Value::as_object);
    let pending = pending.into_iter().flatten().map(|(name, value)| format!("{name}: {}", shown(value)));
    RdsInstance {
        arn: arn.clone(),
        resource_id: text(of.dbi_resource_id()),
        status: text(of.db_instance_status()),
        engine: text(of.engine()),
        engine_version: text(of.engine_version()),
        class: text(of.db_instance_class()),
        storage: of.allocated_storage().and_then(|storage| u64::try_from(storage).ok()).unwrap_or_default(),
        endpoint: endpoint.unwrap_or_default(),
        database: of.db_name().map(str::to_owned),
        multi_az: of.multi_az().unwrap_or(false),
        deletion_protection: of.deletion_protection().unwrap_or(false),
        cluster: of.db_cluster_identifier().map(str::to_owned),
        pending: pending.collect(),
        restorable_until: time::instant(of.latest_restorable_time()),
        snapshots,
    }
}

async fn snapshots(session: &Session, instance: &str) -> Result<Vec<Snapshot>, CallError> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let sent = session
            .rds
            .describe_db_snapshots()
            .db_instance_identifier(instance)
            .snapshot_type("manual")
            .set_marker(next)
            .send();
        let page = session.call(sent).await?;
        found.extend(page.db_snapshots().iter().map(snapshot));
        next = page.marker;
        if next.is_none() {
            found.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(found);
        }
    }
}

fn snapshot(of: &DbSnapshot) -> Snapshot {
    Snapshot {
        name: of.db_snapshot_identifier().unwrap_or_default().to_owned(),
        status: of.status().unwrap_or_default().to_owned(),
        made: time::instant(of.snapshot_create_time()),
    }
}
