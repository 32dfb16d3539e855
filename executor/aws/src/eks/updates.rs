//! Updates of EKS: looked up, told apart, and put into words.

use aws_sdk_eks::types::{Update, UpdateParamType, UpdateStatus};
use switchback_schemas::journal::Outcome;

use super::absent;
use crate::{aws::Session, classify::CallError, codes::is_capacity, outcome, time};

/// Updates of one thing that are looked at before giving up.
const MOST: usize = 200;

/// Whose updates.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of<'a> {
    /// The control plane's.
    Cluster,
    /// A node group's.
    Nodegroup(&'a str),
    /// An add-on's.
    Addon(&'a str),
}

impl Of<'_> {
    /// For people.
    pub(crate) fn named(self, cluster: &str) -> String {
        match self {
            Self::Cluster => format!("cluster {cluster}"),
            Self::Nodegroup(name) => format!("node group {name} of cluster {cluster}"),
            Self::Addon(name) => format!("add-on {name} of cluster {cluster}"),
        }
    }

    fn nodegroup(self) -> Option<String> {
        if let Self::Nodegroup(name) = self { Some(name.to_owned()) } else { None }
    }

    fn addon(self) -> Option<String> {
        if let Self::Addon(name) = self { Some(name.to_owned()) } else { None }
    }
}

/// An update by its id; `None` when there is none of that id.
pub(crate) async fn update(
    session: &Session,
    cluster: &str,
    of: Of<'_>,
    id: &str,
) -> Result<Option<Update>, CallError> {
    let sent = session
        .eks
        .describe_update()
        .name(cluster)
        .update_id(id)
        .set_nodegroup_name(of.nodegroup())
        .set_addon_name(of.addon())
        .send();
    Ok(absent(session.call(sent).await)?.and_then(|answer| answer.update))
}

/// Ids of updates, as EKS lists them.
pub(crate) async fn ids(session: &Session, cluster: &str, of: Of<'_>) -> Result<Vec<String>, CallError> {
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let sent = session
            .eks
            .list_updates()
            .name(cluster)
            .set_nodegroup_name(of.nodegroup())
            .set_addon_name(of.addon())
            .set_next_token(next)
            .send();
        let page = session.call(sent).await?;
        found.extend(page.update_ids().iter().cloned());
        next = page.next_token;
        if next.is_none() || found.len() >= MOST {
            found.truncate(MOST);
            return Ok(found);
        }
    }
}

/// The update that is under way. `said` is what a refusal said, which often names it.
pub(crate) async fn under_way(
    session: &Session,
    cluster: &str,
    of: Of<'_>,
    said: &str,
) -> Result<Option<Update>, CallError> {
    for id in ids_in(said) {
        if let Some(update) = update(session, cluster, of, id).await?
            && is_open(&update)
        {
            return Ok(Some(update));
        }
    }
    for id in ids(session, cluster, of).await? {
        if let Some(update) = update(session, cluster, of, &id).await?
            && is_open(&update)
        {
            return Ok(Some(update));
        }
    }
    Ok(None)
}

/// Words of a message that may be ids of updates: UUIDs.
fn ids_in(said: &str) -> impl Iterator<Item = &str> {
    let hex = |word: &&str| {
        let groups: Vec<usize> = word.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
    };
    said.split(|c: char| !c.is_ascii_hexdigit() && c != '-').filter(hex)
}

/// Whether it is under way.
pub(crate) fn is_open(update: &Update) -> bool {
    matches!(update.status(), Some(UpdateStatus::InProgress))
}

/// Whether it ended well.
pub(crate) fn is_successful(update: &Update) -> bool {
    matches!(update.status(), Some(UpdateStatus::Successful))
}

/// A parameter of an update; empty when it has none.
pub(crate) fn parameter(update: &Update, which: &UpdateParamType) -> String {
    let found = update.params().iter().find(|parameter| parameter.r#type() == Some(which));
    found.and_then(|parameter| parameter.value()).unwrap_or_default().to_owned()
}

/// An update, for people: kind, id and when it began.
pub(crate) fn told(update: &Update) -> String {
    let kind = update.r#type().map_or("Update", |kind| kind.as_str());
    let id = update.id().unwrap_or("without an id");
    match time::instant(update.created_at()) {
        Some(began) => format!("{kind} {id}, begun {began}"),
        None => format!("{kind} {id}"),
    }
}

/// The outcome of an update of ours that is under way.
pub(crate) fn going(update: &Update, of: &str, does: &str) -> Outcome {
    outcome::operation(update.id().unwrap_or_default(), format!("{of}: {does} ({})", told(update)))
}

/// The outcome while an update of somebody else is under way.
pub(crate) fn foreign(update: &Update, of: &str) -> Outcome {
    let message = format!("{of}: an update that this run did not begin is under way ({})", told(update));
    outcome::operation(update.id().unwrap_or_default(), message)
}

/// The outcome of an update of ours that failed or was cancelled.
pub(crate) fn failed(update: &Update, of: &str) -> Outcome {
    let mut short = false;
    let mut said = Vec::new();
    for error in update.errors() {
        let code = error.error_code().map_or("Unknown", |code| code.as_str());
        short |= is_capacity(code);
        let on = match error.resource_ids() {
            [] => String::new(),
            ids => format!(" ({})", ids.join(", ")),
        };
        said.push(format!("{code}: {}{on}", error.error_message().unwrap_or_default()));
    }
    let status = update.status().map_or("over", |status| status.as_str());
    let line = format!("{of}: {} is {status}: {}", told(update), said.join("; "));
    if short { outcome::capacity(line) } else { outcome::refused(line) }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{ErrorCode, ErrorDetail, UpdateParam, UpdateType};
    use switchback_schemas::journal::WaitsFor;

    use super::*;

    #[test]
    fn the_update_that_a_refusal_names_is_found() {
        let said = "Cannot update because cluster mlops currently has update \
                    0b0a1f4e-98f2-3a14-8f1a-7d0c8e2b9d11 in progress";
        assert_eq!(ids_in(said).collect::<Vec<_>>(), ["0b0a1f4e-98f2-3a14-8f1a-7d0c8e2b9d11"]);
        assert_eq!(ids_in("no update has a name - here-and-there").count(), 0);
    }

    #[test]
    fn failures_for_want_of_capacity_wait_and_others_fail() {
        let error = |code, message: &str| {
            ErrorDetail::builder().error_code(code).error_message(message).resource_ids("i-1").build()
        };
        let update = |code, message| {
            Update::builder()
                .id("u")
                .r#type(UpdateType::VersionUpdate)
                .status(UpdateStatus::Failed)
                .errors(error(code, message))
                .build()
        };
        let short = failed(&update(ErrorCode::InsufficientFreeAddresses, "none left"), "node group a");
        let Outcome::Blocked { waits_for } = &short else { panic!("{short:?}") };
        assert!(matches!(waits_for.as_slice(), [WaitsFor::Capacity { .. }]));
        let stuck = failed(&update(ErrorCode::PodEvictionFailure, "Reached max retries"), "node group a");
        let Outcome::NotDone { evidence, .. } = &stuck else { panic!("{stuck:?}") };
        assert_eq!(
            evidence.0,
            ["node group a: VersionUpdate u is Failed: PodEvictionFailure: Reached max retries (i-1)"]
        );
    }

    #[test]
    fn parameters_are_read_by_their_type() {
        let parameter_of = |kind, value: &str| UpdateParam::builder().r#type(kind).value(value).build();
        let update = Update::builder()
            .params(parameter_of(UpdateParamType::PlatformVersion, "eks.1"))
            .params(parameter_of(UpdateParamType::Version, "1.33"))
            .build();
        assert_eq!(parameter(&update, &UpdateParamType::Version), "1.33");
        assert_eq!(parameter(&update, &UpdateParamType::AddonVersion), "");
    }
}
