//! A world written down: objects, clock, counters, what is planned. Not the history of watches.

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Key, Settings, Work, World, WorldError};
use crate::cloud::state::{App, Cloud};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Snapshot {
    format: String,
    clock: Timestamp,
    resource_version: u64,
    counter: u64,
    settings: Settings,
    #[serde(default, skip_serializing_if = "Cloud::is_empty")]
    cloud: Cloud,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    apps: Vec<App>,
    objects: Vec<Stored>,
    agenda: Vec<(Timestamp, usize, [String; 4])>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    key: [String; 4],
    object: Value,
}

fn parts(key: &Key) -> [String; 4] {
    [key.group.to_string(), key.resource.to_string(), key.namespace.to_string(), key.name.to_string()]
}

fn key([group, resource, namespace, name]: &[String; 4]) -> Key {
    Key::new(group, resource, namespace, name)
}

impl World {
    pub(super) const SNAPSHOT: &str = "switchback.world-snapshot/1.0";

    /// The world as JSON, which [`World::from_yaml`] reads back.
    pub fn to_json(&self) -> String {
        let snapshot = Snapshot {
            format: Self::SNAPSHOT.into(),
            clock: self.now,
            resource_version: self.rv,
            counter: self.counter,
            settings: (*self.settings).clone(),
            cloud: (*self.cloud).clone(),
            apps: (*self.apps).clone(),
            objects: self
                .objects
                .iter()
                .map(|(k, o)| Stored { key: parts(k), object: (**o).clone() })
                .collect(),
            agenda: self.agenda.iter().map(|w| (w.at, w.actor, parts(&w.key))).collect(),
        };
        serde_json::to_string(&snapshot).unwrap_or_else(|e| json!({"error": e.to_string()}).to_string())
    }

    pub(super) fn from_snapshot(value: Value) -> Result<Self, WorldError> {
        let snapshot: Snapshot =
            serde_json::from_value(value).map_err(|e| WorldError::Parse(e.to_string()))?;
        let mut world = Self::with_settings(snapshot.clock, snapshot.settings);
        world.cloud = std::sync::Arc::new(snapshot.cloud);
        world.apps = std::sync::Arc::new(snapshot.apps);
        world.objects = OrdMap::new();
        world.by_owner = OrdSet::new();
        world.by_node = OrdSet::new();
        world.history = Vector::new();
        for stored in snapshot.objects {
            let (key, object) = (key(&stored.key), std::sync::Arc::new(stored.object));
            world.index(&key, &object);
            world.objects.insert(key, object);
        }
        world.agenda =
            snapshot.agenda.into_iter().map(|(at, actor, of)| Work { at, actor, key: key(&of) }).collect();
        world.rv = snapshot.resource_version;
        world.floor = snapshot.resource_version;
        world.counter = snapshot.counter;
        Ok(world)
    }

    pub(crate) fn log_len(&self) -> usize {
        self.log.len()
    }
}
