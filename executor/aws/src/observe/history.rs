//! Updates of a cluster: which are under way, and when it came to the minor that it is at.

use aws_sdk_eks::types::{Update as Described, UpdateParamType, UpdateType};
use jiff::Timestamp;
use switchback_schemas::{Version, inventory::eks::Update};

use super::Gaps;
use crate::{
    aws::Session,
    classify::CallError,
    eks::updates::{self, Of},
    time,
};

/// Updates of a cluster that are looked at.
const MOST: usize = 100;

/// What is known of a cluster's updates.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) in_progress: Vec<Update>,
    pub(super) upgraded_at: Option<Timestamp>,
}

/// Reads the control plane's updates.
pub(super) async fn read(session: &Session, cluster: &str, at: &Version, gaps: &mut Gaps) -> History {
    let found = all(session, cluster, Of::Cluster, gaps).await;
    History {
        in_progress: found
            .iter()
            .filter(|update| updates::is_open(update))
            .filter_map(|u| told(u, cluster))
            .collect(),
        upgraded_at: upgraded_at(&found, at),
    }
}

/// Updates of a node group or an add-on that are under way.
pub(super) async fn open(session: &Session, cluster: &str, of: Of<'_>, gaps: &mut Gaps) -> Vec<Update> {
    let name = match of {
        Of::Cluster => cluster,
        Of::Nodegroup(name) | Of::Addon(name) => name,
    };
    let found = all(session, cluster, of, gaps).await;
    found.iter().filter(|update| updates::is_open(update)).filter_map(|update| told(update, name)).collect()
}

async fn all(session: &Session, cluster: &str, of: Of<'_>, gaps: &mut Gaps) -> Vec<Described> {
    let what = || format!("updates of {}", of.named(cluster));
    let mut ids = gaps.note(what, updates::ids(session, cluster, of).await).unwrap_or_default();
    if ids.len() > MOST {
        gaps.say(what(), format!("there are more than {MOST}; the others were not looked at"));
        ids.truncate(MOST);
    }
    let mut found = Vec::new();
    for id in ids {
        let read: Result<_, CallError> = updates::update(session, cluster, of, &id).await;
        found.extend(gaps.note(|| format!("update {id} of {}", of.named(cluster)), read).flatten());
    }
    found
}

fn told(update: &Described, of: &str) -> Option<Update> {
    Some(Update {
        id: update.id()?.to_owned(),
        kind: update.r#type()?.as_str().to_owned(),
        of: of.to_owned(),
        began: time::instant(update.created_at())?,
    })
}

/// When the update to this minor began, which is earlier than its end, from which EKS counts the days of the rollback. `None`
/// when the cluster was brought here by a rollback: from there is no further rollback.
fn upgraded_at(found: &[Described], at: &Version) -> Option<Timestamp> {
    let to_here = |update: &&Described| {
        let to = updates::parameter(update, &UpdateParamType::Version);
        updates::is_successful(update) && to.parse::<Version>().is_ok_and(|to| to.is_of(&at.minor_line()))
    };
    let moved = found.iter().filter(to_here).filter_map(|update| {
        let kind = update
            .r#type()
            .filter(|kind| matches!(kind, UpdateType::VersionUpdate | UpdateType::VersionRollback))?;
        Some((time::instant(update.created_at())?, kind.clone()))
    });
    match moved.max_by_key(|(began, _)| *began) {
        Some((began, UpdateType::VersionUpdate)) => Some(began),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{UpdateParam, UpdateStatus};
    use aws_smithy_types::DateTime;

    use super::*;

    fn update(kind: UpdateType, to: &str, status: UpdateStatus, second: i64) -> Described {
        let version = UpdateParam::builder().r#type(UpdateParamType::Version).value(to).build();
        Described::builder()
            .id(format!("u-{second}"))
            .r#type(kind)
            .status(status)
            .params(version)
            .created_at(DateTime::from_secs(second))
            .build()
    }

    #[test]
    fn the_last_way_to_a_minor_counts() {
        use UpdateStatus::{Failed, Successful};
        use UpdateType::{VersionRollback, VersionUpdate};
        let at: Version = "1.33".parse().unwrap();
        let went = update(VersionUpdate, "1.33", Successful, 100);
        let earlier = update(VersionUpdate, "1.32", Successful, 50);
        let failed = update(VersionUpdate, "1.33", Failed, 200);
        let second = |found: &[Described]| upgraded_at(found, &at).map(Timestamp::as_second);
        assert_eq!(second(&[earlier.clone(), failed, went.clone()]), Some(100));
        assert_eq!(second(&[earlier]), None, "made at its minor, or nobody knows");
        assert_eq!(second(&[went, update(VersionRollback, "1.33", Successful, 300)]), None);
    }
}
