//! One chart, rendered for one release.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use serde_json::Value;
use switchback_executor::{
    ports::{Classify as _, Failure},
    untrusted::{manifest, text},
};
use switchback_model::secret::Keeping;
use switchback_schemas::{
    inventory::{Inventory, Plain},
    lock::{Ask, Hook, Render},
    plan::Chart,
};

use super::capabilities;
use crate::{
    charts::{self, VerifiedCharts},
    helm::{Helm, namespace, refused, values},
    port::{Arg, slot},
};

/// The file of the values.
const VALUES: &str = "values.json";

/// How long one render may take.
const WITHIN: Duration = Duration::from_mins(2);

/// Annotation that makes an object a hook.
const HOOK: &str = "helm.sh/hook";

pub(super) async fn render(
    helm: &Helm,
    charts: &VerifiedCharts,
    ask: &Ask,
    inventory: &Inventory,
    plain: &Plain,
) -> Result<Render, Failure> {
    let keeping = Keeping { salt: &inventory.cluster.kube_system_uid, plain };
    namespace(&ask.release)?;
    let repository = charts::repository(&ask.source);
    let (path, digest) = charts.locate(repository, &ask.chart, &ask.version, None).await?;
    let history = helm.history(&ask.release).await?;
    let before = helm.values(&ask.release, &history).await?;
    let values = values::merged(&before, &ask.set);
    let template =
        Template { helm, ask, path: &path, values: &values, inventory, upgrades: !history.0.is_empty() };
    let (mut objects, mut hooks) = template.run().await?;
    let again = template.run().await?;
    let unstable = (&objects, &hooks) != (&again.0, &again.1);
    let mut crds = template.crds().await?;
    manifest::sort(&mut crds);
    let namespaced = scopes(inventory, objects.iter().chain(&crds));
    let fill_in = |objects: &mut [Value]| -> Result<(), Failure> {
        let own = |group: &str, kind: &str| namespaced.contains(&(group.to_owned(), kind.to_owned()));
        manifest::fill_in(objects, namespace(&ask.release)?, own);
        Ok(())
    };
    fill_in(&mut objects)?;
    for hook in &mut hooks {
        fill_in(std::slice::from_mut(&mut hook.object))?;
    }
    let images = images(objects.iter().chain(hooks.iter().map(|hook| &hook.object)));
    manifest::sort(&mut objects);
    Ok(Render {
        release: ask.release.clone(),
        chart: Chart {
            name: ask.chart.clone(),
            repository: repository.to_owned(),
            version: ask.version.clone(),
            digest,
        },
        app_version: template.app_version().await?,
        set: ask.set.clone(),
        values: values::digest(&values),
        objects: objects.iter().map(|object| keeping.object(object)).collect(),
        hooks: hooks.into_iter().map(|hook| Hook { object: keeping.object(&hook.object), ..hook }).collect(),
        lookups: charts::lookups(&path)?,
        crds,
        images,
        unstable,
    })
}

/// Custom kinds whose objects live in namespaces, by group and kind: those that are there, and those that the chart brings.
fn scopes<'a>(inventory: &Inventory, objects: impl Iterator<Item = &'a Value>) -> BTreeSet<(String, String)> {
    let there = inventory.crds.iter().filter(|crd| crd.namespaced);
    let there = there.map(|crd| (crd.group().to_owned(), crd.kind.clone()));
    let text =
        |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let brought = objects.filter(|object| text(object, "/spec/scope").as_deref() == Some("Namespaced"));
    let brought = brought.filter_map(|crd| Some((text(crd, "/spec/group")?, text(crd, "/spec/names/kind")?)));
    there.chain(brought).collect()
}

/// A chart and what it is rendered with.
struct Template<'a> {
    helm: &'a Helm,
    ask: &'a Ask,
    path: &'a Path,
    values: &'a Value,
    inventory: &'a Inventory,
    upgrades: bool,
}

impl Template<'_> {
    /// Renders it: its objects, and its hooks.
    async fn run(&self) -> Result<(Vec<Value>, Vec<Hook>), Failure> {
        let apis = capabilities::api_versions(self.inventory);
        let mut args =
            vec![Arg::from("template"), self.ask.release.name.as_str().into(), charts::path_arg(self.path)];
        args.extend(["--namespace", namespace(&self.ask.release)?, "--values"].map(Arg::from));
        args.push(Arg::File(VALUES.to_owned()));
        args.extend(["--kube-version", self.inventory.cluster.version.as_str()].map(Arg::from));
        args.extend(["--api-versions", &apis].map(Arg::from));
        if self.upgrades {
            args.push("--is-upgrade".into());
        }
        let files = BTreeMap::from([(VALUES.to_owned(), self.values.to_string().into_bytes())]);
        let slot = self.slot("template");
        let exit = self.helm.call(slot, args, files, WITHIN).await.map_err(|error| error.failure())?;
        if !exit.is_success() {
            return Err(crate::helm::failed(&["template"], &exit));
        }
        let all = manifest::objects(&exit.printed()).map_err(|error| refused(error.to_string()))?;
        let mut objects = Vec::new();
        let mut hooks = Vec::new();
        for object in all {
            match events(&object) {
                Some(events) => hooks.push(Hook { events, object }),
                None => objects.push(object),
            }
        }
        Ok((objects, hooks))
    }

    /// The CRDs of `crds/`, and those of the directories that were asked for.
    async fn crds(&self) -> Result<Vec<Value>, Failure> {
        let mut texts = vec![self.show("crds").await?];
        for directory in &self.ask.crd_directories {
            texts.extend(charts::yaml_of(self.path, directory)?);
        }
        let mut crds = Vec::new();
        for text in texts {
            crds.extend(manifest::objects(&text).map_err(|error| refused(error.to_string()))?);
        }
        Ok(crds)
    }

    async fn app_version(&self) -> Result<String, Failure> {
        let chart =
            manifest::objects(&self.show("chart").await?).map_err(|error| refused(error.to_string()))?;
        let version = chart.first().and_then(|chart| chart.get("appVersion")).cloned().unwrap_or_default();
        Ok(match version {
            Value::Null => String::new(),
            Value::String(version) => text::line(&version),
            // An unquoted `1.30`: what it meant is lost, what it says is shown.
            other => text::line(&other.to_string()),
        })
    }

    async fn show(&self, what: &str) -> Result<String, Failure> {
        let path = match charts::path_arg(self.path) {
            Arg::Text(path) | Arg::File(path) => path,
        };
        self.helm.read(self.slot(what), &["show", what, &path]).await
    }

    fn slot(&self, what: &str) -> String {
        slot(&["helm", what, &self.ask.release.name, self.ask.version.as_str()])
    }
}

/// When a hook runs; `None` for an object that is no hook.
fn events(object: &Value) -> Option<Vec<String>> {
    let events = object.pointer("/metadata/annotations")?.get(HOOK)?.as_str()?;
    Some(events.split(',').map(|event| text::line(event.trim())).collect())
}

/// Images of all containers, sorted.
fn images<'a>(objects: impl Iterator<Item = &'a Value>) -> Vec<String> {
    fn collect(value: &Value, images: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if matches!(name.as_str(), "containers" | "initContainers") {
                        let containers = value.as_array().into_iter().flatten();
                        let found = containers.filter_map(|c| c.get("image")?.as_str());
                        images.extend(found.map(str::to_owned));
                    }
                    collect(value, images);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, images)),
            _ => {}
        }
    }
    let mut images = BTreeSet::new();
    objects.for_each(|object| collect(object, &mut images));
    images.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn p36_hooks_are_items_of_their_own() {
        let hook = json!({"metadata": {"annotations": {"helm.sh/hook": "pre-upgrade, post-rollback"}}});
        assert_eq!(events(&hook), Some(vec!["pre-upgrade".to_owned(), "post-rollback".to_owned()]));
        assert_eq!(events(&json!({"metadata": {}})), None);
    }

    #[test]
    fn images_are_found_wherever_pods_are() {
        let objects = [
            json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {
                "containers": [{"image": "b:1"}], "initContainers": [{"image": "a:1"}]}}}}}}),
            json!({"kind": "CustomResourceDefinition", "spec": {"containers": {"type": "array"}}}),
        ];
        assert_eq!(images(objects.iter()), ["a:1", "b:1"]);
    }
}
