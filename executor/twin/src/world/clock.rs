//! The clock, and what is going to happen when it moves.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Change, ChangeKind, Key, World};

/// Something an actor will do. The actor is named by its place in the cast: at one instant they act in that order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Work {
    pub(super) at: Timestamp,
    pub(super) actor: usize,
    pub(super) key: Key,
}

impl World {
    /// Tells the actors that something moved which is no object: what a part of the world keeps under this key.
    pub(crate) fn announce(&mut self, key: Key) {
        let object = Arc::new(Value::Null);
        self.tell(&Change { rv: self.rv, kind: ChangeKind::Modified, key, object, before: None });
    }

    pub(super) fn tell(&mut self, change: &Change) {
        for (actor, key, after) in self.cast.notice(self, change) {
            self.enter(actor, key, after);
        }
    }

    /// Lets an actor look at a key after a while. Nobody is planned for who is not of the cast.
    pub(crate) fn plan(&mut self, actor: &str, key: Key, after: SignedDuration) {
        if let Some(actor) = self.cast.place(actor) {
            self.enter(actor, key, after);
        }
    }

    fn enter(&mut self, actor: usize, key: Key, after: SignedDuration) {
        let at = self.now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.agenda.insert(Work { at, actor, key });
    }

    /// When an actor acts next.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.agenda.get_min().map(|w| w.at)
    }

    /// Moves the clock; everything due on the way happens in order. An earlier instant changes nothing.
    pub fn advance_to(&mut self, to: Timestamp) {
        while let Some(work) = self.agenda.get_min().filter(|w| w.at <= to).cloned() {
            self.agenda.remove(&work);
            self.now = self.now.max(work.at);
            if let Some(actor) = self.cast.actors.get(work.actor) {
                (actor.act)(self, &work.key);
            }
        }
        self.now = self.now.max(to);
    }

    /// Moves the clock by a duration.
    pub fn advance_by(&mut self, by: std::time::Duration) {
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        self.advance_to(self.now.checked_add(by).unwrap_or(Timestamp::MAX));
    }

    /// Moves the clock until `done` holds, at most by `limit`. Says whether it holds.
    pub fn advance_until(&mut self, limit: SignedDuration, done: impl Fn(&World) -> bool) -> bool {
        let end = self.now.checked_add(limit).unwrap_or(Timestamp::MAX);
        while !done(self) {
            match self.next_event() {
                Some(at) if at <= end => self.advance_to(at),
                _ => {
                    self.advance_to(end);
                    return done(self);
                }
            }
        }
        true
    }
}
