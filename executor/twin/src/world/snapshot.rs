//! A world written down: objects, clock, counters, what is planned and for whom. Not the history of watches.
//!
//! Actors and parts are named, so that a snapshot can be read by a later twin that knows more of them.

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Work;
use super::key::set;
use super::{Cast, Key, Settings, World, WorldError};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Snapshot {
    format: String,
    clock: Timestamp,
    resource_version: u64,
    counter: u64,
    settings: Settings,
    objects: Vec<Stored>,
    /// When, which actor, what it looks at.
    agenda: Vec<(Timestamp, String, [String; 4])>,
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
    /// What the formats of all snapshots begin with.
    pub(crate) const SNAPSHOTS: &str = "switchback.world-snapshot/";
    const SNAPSHOT: &str = "switchback.world-snapshot/2.0";

    /// The world as JSON, which [`World::from_yaml`] reads back.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// The same, not as text.
    pub fn to_value(&self) -> Value {
        self.written().unwrap_or_else(|e| json!({"error": e.to_string()}))
    }

    fn written(&self) -> serde_json::Result<Value> {
        let name = |place: usize| self.cast.actors.get(place).map_or("", |actor| actor.name).to_owned();
        let mut written = serde_json::to_value(Snapshot {
            format: Self::SNAPSHOT.into(),
            clock: self.now,
            resource_version: self.rv,
            counter: self.counter,
            settings: (*self.settings).clone(),
            objects: self
                .objects
                .iter()
                .map(|(k, o)| Stored { key: parts(k), object: (**o).clone() })
                .collect(),
            agenda: self.agenda.iter().map(|w| (w.at, name(w.actor), parts(&w.key))).collect(),
        })?;
        for part in self.cast.parts {
            if let Some(value) = (part.write)(self)? {
                set(&mut written, &[part.name], value);
            }
        }
        Ok(written)
    }

    /// Reads a snapshot back, for a cast that has the actors and parts that it names.
    pub(crate) fn from_snapshot(mut value: Value, cast: Cast) -> Result<Self, WorldError> {
        let format = value.get("format").and_then(Value::as_str).unwrap_or_default();
        if format != Self::SNAPSHOT {
            return Err(WorldError::Content(format!("format {format:?} is not {:?}", Self::SNAPSHOT)));
        }
        let mut kept = Vec::new();
        for part in cast.parts {
            kept.extend(
                value.as_object_mut().and_then(|map| map.remove(part.name)).map(|value| (part, value)),
            );
        }
        let snapshot: Snapshot =
            serde_json::from_value(value).map_err(|e| WorldError::Parse(e.to_string()))?;
        let mut world = Self::empty(snapshot.clock, snapshot.settings, cast);
        world.objects = OrdMap::new();
        world.by_owner = OrdSet::new();
        world.by_node = OrdSet::new();
        world.requested = OrdMap::new();
        world.history = Vector::new();
        for stored in snapshot.objects {
            let (key, object) = (key(&stored.key), std::sync::Arc::new(stored.object));
            world.index(&key, &object);
            world.objects.insert(key, object);
        }
        for (part, value) in kept {
            (part.read)(&mut world, value).map_err(|e| WorldError::Parse(format!("{}: {e}", part.name)))?;
        }
        world.agenda = OrdSet::new();
        for (at, name, of) in snapshot.agenda {
            let actor = cast.place(&name);
            let actor = actor.ok_or_else(|| WorldError::Content(format!("no actor is named {name:?}")))?;
            world.agenda.insert(Work { at, actor, key: key(&of) });
        }
        world.rv = snapshot.resource_version;
        world.floor = snapshot.resource_version;
        world.counter = snapshot.counter;
        Ok(world)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::world::{Actor, Part};

    /// An actor that leaves its name where it is let look.
    fn actor(name: &'static str) -> Actor {
        fn mark(world: &mut World, key: &Key, by: &str) {
            world.create(key.clone(), json!({"by": by}));
        }
        let act: fn(&mut World, &Key) = match name {
            "first" => |world, key| mark(world, key, "first"),
            "between" => |world, key| mark(world, key, "between"),
            _ => |world, key| mark(world, key, "last"),
        };
        Actor { name, notice: |_, _| Vec::new(), act }
    }

    fn cast(names: &[&'static str]) -> Cast {
        let actors: Vec<Actor> = names.iter().map(|name| actor(name)).collect();
        Cast { actors: actors.leak(), parts: &[] }
    }

    fn seen(world: &World, name: &str) -> Value {
        world.get(&Key::core("configmaps", "default", name)).map_or(Value::Null, |o| o["by"].clone())
    }

    fn planned() -> World {
        let mut world = World::empty(Timestamp::UNIX_EPOCH, Settings::default(), cast(&["first", "last"]));
        for name in ["first", "last"] {
            world.plan(name, Key::core("configmaps", "default", name), SignedDuration::from_secs(5));
        }
        world
    }

    #[test]
    fn a_snapshot_wakes_whom_it_names_when_another_actor_has_come_between() {
        let old: Value = planned().to_value();
        let mut world = World::from_snapshot(old, cast(&["between", "first", "between", "last"])).unwrap();
        world.advance_by(std::time::Duration::from_secs(5));
        assert_eq!((seen(&world, "first"), seen(&world, "last")), (json!("first"), json!("last")));
    }

    #[test]
    fn an_actor_that_is_no_more_is_named() {
        let old: Value = planned().to_value();
        let error = World::from_snapshot(old, cast(&["first"])).unwrap_err();
        assert_eq!(error.to_string(), "no actor is named \"last\"");
    }

    #[test]
    fn parts_are_written_by_name_and_read_back() {
        let with = |parts: Vec<Part>| Cast { actors: &[], parts: parts.leak() };
        let mut world = World::empty(
            Timestamp::UNIX_EPOCH,
            Settings::default(),
            with(vec![Part::of::<Vec<u8>>("bytes")]),
        );
        *world.part_mut::<Vec<u8>>() = vec![1, 2];
        let old: Value = world.to_value();
        assert_eq!(old["bytes"], json!([1, 2]));
        let more = with(vec![Part::of::<String>("text"), Part::of::<Vec<u8>>("bytes")]);
        let read = World::from_snapshot(old.clone(), more).unwrap();
        assert_eq!(read.part::<Vec<u8>>(), Some(&vec![1, 2]));
        assert_eq!(read.part::<String>(), None);
        let error = World::from_snapshot(old, with(Vec::new())).unwrap_err();
        assert!(error.to_string().contains("unknown field `bytes`"), "{error}");
    }
}
