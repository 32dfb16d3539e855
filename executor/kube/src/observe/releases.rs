//! Helm releases, from the Secrets of their revisions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_executor::untrusted::{manifest, text};
use switchback_model::secret::{self, Keeping};
use switchback_schemas::{
    inventory::{Release, Revision},
    name::ObjectName,
};

use super::lists::Lists;
use crate::{
    fields,
    helm::{self, SECRET_TYPE, Stored},
};

pub(super) fn read(lists: &mut Lists, keeping: Keeping<'_>) -> Vec<Release> {
    let secrets = std::mem::take(&mut lists.releases);
    let mut stored: BTreeMap<ObjectName, Vec<Stored>> = BTreeMap::new();
    for record in secrets.iter().filter(|record| fields::text(record, "/type") == SECRET_TYPE) {
        match helm::decode(record) {
            Ok(revision) => stored.entry(revision.release.clone()).or_default().push(revision),
            Err(error) => {
                let name = fields::text(record, "/metadata/name");
                lists.note(format!("Helm's record {name}"), &error.to_string());
            }
        }
    }
    let mut releases = Vec::new();
    let scopes = Scopes::of(&lists.crds);
    for (name, revisions) in stored {
        match release(&name, revisions, &scopes, keeping) {
            Ok(release) => releases.push(release),
            Err(why) => lists.note(format!("release {name}"), &why),
        }
    }
    releases
}

/// Custom kinds whose objects live in namespaces, by group and kind.
struct Scopes(BTreeSet<(String, String)>);

impl Scopes {
    fn of(crds: &[Value]) -> Self {
        let namespaced = crds.iter().filter(|crd| fields::text(crd, "/spec/scope") == "Namespaced");
        let kind = |crd: &Value| {
            (fields::text(crd, "/spec/group").to_owned(), fields::text(crd, "/spec/names/kind").to_owned())
        };
        Self(namespaced.map(kind).collect())
    }

    fn namespaced(&self, group: &str, kind: &str) -> bool {
        self.0.contains(&(group.to_owned(), kind.to_owned()))
    }
}

fn release(
    name: &ObjectName,
    mut stored: Vec<Stored>,
    scopes: &Scopes,
    keeping: Keeping<'_>,
) -> Result<Release, String> {
    stored.sort_by_key(|revision| revision.revision);
    let revisions = stored.iter().map(revision).collect::<Result<Vec<_>, String>>()?;
    let current = stored.iter().rev().find(|revision| revision.status == "deployed").or(stored.last());
    let current = current.ok_or("it has no revision")?;
    let mut objects = current.objects().map_err(|error| error.to_string())?;
    let namespace = name.namespace.as_deref().unwrap_or_default();
    manifest::fill_in(&mut objects, namespace, |group, kind| scopes.namespaced(group, kind));
    manifest::sort(&mut objects);
    Ok(Release {
        name: name.clone(),
        chart: text::line(&current.chart),
        chart_version: chart_version(current)?,
        app_version: text::line(&current.app_version),
        values: secret::names(&current.values),
        values_digest: helm::values_digest(&current.values),
        objects: objects.iter().map(|object| keeping.object(object)).collect(),
        custom: Vec::new(),
        revisions,
    })
}

fn revision(stored: &Stored) -> Result<Revision, String> {
    let objects = stored.objects().map_err(|error| format!("revision {}: {error}", stored.revision))?;
    let is_crd = |object: &&Value| fields::text(object, "/kind") == "CustomResourceDefinition";
    let mut crds: Vec<String> =
        objects.iter().filter(is_crd).map(|crd| fields::text(crd, "/metadata/name").to_owned()).collect();
    crds.sort();
    Ok(Revision {
        number: stored.revision,
        status: text::line(&stored.status),
        chart_version: chart_version(stored)?,
        crds,
    })
}

fn chart_version(stored: &Stored) -> Result<switchback_schemas::Version, String> {
    let unread = || format!("{:?} is no version of a chart", stored.chart_version_text);
    stored.chart_version.clone().ok_or_else(unread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use switchback_schemas::inventory::Plain;

    fn stored(number: u64, status: &str, manifest: &str) -> Stored {
        Stored {
            release: ObjectName::namespaced("a", "demo"),
            revision: number,
            status: status.into(),
            chart: "demo".into(),
            chart_version: "1.0.0".parse().ok(),
            chart_version_text: "1.0.0".into(),
            app_version: "9".into(),
            values: json!({"db": {"password": "hunter2"}, "n": number}),
            manifest: manifest.into(),
        }
    }

    #[test]
    fn a_release_shows_its_deployed_revision_without_secrets() {
        let crd = "kind: CustomResourceDefinition\nmetadata: {name: xs.demo.dev}\n---\nkind: Secret\nmetadata: {name: s}\nstringData: {p: hunter2}\n";
        let name = ObjectName::namespaced("a", "demo");
        let revisions =
            vec![stored(3, "pending-upgrade", ""), stored(2, "deployed", crd), stored(1, "superseded", "")];
        let keeping = Keeping { salt: "uid", plain: &Plain::default() };
        let release = release(&name, revisions, &Scopes(BTreeSet::new()), keeping).unwrap();
        assert_eq!(release.values, json!({"db": {"password": null}, "n": null}));
        assert!(!serde_json::to_string(&release).unwrap().contains("hunter2"));
        let numbers: Vec<u64> = release.revisions.iter().map(|revision| revision.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(release.revisions[1].crds, ["xs.demo.dev"]);
        assert_eq!(release.deployed().unwrap().number, 2);
    }
}
