//! What stands around the calls of a process: it notes what the platform accepted while each was under way, and when the process is to
//! die.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use switchback_executor::{
    ports::{Around, Call},
    store::sim::Unsynced,
};
use switchback_schemas::{RunId, journal::At};
use switchback_twin::{Twin, World};
use tokio::sync::Notify;

use super::scenario::Death;
use crate::support::{effects::accepted, time::Timed};

/// What the platform accepted while an effect was under way.
#[derive(Clone, Debug)]
pub(super) struct Did {
    pub(super) at: At,
    pub(super) attempt: u32,
    pub(super) when: Timestamp,
    /// What changed, one text for each request; requests that changed nothing are left out.
    pub(super) changes: Vec<String>,
}

/// When a process is to die, and what says so.
#[derive(Default)]
pub(super) struct Doom {
    pub(super) records: Mutex<Option<u64>>,
    effects: Mutex<Option<u64>>,
    pub(super) now: Notify,
}

impl Doom {
    pub(super) fn of(death: Option<&(Death, Unsynced)>) -> Self {
        let doom = Self::default();
        let set = |left: &Mutex<Option<u64>>, number| *left.lock().expect("no panic") = Some(number);
        match death {
            Some((Death::Record(number), _)) => set(&doom.records, *number),
            Some((Death::Effect(number), _)) => set(&doom.effects, *number),
            Some((Death::Disk(..), _)) | None => {}
        }
        doom
    }

    /// Counts down; at its end the process dies.
    pub(super) fn counts(&self, left: &Mutex<Option<u64>>) {
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = match *left {
            Some(0) => {
                self.now.notify_one();
                None
            }
            Some(number) => Some(number - 1),
            None => None,
        };
    }
}

/// Stands around the calls of a life, and notes what the platform accepted while each was under way.
pub(super) struct Noting {
    pub(super) timed: Timed,
    pub(super) twin: Twin,
    pub(super) run: RunId,
    pub(super) did: Arc<Mutex<Vec<Did>>>,
    pub(super) doom: Arc<Doom>,
}

struct Under {
    // First, so that what was done is noted while the clock still stands.
    _noted: Noted,
    _held: Box<dyn Send>,
}

struct Noted {
    twin: Twin,
    run: RunId,
    did: Arc<Mutex<Vec<Did>>>,
    doom: Arc<Doom>,
    from: usize,
    at: At,
    attempt: u32,
}

/// What a world accepted after its log had so many entries. An eviction is one of this pod, and not of one of them.
fn changes(world: &World, from: usize, run: &RunId) -> Vec<String> {
    let mut changes = accepted(world, from, run);
    changes.retain(|change| !change.starts_with("evict "));
    let evicted = world
        .log()
        .into_iter()
        .skip(from)
        .filter(|entry| entry.path.ends_with("/eviction") && entry.before < entry.resource_version);
    changes.extend(evicted.map(|entry| entry.path));
    changes
}

impl Drop for Noted {
    fn drop(&mut self) {
        let (from, run) = (self.from, &self.run);
        let (changes, when) = self.twin.with(|world| (changes(world, from, run), world.now()));
        let did = Did { at: self.at.clone(), attempt: self.attempt, when, changes };
        self.did.lock().unwrap_or_else(PoisonError::into_inner).push(did);
        self.doom.counts(&self.doom.effects);
    }
}

#[async_trait]
impl Around for Noting {
    async fn enter(&self, effect: Option<&Call>) -> Box<dyn Send> {
        let held = self.timed.enter(effect).await;
        let Some(call) = effect else { return held };
        let noted = Noted {
            twin: self.twin.clone(),
            run: self.run.clone(),
            did: Arc::clone(&self.did),
            doom: Arc::clone(&self.doom),
            from: self.twin.with(|world| world.log_len()),
            at: call.at.clone(),
            attempt: call.attempt,
        };
        Box::new(Under { _noted: noted, _held: held })
    }
}
