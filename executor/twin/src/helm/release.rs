//! Releases, stored as helm stores them: a Secret a revision.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::chart::Rendered;
use crate::world::key::{number, set, text};
use crate::world::{Key, World};

/// A revision of a release.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Release(pub(super) Value);

impl Release {
    pub(super) fn new(world: &World, name: &str, namespace: &str, chart: &Rendered, config: &Value) -> Self {
        let now = world.now().to_string();
        let hooks: Vec<Value> = chart
            .hooks
            .iter()
            .map(|h| {
                let annotation = |name: &str| -> Vec<&str> {
                    let value = h.pointer("/metadata/annotations").and_then(|a| a.get(name)).and_then(Value::as_str);
                    value.unwrap_or_default().split(',').map(str::trim).filter(|s| !s.is_empty()).collect()
                };
                json!({"name": text(h, "/metadata/name"), "kind": text(h, "/kind"),
                    "path": format!("{}/templates/hook.yaml", chart.name),
                    "manifest": serde_yaml::to_string(h).unwrap_or_default(), "events": annotation("helm.sh/hook"),
                    "last_run": {"phase": ""}, "delete_policies": annotation("helm.sh/hook-delete-policy")})
            })
            .collect();
        let mut release = json!({
            "name": name,
            "info": {"first_deployed": now, "last_deployed": now, "description": "", "status": "unknown"},
            "chart": {"metadata": {"name": chart.name, "version": chart.version, "appVersion": chart.app_version, "apiVersion": "v2"},
                "lock": null, "templates": [], "values": chart.defaults, "schema": null, "files": []},
            "config": config,
            "manifest": super::chart::manifest(&chart.name, &chart.objects),
            "hooks": hooks, "version": 1, "namespace": namespace,
        });
        if config.as_object().is_none_or(serde_json::Map::is_empty) {
            crate::world::key::unset(&mut release, &["config"]);
        }
        if super::four(world) {
            set(&mut release, &["apply_method"], "ssa".into());
        } else {
            set(&mut release, &["info", "deleted"], "".into());
        }
        Self(release)
    }

    pub(super) fn revision(&self) -> i64 {
        number(&self.0, "/version").unwrap_or(0)
    }

    pub(super) fn status(&self) -> &str {
        text(&self.0, "/info/status")
    }

    pub(super) fn manifest(&self) -> &str {
        text(&self.0, "/manifest")
    }

    pub(super) fn config(&self) -> Value {
        self.0.get("config").cloned().unwrap_or_else(|| json!({}))
    }

    pub(super) fn hooks(&self, event: &str) -> Vec<Value> {
        let all = self.0.get("hooks").and_then(Value::as_array).cloned().unwrap_or_default();
        all.into_iter()
            .filter(|h| h["events"].as_array().is_some_and(|e| e.contains(&json!(event))))
            .collect()
    }

    /// The hooks as a manifest.
    pub(super) fn recorded_hooks(&self) -> String {
        let all = self.0.get("hooks").and_then(Value::as_array).into_iter().flatten();
        all.map(|hook| ["---\n# Source: ", text(hook, "/path"), "\n", text(hook, "/manifest")].concat())
            .collect()
    }

    /// `demo-1.0.0`.
    pub(super) fn chart(&self) -> String {
        format!("{}-{}", text(&self.0, "/chart/metadata/name"), text(&self.0, "/chart/metadata/version"))
    }

    pub(super) fn set(&mut self, status: &str, description: &str) {
        self.set_status(status);
        set(&mut self.0, &["info", "description"], description.into());
    }

    pub(super) fn set_status(&mut self, status: &str) {
        set(&mut self.0, &["info", "status"], status.into());
    }

    fn key(&self) -> Key {
        let name = format!("sh.helm.release.v1.{}.v{}", text(&self.0, "/name"), self.revision());
        Key::core("secrets", text(&self.0, "/namespace"), &name)
    }

    /// Stores it, over what is there.
    pub(super) fn store(&self, world: &mut World) {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let packed =
            gzip.write_all(self.0.to_string().as_bytes()).and_then(|()| gzip.finish()).unwrap_or_default();
        let data = STANDARD.encode(STANDARD.encode(packed));
        let labels = json!({"modifiedAt": world.now().as_second().to_string(), "name": text(&self.0, "/name"),
            "owner": "helm", "status": self.status(), "version": self.revision().to_string()});
        let key = self.key();
        if world.get(&key).is_some() {
            world.modify(&key, |s| {
                set(s, &["metadata", "labels"], labels);
                set(s, &["data", "release"], data.into());
            });
        } else {
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"labels": labels},
                "type": "helm.sh/release.v1", "data": {"release": data}});
            world.create(key, secret);
        }
    }

    pub(super) fn forget(&self, world: &mut World) {
        world.delete(&self.key(), crate::world::DeleteOptions::default());
    }
}

/// All revisions of a release, oldest first.
pub(super) fn history(world: &World, name: &str, namespace: &str) -> Vec<Release> {
    let mut all: Vec<Release> = world
        .list("", "secrets", Some(namespace))
        .filter(|(_, s)| text(s, "/type") == "helm.sh/release.v1" && is_record(s, name))
        .filter_map(|(_, s)| decode(text(s, "/data/release")))
        .collect();
    all.sort_by_key(Release::revision);
    all
}

/// Helm finds its records by their labels.
fn is_record(secret: &Value, release: &str) -> bool {
    let label = |name: &str| text(secret, &format!("/metadata/labels/{name}"));
    label("owner") == "helm" && label("name") == release
}

fn decode(data: &str) -> Option<Release> {
    let inner = STANDARD.decode(data).ok()?;
    let packed = STANDARD.decode(inner).ok()?;
    let mut out = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut out).ok()?;
    serde_json::from_str(&out).ok().map(Release)
}
