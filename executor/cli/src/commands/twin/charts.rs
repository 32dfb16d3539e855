//! A world's charts as directories, `NAME/VERSION/`: so that a lock has bytes to take digests of, and a person can read
//! what is installed. The twin itself renders from its world.

use std::{fmt::Write as _, path::Path};

use serde::Serialize;
use serde_json::Value;
use switchback_face::documents::DocumentError;
use switchback_twin::{Chart, World};

use crate::{documents, error::Error};

/// Writes every chart of a world.
pub(super) fn write(world: &World, dir: &Path) -> Result<(), Error> {
    for (name, versions) in &world.settings().charts {
        for (version, chart) in versions {
            write_chart(name, version, chart, &dir.join(name).join(version))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About<'a> {
    api_version: &'a str,
    name: &'a str,
    version: &'a str,
    app_version: &'a str,
}

fn write_chart(name: &str, version: &str, chart: &Chart, dir: &Path) -> Result<(), Error> {
    let about = About { api_version: "v2", name, version, app_version: &chart.app_version };
    put(&dir.join("Chart.yaml"), &about)?;
    if !chart.values.is_null() {
        put(&dir.join("values.yaml"), &chart.values)?;
    }
    put_all(&dir.join("templates/objects.yaml"), &chart.objects)?;
    put_all(&dir.join("templates/hooks.yaml"), &chart.hooks)?;
    for (path, text) in &chart.files {
        documents::write(&dir.join(path), text.as_bytes())?;
    }
    put_all(&dir.join("crds/crds.yaml"), &chart.crds)
}

fn put(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    Ok(documents::write(path, yaml(path, value)?.as_bytes())?)
}

fn put_all(path: &Path, objects: &[Value]) -> Result<(), Error> {
    if objects.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    for object in objects {
        let _ = write!(text, "---\n{}", yaml(path, object)?);
    }
    // As a template of helm would say it.
    let text =
        text.replace("{{release}}", "{{ .Release.Name }}").replace("{{ns}}", "{{ .Release.Namespace }}");
    Ok(documents::write(path, text.as_bytes())?)
}

fn yaml(path: &Path, value: &impl Serialize) -> Result<String, Error> {
    Ok(serde_yaml::to_string(value).map_err(|error| DocumentError::unusable(path, &error))?)
}
