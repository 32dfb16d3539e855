//! Helm's records: one Secret for each revision of a release, with the release inside as base64 of gzip of JSON
//! (`facts/catalog/helm.yaml`, storage).

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use serde_json::Value;
use switchback_executor::untrusted::manifest::{self, ManifestError};
use switchback_schemas::{Digest, Version, name::ObjectName, plan::DETACHED};

use crate::{
    api::{Query, Reader},
    classify::CallError,
    fields::{number, text},
    nodes::built_in,
};

/// Type of the Secrets that hold releases.
pub(crate) const SECRET_TYPE: &str = "helm.sh/release.v1";

/// Bytes that a release may have when it is unpacked; etcd holds 1 MB of it packed.
const LARGEST: u64 = 64 << 20;

/// A revision of a release.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    /// The release.
    pub(crate) release: ObjectName,
    /// Its number.
    pub(crate) revision: u64,
    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, …
    pub(crate) status: String,
    /// The chart's name.
    pub(crate) chart: String,
    /// The chart's version, if it is a version number.
    pub(crate) chart_version: Option<Version>,
    /// The chart's version as it is written.
    pub(crate) chart_version_text: String,
    /// The application's version, as the chart says.
    pub(crate) app_version: String,
    /// Values that a person gave; an object.
    pub(crate) values: Value,
    /// The rendered manifest, without hooks and without `crds/`.
    pub(crate) manifest: String,
}

/// Why a Secret does not hold a release.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelmError {
    /// No data, or not base64 of base64.
    #[error("the record of the release is not base64 of base64")]
    Base64,
    /// Not gzip, or larger than a release can be.
    #[error("the record of the release cannot be unpacked: {0}")]
    Gzip(#[from] std::io::Error),
    /// Not JSON.
    #[error("the record of the release is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Its manifest is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl Stored {
    /// The objects of its manifest.
    pub(crate) fn objects(&self) -> Result<Vec<Value>, HelmError> {
        Ok(manifest::objects(&self.manifest)?)
    }
}

/// Whose a record says that it is. Helm finds only its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Helm's.
    Helm,
    /// A detached release's.
    Nobody,
}

impl Owner {
    /// The value of the label `owner`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Nobody => DETACHED,
        }
    }
}

/// The Secrets of a release's revisions, rising, as helm finds them.
pub(crate) async fn secrets(api: &Reader, release: &ObjectName) -> Result<Vec<Value>, CallError> {
    records(api, release, Owner::Helm).await
}

/// The Secrets of a release's revisions, rising, of one owner.
pub(crate) async fn records(
    api: &Reader,
    release: &ObjectName,
    owner: Owner,
) -> Result<Vec<Value>, CallError> {
    let query = Query {
        namespace: release.namespace.clone(),
        labels: Some(format!("owner={},name={}", owner.label(), release.name)),
        ..Query::all()
    };
    let mut secrets = api.list(&built_in("v1", "Secret")?, &query).await?;
    secrets.retain(|secret| text(secret, "/type") == SECRET_TYPE);
    secrets.sort_by_key(revision);
    Ok(secrets)
}

/// The revision that a Secret holds, as its label says.
pub(crate) fn revision(secret: &Value) -> u64 {
    text(secret, "/metadata/labels/version").parse().unwrap_or_default()
}

/// Unpacks a Secret.
pub(crate) fn decode(secret: &Value) -> Result<Stored, HelmError> {
    let data = text(secret, "/data/release");
    let inner = STANDARD.decode(data).map_err(|_| HelmError::Base64)?;
    let packed = STANDARD.decode(inner.trim_ascii()).map_err(|_| HelmError::Base64)?;
    let mut json = Vec::new();
    // Releases of Helm before 2.7 were not packed.
    if packed.starts_with(&[0x1f, 0x8b, 0x08]) {
        GzDecoder::new(packed.as_slice()).take(LARGEST).read_to_end(&mut json)?;
    } else {
        json = packed;
    }
    let release: Value = serde_json::from_slice(&json)?;
    let chart_version = text(&release, "/chart/metadata/version");
    let values = release.get("config").filter(|config| config.is_object());
    Ok(Stored {
        release: ObjectName::namespaced(text(&release, "/namespace"), text(&release, "/name")),
        revision: number(&release, "/version"),
        status: text(&release, "/info/status").to_owned(),
        chart: text(&release, "/chart/metadata/name").to_owned(),
        chart_version: chart_version.parse().ok(),
        chart_version_text: chart_version.to_owned(),
        app_version: text(&release, "/chart/metadata/appVersion").to_owned(),
        values: values.cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        manifest: text(&release, "/manifest").to_owned(),
    })
}

/// Digest of values as compact sorted JSON.
pub(crate) fn values_digest(values: &Value) -> Digest {
    // `serde_json` keeps the fields of objects sorted and writes no spaces.
    Digest::of(values.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use serde_json::json;
    use std::io::Write;

    fn secret(release: &Value) -> Value {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(release.to_string().as_bytes()).unwrap();
        let data = STANDARD.encode(STANDARD.encode(packed.finish().unwrap()));
        json!({"type": SECRET_TYPE, "metadata": {"labels": {"version": "12"}}, "data": {"release": data}})
    }

    #[test]
    fn a_release_is_unpacked() {
        let release = json!({"name": "demo", "namespace": "a", "version": 12, "info": {"status": "deployed"},
            "chart": {"metadata": {"name": "demo", "version": "1.2.3", "appVersion": "v9"}},
            "config": {"b": 1, "a": {"z": 1, "y": 2}}, "manifest": "---\nkind: ConfigMap\nmetadata: {name: x}\n"});
        let secret = secret(&release);
        let stored = decode(&secret).unwrap();
        assert_eq!((revision(&secret), stored.revision, stored.status.as_str()), (12, 12, "deployed"));
        assert_eq!(stored.chart_version, Some("1.2.3".parse().unwrap()));
        assert_eq!(stored.objects().unwrap()[0]["kind"], "ConfigMap");
        assert_eq!(values_digest(&stored.values), Digest::of(r#"{"a":{"y":2,"z":1},"b":1}"#));
    }

    #[test]
    fn what_is_no_release_says_why() {
        assert!(matches!(decode(&json!({"data": {"release": "!"}})), Err(HelmError::Base64)));
        let data = STANDARD.encode(STANDARD.encode([0x1f, 0x8b, 0x08, 0, 1]));
        assert!(matches!(decode(&json!({"data": {"release": data}})), Err(HelmError::Gzip(_))));
        let data = STANDARD.encode(STANDARD.encode("{"));
        assert!(matches!(decode(&json!({"data": {"release": data}})), Err(HelmError::Json(_))));
    }
}
