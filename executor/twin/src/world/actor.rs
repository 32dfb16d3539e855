//! Who acts by itself. An actor notices a change, plans to look at a key after a while, and when the clock gets there looks at
//! the world as it then is.

use jiff::SignedDuration;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Change, Key, World};

/// Keys to look at, and after how long.
pub(crate) type Wakes = Vec<(Key, SignedDuration)>;

/// Somebody who acts by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor {
    /// Its name in snapshots: it stays the same for ever.
    pub name: &'static str,
    /// What it wants to look at because of a change.
    pub notice: fn(&World, &Change) -> Wakes,
    /// Looks at a key.
    pub act: fn(&mut World, &Key),
}

/// Something that a world keeps beside its objects, one of each type: how snapshots write it and read it back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Its name in snapshots: a field of its own, beside those of the world.
    pub name: &'static str,
    /// Writes it, where it is there and says anything.
    pub write: fn(&World) -> serde_json::Result<Option<Value>>,
    /// Puts it in place.
    pub read: fn(&mut World, Value) -> serde_json::Result<()>,
}

impl Part {
    /// A part by its type. One that says no more than the default is not written.
    pub(crate) const fn of<T>(name: &'static str) -> Self
    where
        T: Serialize + DeserializeOwned + Default + Clone + PartialEq + Send + Sync + 'static,
    {
        fn write<T>(world: &World) -> serde_json::Result<Option<Value>>
        where
            T: Serialize + Default + PartialEq + Send + Sync + 'static,
        {
            world.part::<T>().filter(|part| **part != T::default()).map(serde_json::to_value).transpose()
        }
        fn read<T>(world: &mut World, value: Value) -> serde_json::Result<()>
        where
            T: DeserializeOwned + Default + Clone + Send + Sync + 'static,
        {
            *world.part_mut::<T>() = serde_json::from_value(value)?;
            Ok(())
        }
        Self { name, write: write::<T>, read: read::<T> }
    }
}

/// What is given to a world when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cast {
    /// Who acts, in the order in which they do so at one instant.
    pub actors: &'static [Actor],
    /// What is kept beside objects.
    pub parts: &'static [Part],
}

impl Cast {
    /// The place of an actor among the others.
    pub(super) fn place(self, name: &str) -> Option<usize> {
        self.actors.iter().position(|actor| actor.name == name)
    }

    /// Who wants to look at what, and when, because of a change.
    pub(super) fn notice(self, world: &World, change: &Change) -> Vec<(usize, Key, SignedDuration)> {
        let mut out = Vec::new();
        for (place, actor) in self.actors.iter().enumerate() {
            out.extend((actor.notice)(world, change).into_iter().map(|(key, after)| (place, key, after)));
        }
        out
    }
}
