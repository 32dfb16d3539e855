//! A rollback that `helm rollback` refuses: to a revision that holds objects which the last one does not, and which still stand
//! on the platform, as one that says `helm.sh/resource-policy: keep` does. helm compares them with nothing, so its patch would
//! take away their `resourceVersion`, which the API server answers with 422 for CRDs and custom objects (seen with 3.22 and 4.3,
//! `tests/contract/rows/helm_rollbacks.rs`). An upgrade takes such objects over: so the release is upgraded to what that revision
//! recorded, word for word.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use switchback_executor::{
    ports::{Call, Classify as _, Failure},
    untrusted::manifest,
};
use switchback_schemas::{
    journal::{Class, Outcome, Verdict},
    name::{ObjectName, ObjectRef},
    plan::{BoundObject, KubeCondition, Test},
};

use super::{HOOKS, HelmDriver, WITHIN, not_done};
use crate::{
    helm::{HISTORY, Helm, History, namespace, refused, values},
    port::{Arg, Exit},
};

/// The folder of the chart that a recorded revision is made into.
const CHART: &str = "chart";

/// The file of the values that were given.
const VALUES: &str = "values.json";

/// What `helm get metadata` tells of a revision.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    chart: String,
    version: String,
    #[serde(default)]
    app_version: String,
}

impl HelmDriver {
    /// Objects of revision `to` that the last revision does not hold, and that stand on the platform all the same.
    pub(super) async fn left_standing(
        &self,
        call: &Call,
        release: &ObjectName,
        history: &History,
        to: u64,
    ) -> Result<Vec<ObjectRef>, Outcome> {
        let Some(last) = history.last().filter(|last| last.revision != to) else { return Ok(Vec::new()) };
        let wanted = self.recorded_objects(release, to).await.map_err(not_done)?;
        let held = self.recorded_objects(release, last.revision).await.map_err(not_done)?;
        let held: BTreeSet<_> = held.iter().map(ObjectRef::identity).collect();
        let mut standing = Vec::new();
        for object in wanted.into_iter().filter(|object| !held.contains(&object.identity())) {
            let there = KubeCondition::Field {
                object: BoundObject::named(object.clone()),
                pointer: String::new(),
                is: Test::Present {},
            };
            match self.kube.check(call, &there).await {
                Verdict::Holds { .. } => standing.push(object),
                Verdict::Fails { .. } => {}
                Verdict::Unknown { evidence } => {
                    return Err(Outcome::NotDone { class: Class::Unreachable, evidence });
                }
            }
        }
        Ok(standing)
    }

    /// Upgrades a release to what a revision recorded, without some of its objects: values and hooks, too, under the name and version of
    /// its chart. Hooks are recorded and not run: those of an upgrade are no part of a rollback.
    pub(super) async fn upgrade_to_recorded(
        &self,
        release: &ObjectName,
        to: u64,
        without: &[&ObjectRef],
    ) -> Result<Exit, Outcome> {
        let namespace = namespace(release).map_err(not_done)?;
        let files = self.recorded_chart(release, to, without).await.map_err(not_done)?;
        let mut args = vec![Arg::from("upgrade"), release.name.as_str().into(), Arg::File(CHART.to_owned())];
        args.extend(["--namespace", namespace, "--reset-values", "--values"].map(Arg::from));
        args.push(Arg::File(VALUES.to_owned()));
        args.extend(["--no-hooks", "--history-max", HISTORY, "--timeout", HOOKS].map(Arg::from));
        let description = match without.len() {
            0 => format!("Rollback to {to}"),
            objects => format!("Revision {to} without {objects} objects that stay"),
        };
        args.extend([Arg::from("--description"), description.into()]);
        let called = self.helm.call(Helm::slot(release), args, files, WITHIN).await;
        called.map_err(|error| error.of_write())
    }

    /// A revision as a chart that renders to what it recorded, whatever it is given.
    async fn recorded_chart(
        &self,
        release: &ObjectName,
        revision: u64,
        without: &[&ObjectRef],
    ) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let json = &["--output", "json"];
        let metadata = self.helm.get("metadata", release, revision, json).await?;
        let metadata: Metadata = serde_json::from_str(&metadata)
            .map_err(|error| refused(format!("helm get metadata cannot be read: {error}")))?;
        let about = json!({
            "apiVersion": "v2",
            "name": metadata.chart,
            "version": metadata.version,
            "appVersion": metadata.app_version,
        });
        let defaults = self.helm.get("values", release, revision, &["--all", "--output", "json"]).await?;
        let given = values::read(&self.helm.get("values", release, revision, json).await?)?;
        let mut objects = self.helm.get("manifest", release, revision, &[]).await?;
        if !without.is_empty() {
            objects = cut(&objects, namespace(release)?, without)?;
        }
        let hooks = self.helm.get("hooks", release, revision, &[]).await?;
        let files = [
            ("Chart.yaml", about.to_string()),
            ("values.yaml", values::read(&defaults)?.to_string()),
            ("templates/manifest.yaml", literal(&objects)),
            ("templates/hooks.yaml", literal(&hooks)),
        ];
        let files =
            files.into_iter().map(|(name, content)| (format!("{CHART}/{name}"), content.into_bytes()));
        Ok(files.chain([(VALUES.to_owned(), given.to_string().into_bytes())]).collect())
    }

    pub(super) async fn recorded_objects(
        &self,
        release: &ObjectName,
        revision: u64,
    ) -> Result<Vec<ObjectRef>, Failure> {
        let printed = self.helm.get("manifest", release, revision, &[]).await?;
        let objects = manifest::objects(&printed).map_err(|error| refused(error.to_string()))?;
        let namespace = namespace(release)?;
        Ok(objects.iter().filter_map(|object| reference(object, namespace)).collect())
    }
}

/// A manifest without some of its objects.
fn cut(manifest: &str, namespace: &str, without: &[&ObjectRef]) -> Result<String, Failure> {
    let objects = manifest::objects(manifest).map_err(|error| refused(error.to_string()))?;
    let goes = |object: &Value| {
        let found = reference(object, namespace);
        found.is_some_and(|found| without.iter().any(|object| is_same(object, &found)))
    };
    // JSON is YAML, and one object a document is what helm takes for a template.
    let mut left = String::new();
    for object in objects.iter().filter(|object| !goes(object)) {
        left.push_str("---\n");
        left.push_str(&object.to_string());
        left.push('\n');
    }
    Ok(left)
}

/// Whether two references mean one object. A kind without namespaces has none, whatever the release's is.
fn is_same(object: &ObjectRef, recorded: &ObjectRef) -> bool {
    let in_place = object.namespace.is_none() || object.namespace == recorded.namespace;
    in_place
        && (object.group(), &object.kind, &object.name) == (recorded.group(), &recorded.kind, &recorded.name)
}

/// Whether one of some objects is among those that were recorded.
pub(super) fn holds_any(recorded: &[ObjectRef], objects: &[&ObjectRef]) -> bool {
    recorded.iter().any(|recorded| objects.iter().any(|object| is_same(object, recorded)))
}

/// An object that names no namespace is in the release's; where its kind has none, the driver does not ask for it.
fn reference(object: &Value, release: &str) -> Option<ObjectRef> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let namespace = text("/metadata/namespace").unwrap_or(release);
    let name = ObjectName::namespaced(namespace, text("/metadata/name")?);
    Some(ObjectRef::new(text("/apiVersion")?, text("/kind")?, &name))
}

/// A template that renders to a text, word for word.
fn literal(text: &str) -> String {
    text.replace("{{", r#"{{ "{{" }}"#)
}

#[cfg(test)]
mod tests {
    use switchback_schemas::name::{ObjectName, ObjectRef};

    use super::{cut, literal};

    #[test]
    fn what_stays_is_cut_out_of_a_manifest_and_nothing_else_is() {
        let manifest = "---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a, namespace: other}\n---\nkind: Crd\napiVersion: x/v1\nmetadata: {name: a}\n";
        let one = ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced("ns", "a"));
        let cluster = ObjectRef::new("x/v1beta1", "Crd", &ObjectName::cluster("a"));
        let left = cut(manifest, "ns", &[&one, &cluster]).expect("a manifest");
        assert_eq!(
            left,
            "---\n{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"other\"}}\n"
        );
    }

    /// What a chart rendered may hold templates of others, as an alert rule does.
    #[test]
    fn words_of_a_template_are_taken_as_they_are() {
        assert_eq!(literal("a: '{{ $labels.pod }}'"), "a: '{{ \"{{\" }} $labels.pod }}'");
        assert_eq!(literal("kind: A\n"), "kind: A\n");
    }
}
