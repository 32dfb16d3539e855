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
    own(dir)?;
    for (name, versions) in &world.settings().charts {
        own(&dir.join(name))?;
        for (version, chart) in versions {
            let dir = dir.join(name).join(version);
            own(&dir)?;
            write_chart(name, version, chart, &dir)?;
        }
    }
    Ok(())
}

/// Refuses a directory that is a link: what it leads to is somebody's, and would be overwritten.
fn own(dir: &Path) -> Result<(), Error> {
    if dir.is_symlink() {
        let why = "is a link, and the charts of the twin would be written to where it leads; remove it, or choose another --dir";
        return Err(DocumentError::unusable(dir, &why).into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (theirs, ours) = (place.path().join("theirs"), place.path().join("charts"));
        std::fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::symlink(&theirs, &ours).unwrap();
        let error = write(&World::new("2026-11-20T10:00:00Z".parse().unwrap()), &ours).unwrap_err();
        assert!(error.to_string().contains("charts"), "{error}");
        assert_eq!(std::fs::read_dir(&theirs).unwrap().count(), 0);
        assert!(own(&theirs).is_ok());
    }
}
