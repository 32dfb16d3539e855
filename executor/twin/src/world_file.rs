//! World files: what is there at the start, written short.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apps::{App, karpenter};
use crate::call::Call;
use crate::cast::{CAST, surround};
use crate::cloud::{self, Cloud};
use crate::helm;
use crate::kube::api;
use crate::world::key::{set, text};
use crate::world::{Key, Settings, World, WorldError};

/// The format that world files name.
const FORMAT: &str = "switchback.world/1.0";

/// A world file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    format: String,
    /// The instant at which it is handed over.
    clock: Timestamp,
    /// Domain seconds before it, in which everything settles.
    #[serde(default = "hour")]
    settle: i64,
    /// Other files whose settings (and whose `cloud`) are merged in first.
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    settings: Value,
    #[serde(default)]
    nodes: Vec<Nodes>,
    /// Objects as they are applied, before the releases: what an earlier version left behind.
    #[serde(default)]
    before: Vec<Value>,
    /// Installed in order, each settled before the next.
    #[serde(default)]
    releases: Vec<Value>,
    /// Objects as they are applied, after the releases.
    #[serde(default)]
    objects: Vec<Value>,
    /// Claims of a NodePool.
    #[serde(default)]
    claims: Vec<Claims>,
    /// The provider's side, merged over that of the included files.
    #[serde(default)]
    cloud: Value,
    /// Applications that are played.
    #[serde(default)]
    apps: Vec<App>,
}

fn hour() -> i64 {
    3600
}

/// Nodes alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Nodes {
    count: u32,
    /// `NAME-0`, `NAME-1`, …
    name: String,
    #[serde(default)]
    labels: serde_json::Map<String, Value>,
    #[serde(default)]
    taints: Vec<Value>,
    capacity: Value,
}

/// Claims alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Claims {
    pool: String,
    count: u32,
    /// The controller that made them.
    made_by: String,
}

impl World {
    /// Reads a world file and what it includes.
    pub fn open(path: &Path) -> Result<Self, WorldError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::from_yaml_with(&file(path)?, |name| file(&folder.join(name)))
    }

    /// Reads a world that includes nothing.
    pub fn from_yaml(text: &str) -> Result<Self, WorldError> {
        Self::from_yaml_with(text, |name| {
            Err(WorldError::Content(format!("{name} is included, but there is no folder to look in")))
        })
    }

    /// Reads a world; `include` gives the text of the files that it names.
    pub fn from_yaml_with(
        text: &str,
        include: impl Fn(&str) -> Result<String, WorldError>,
    ) -> Result<Self, WorldError> {
        let value: Value = serde_yaml::from_str(text).map_err(|e| WorldError::Parse(e.to_string()))?;
        if value.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with(Self::SNAPSHOTS)) {
            return Self::from_snapshot(value, CAST).map(surround);
        }
        let file: File = serde_json::from_value(value).map_err(|e| WorldError::Parse(e.to_string()))?;
        if file.format != FORMAT {
            return Err(WorldError::Content(format!("format {:?} is not {FORMAT:?}", file.format)));
        }
        let (mut settings, mut cloud) = (json!({}), json!({}));
        for name in &file.include {
            let mut more: Value = serde_yaml::from_str(&include(name)?)
                .map_err(|e| WorldError::Parse(format!("{name}: {e}")))?;
            if let Some(part) = more.as_object_mut().and_then(|m| m.remove("cloud")) {
                merge(&mut cloud, &part);
            }
            merge(&mut settings, &more);
        }
        merge(&mut settings, &file.settings);
        merge(&mut cloud, &file.cloud);
        let cloud: Cloud =
            serde_json::from_value(cloud).map_err(|e| WorldError::Parse(format!("cloud: {e}")))?;
        let settings: Settings =
            serde_json::from_value(settings).map_err(|e| WorldError::Parse(format!("settings: {e}")))?;
        let start = file.clock.checked_sub(SignedDuration::from_secs(file.settle)).unwrap_or(file.clock);
        let mut world = Self::with_settings(start, settings);
        world.set_apps(file.apps.clone());
        cloud::install(&mut world, cloud).map_err(WorldError::Content)?;
        world.fill(&file)?;
        world.advance_to(file.clock);
        cloud::settled(&mut world);
        world.forget_log();
        world.compact();
        Ok(world)
    }

    fn fill(&mut self, file: &File) -> Result<(), WorldError> {
        for nodes in &file.nodes {
            for n in 0..nodes.count {
                self.add_node(nodes, n);
            }
        }
        self.advance_by(std::time::Duration::from_secs(10));
        self.add_all(&file.before, &file.claims)?;
        for release in &file.releases {
            helm::preinstall(self, release).map_err(WorldError::Content)?;
            self.advance_by(std::time::Duration::from_secs(30));
        }
        self.add_all(&file.objects, &file.claims)?;
        for claims in &file.claims {
            if self.get(&Key::new(karpenter::GROUP, "nodepools", "", &claims.pool)).is_none() {
                return Err(WorldError::Content(format!("claims: no NodePool {:?}", claims.pool)));
            }
        }
        Ok(())
    }

    fn add_all(&mut self, objects: &[Value], claims: &[Claims]) -> Result<(), WorldError> {
        for object in objects {
            self.add(object)?;
            // Claims come with their pool, before pods ask for more of them.
            if text(object, "/kind") == "NodePool" {
                for claims in claims.iter().filter(|c| c.pool == text(object, "/metadata/name")) {
                    self.add_claims(claims);
                }
            }
        }
        Ok(())
    }

    fn add_claims(&mut self, claims: &Claims) {
        let key = Key::new(karpenter::GROUP, "nodepools", "", &claims.pool);
        let Some(pool) = self.get(&key).cloned() else { return };
        for n in 0..claims.count {
            karpenter::claim(self, &pool, &claims.made_by, Some(format!("{}-{n:02}", claims.pool)));
        }
    }

    fn add_node(&mut self, nodes: &Nodes, n: u32) {
        let name = format!("{}-{n}", nodes.name);
        let mut node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"labels": nodes.labels},
            "spec": {"providerID": format!("aws:///eu-central-1a/i-{name}")},
            "status": {"capacity": nodes.capacity, "allocatable": nodes.capacity,
                "nodeInfo": {"kubeletVersion": self.settings().kubernetes.0.clone(), "operatingSystem": "linux", "architecture": "amd64"}},
        });
        for (label, value) in [
            ("kubernetes.io/hostname", name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
        ] {
            set(&mut node, &["metadata", "labels", label], value.into());
        }
        if !nodes.taints.is_empty() {
            set(&mut node, &["spec", "taints"], json!(nodes.taints));
        }
        self.create(Key::core("nodes", "", &name), node);
    }

    /// Applies an object of a world file as `kubectl apply --server-side` would, or helm if it bears helm's marks.
    fn add(&mut self, object: &Value) -> Result<(), WorldError> {
        let kind = self.kind_of(object).ok_or_else(|| {
            WorldError::Content(format!(
                "no such kind: {} {}",
                text(object, "/apiVersion"),
                text(object, "/kind")
            ))
        })?;
        let root = if kind.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", kind.group) };
        let namespace = match text(object, "/metadata/namespace") {
            "" => "default",
            given => given,
        };
        let scope = if kind.namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let of_helm = text(object, "/metadata/labels/app.kubernetes.io~1managed-by") == "Helm";
        let manager = if of_helm { "helm" } else { "kubectl" };
        let call = Call {
            method: "PATCH".into(),
            path: format!(
                "{root}/{}{scope}/{}/{}",
                kind.version,
                kind.resource,
                text(object, "/metadata/name")
            ),
            query: vec![("fieldManager".into(), manager.into())],
            content_type: "application/apply-patch+yaml".into(),
            body: object.to_string().into_bytes(),
            ..Call::default()
        };
        api::answer(self, &call)
            .map(|_| self.advance_by(std::time::Duration::from_millis(500)))
            .map_err(|e| WorldError::Content(format!("{}: {}", call.path, e.message)))
    }
}

fn file(path: &Path) -> Result<String, WorldError> {
    std::fs::read_to_string(path)
        .map_err(|source| WorldError::Read { path: path.display().to_string(), source })
}

fn merge(target: &mut Value, more: &Value) {
    match (target, more) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (target, more) => *target = more.clone(),
    }
}
