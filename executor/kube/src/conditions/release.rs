//! A Helm release's last revision is deployed, and is the one that was asked for.

use serde_json::Value;
use switchback_schemas::{Digest, Version, journal::Verdict, name::ObjectName};

use super::verdict;
use crate::{api::Reader, classify::CallError, fields, helm};

/// What is asked of a release.
pub(super) struct Wanted<'plan> {
    /// Its chart's name.
    pub(super) chart: Option<&'plan str>,
    /// Its chart's version.
    pub(super) chart_version: Option<&'plan Version>,
    /// Its revision.
    pub(super) revision: Option<&'plan Value>,
    /// Digest of its values.
    pub(super) values: Option<&'plan Digest>,
}

/// Helm knows no such release.
pub(super) async fn none(api: &Reader, release: &ObjectName) -> Result<Verdict, CallError> {
    let revisions = helm::secrets(api, release).await?.len();
    let line = match revisions {
        0 => format!("helm knows no release {release}"),
        revisions => format!("release {release} is there, with {revisions} revisions"),
    };
    Ok(verdict(revisions == 0, &line))
}

pub(super) async fn check(
    api: &Reader,
    release: &ObjectName,
    wanted: &Wanted<'_>,
) -> Result<Verdict, CallError> {
    let secrets = helm::secrets(api, release).await?;
    let Some(last) = secrets.last() else {
        return Ok(verdict(false, &format!("release {release} does not exist")));
    };
    let stored = match helm::decode(last) {
        Ok(stored) => stored,
        Err(error) => return Ok(Verdict::unknown(format!("release {release}: {error}"))),
    };
    let mut differs = Vec::new();
    if stored.status != "deployed" {
        differs.push(format!("it is {}", stored.status));
    }
    if let Some(chart) = wanted.chart.filter(|chart| *chart != stored.chart) {
        differs.push(format!("expected chart {chart}, found {}", stored.chart));
    }
    if let Some(version) = wanted.chart_version
        && stored.chart_version.as_ref() != Some(version)
    {
        differs.push(format!("expected chart version {version}, found {}", stored.chart_version_text));
    }
    if let Some(revision) = wanted.revision
        && revision.as_u64() != Some(stored.revision)
    {
        differs.push(format!("expected revision {}", fields::shown(revision)));
    }
    if let Some(values) = wanted.values
        && helm::values_digest(&stored.values) != *values
    {
        differs.push("its values are others".to_owned());
    }
    let line = format!("release {release} revision {} ({})", stored.revision, stored.chart_version_text);
    Ok(match differs.first() {
        None => verdict(true, &format!("{line} is deployed")),
        Some(_) => verdict(false, &format!("{line}: {}", differs.join(", "))),
    })
}
