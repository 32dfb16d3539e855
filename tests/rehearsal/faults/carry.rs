//! A run is carried through a scenario, as a pipeline does it: what dies is started again, what parks is called again.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use switchback_executor::{
    env::Clock as _,
    machine::Rest,
    ports::ClaimPort,
    runs::{self, RunHandle},
    runtime::{Ended, PlatformClaims, RunError, Stop},
    store::{
        StoreError,
        sim::{SimDisk, Unsynced},
    },
};
use switchback_kube::LeaseClaim;
use switchback_schemas::{
    StepId,
    event::RunEvent,
    journal::{Event, Identified, Record, SideKind, WaitsFor},
};
use switchback_twin::{Fault, World};

use super::{
    history,
    noting::{Did, Doom, Noting},
    scenario::{Death, Scenario},
};
use crate::support::{
    platform::{Manner, Platform},
    run::{Files, Planned},
    time::{Random, Timed},
    watch::Watch,
};

/// How often a run is called before it is thought to be stuck.
const CALLS: usize = 400;

/// How long a pipeline waits before it calls a run again.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// What somebody else does to the platform.
pub(super) type Act = Box<dyn FnOnce(&mut World) + Send>;

/// Where a run came to rest for good, or where only a person helps it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Rest(Rest),
    /// It cannot be taken up.
    Failed(String),
    /// It was called again and again.
    Stuck(Vec<WaitsFor>),
}

/// A run that was carried through.
pub(super) struct Carried {
    pub(super) came: Came,
    pub(super) world: World,
    pub(super) began: Timestamp,
    pub(super) files: Files,
    pub(super) did: Vec<Did>,
    /// Faults, with how many calls they hit.
    pub(super) faults: Vec<Fault>,
    /// Processes that worked on it.
    pub(super) lives: usize,
    /// What did not hold on the way.
    pub(super) wrong: Vec<String>,
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} after {} processes", self.came, self.lives)?;
        for fault in self.faults.iter().filter(|fault| fault.hits > 0) {
            writeln!(f, "  hit {} times: {fault:?}", fault.hits)?;
        }
        for wrong in &self.wrong {
            writeln!(f, "  {wrong}")?;
        }
        f.write_str(&self.files.tail())
    }
}

/// What one process came to.
enum Life {
    Ended(Result<Ended, RunError>),
    Killed,
}

/// What one call of the run came to.
enum Once {
    Over(Came),
    Died,
    /// It parked then, and has been waited for since.
    Waits {
        waits_for: Vec<WaitsFor>,
        at: Timestamp,
    },
}

/// A platform under a scenario.
pub(super) struct Stage {
    /// Where what outlives processes listens.
    host: tokio::runtime::Runtime,
    pub(super) platform: Platform,
    pub(super) watch: Arc<Mutex<Watch>>,
    did: Arc<Mutex<Vec<Did>>>,
    began: Timestamp,
    random: Arc<Mutex<Random>>,
    /// What others are going to do, and when.
    acts: Mutex<VecDeque<(Timestamp, Act)>>,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

impl Stage {
    pub(super) fn of(world: World, watch: Watch, seed: u64) -> Self {
        let host = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let host = host.expect("a runtime");
        let platform = host.block_on(Platform::of(world, SimDisk::new()));
        let watch = Arc::new(Mutex::new(watch));
        platform.time.is_watched_by(&watch);
        let began = platform.time.now();
        let random = Arc::new(Mutex::new(Random::of(seed)));
        Self { host, platform, watch, did: Arc::default(), began, random, acts: Mutex::default() }
    }

    /// Somebody else is going to do this.
    pub(super) fn expects(&self, acts: Vec<(Timestamp, Act)>) {
        *self.acts.lock().unwrap_or_else(PoisonError::into_inner) = acts.into();
    }

    /// Does what others do, each when it is time.
    async fn others(&self) {
        loop {
            let next = self.acts.lock().unwrap_or_else(PoisonError::into_inner).front().map(|(at, _)| *at);
            let Some(at) = next else { return std::future::pending().await };
            self.platform.time.sleep_until(at).await;
            let act = self.acts.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some((_, act)) = act {
                self.platform.twin.with(act);
            }
        }
    }

    /// The step because of which the run holds.
    pub(super) fn held_at(&self) -> Option<StepId> {
        let held = |record: Record| match record.event {
            Event::Held { at, .. } => Some(at.map(|at| at.step)),
            _ => None,
        };
        let records = history::records(&Files::of(&self.platform.disk).journal()).expect("a journal");
        records.into_iter().rev().find_map(held).flatten()
    }

    /// Somebody says something to the run; why it does not listen.
    pub(super) fn says(&self, planned: &Planned, (by, says): (Identified, SideKind)) -> Result<(), RunError> {
        let (store, run) = (self.platform.store(), planned.run());
        let handle = RunHandle { store: &store, clock: &self.platform.time, holder: "somebody", run: &run };
        runtime().block_on(runs::request(handle, by, says))
    }

    /// One process, from its start to its end. What it had under way ends with it.
    fn life(&self, planned: &Planned, scenario: &Scenario, death: Option<&(Death, Unsynced)>) -> Life {
        let process = runtime();
        let doom = Arc::new(Doom::of(death));
        if let Some((Death::Disk(operation, fault), _)) = death {
            self.platform.disk.fault_at(*operation, *fault);
        }
        process.block_on(async {
            let late = Some((Arc::clone(&self.random), scenario.late)).filter(|_| scenario.late > 0);
            let manner = Manner { late: late.clone(), parallel: Some(scenario.parallel) };
            let mut runtime = self.platform.runtime(&planned.plan, &manner).await;
            runtime.drivers.around = Some(Arc::new(Noting {
                timed: Timed { time: self.platform.time.clone(), late },
                twin: self.platform.twin.clone(),
                run: planned.run(),
                did: Arc::clone(&self.did),
                doom: Arc::clone(&doom),
            }));
            let port: Arc<dyn ClaimPort> = Arc::new(LeaseClaim::over(self.platform.client()));
            let claims = PlatformClaims::new(port, "the store".to_owned());
            // Who takes over knows that the other process is dead.
            let no_wait = std::time::Duration::ZERO;
            runtime.claims = Some(PlatformClaims { good_for: no_wait, takeover: no_wait, ..claims });
            let stop = Stop::new();
            let mut view = |event: &RunEvent| {
                if let RunEvent::Recorded { .. } = event {
                    doom.counts(&doom.records);
                }
            };
            let applied = Box::pin(runs::apply(&runtime, &planned.bytes, &stop, &mut view));
            tokio::select! {
                biased;
                () = doom.now.notified() => Life::Killed,
                ended = applied => Life::Ended(ended.map(|(_, ended)| ended)),
                () = self.others() => unreachable!("others never end"),
            }
        })
    }

    /// Lets time pass until somebody calls the run again.
    fn waits(&self, wake_at: Option<Timestamp>) {
        let later = self.platform.time.now() + AGAIN;
        let until = wake_at.map_or(later, |at| at.max(later));
        runtime().block_on(async {
            tokio::select! {
                biased;
                () = self.platform.time.sleep_until(until) => {}
                () = self.others() => unreachable!("others never end"),
            }
        });
    }

    /// Calls the run until so many records are durable, and kills it there; what it came to if it ended before.
    pub(super) fn until_record(
        &self,
        planned: &Planned,
        scenario: &Scenario,
        records: u64,
    ) -> (Option<Came>, usize) {
        let scenario = Scenario { deaths: Vec::new(), ..scenario.clone() };
        let written = || {
            let journal = Files::of(&self.platform.disk).journal();
            journal.split(|byte| *byte == b'\n').count() as u64 - 1
        };
        for lives in 1..=CALLS {
            let Some(left) = records.checked_sub(written()) else { return (None, lives) };
            let death = (Death::Record(left), Unsynced::Kept);
            if let Once::Over(came) = self.once(planned, &scenario, Some(&death)) {
                return (Some(came), lives);
            }
        }
        (Some(Came::Stuck(Vec::new())), CALLS)
    }

    /// Calls the run until it is at rest, or until it has waited for the same for so long that somebody looks.
    pub(super) fn carries(
        &self,
        planned: &Planned,
        scenario: &Scenario,
        patience: Option<SignedDuration>,
    ) -> (Came, usize) {
        let mut deaths = scenario.deaths.iter();
        let mut waited = (Vec::new(), self.platform.time.now());
        for lives in 1..=CALLS {
            match self.once(planned, scenario, deaths.next()) {
                Once::Over(came) => return (came, lives),
                Once::Died => {}
                Once::Waits { waits_for, at } => {
                    if waited.0 != waits_for {
                        waited = (waits_for, at);
                    }
                    if patience.is_some_and(|patience| at.duration_since(waited.1) >= patience) {
                        return (Came::Stuck(waited.0), lives);
                    }
                }
            }
        }
        (Came::Stuck(waited.0), CALLS)
    }

    /// Calls the run once, and does what a pipeline does until it calls it again.
    fn once(&self, planned: &Planned, scenario: &Scenario, death: Option<&(Death, Unsynced)>) -> Once {
        let life = self.life(planned, scenario, death);
        let unsynced = death.map_or(Unsynced::Kept, |(_, unsynced)| *unsynced);
        self.platform.disk.restart(unsynced);
        match life {
            Life::Killed => Once::Died,
            Life::Ended(Ok(Ended::Rest(Rest::Parked { waits_for, wake_at }))) => {
                let at = self.platform.time.now();
                if !runtime().block_on(self.platform.approved(planned, &waits_for)) {
                    self.waits(wake_at);
                }
                Once::Waits { waits_for, at }
            }
            Life::Ended(Ok(Ended::Rest(rest))) => Once::Over(Came::Rest(rest)),
            Life::Ended(Ok(Ended::Interrupted { calling })) => {
                Once::Over(Came::Failed(format!("interrupted at {calling:?}")))
            }
            // The disk, or an API server that is away: a pipeline tries again.
            Life::Ended(Err(error)) if passes(&error) => {
                self.waits(None);
                Once::Died
            }
            Life::Ended(Err(error)) => Once::Over(Came::Failed(format!("{} {error}", error.code()))),
        }
    }

    /// What came of it.
    pub(super) fn carried(self, came: Came, lives: usize) -> Carried {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let carried = Carried {
            came,
            world: self.platform.twin.snapshot(),
            began: self.began,
            files: Files::of(&self.platform.disk),
            did: std::mem::take(&mut *self.did.lock().unwrap_or_else(PoisonError::into_inner)),
            faults: self.platform.twin.faults(),
            lives,
            wrong: std::mem::take(&mut watch.wrong),
        };
        drop(watch);
        self.host.shutdown_background();
        carried
    }
}

/// Whether an error is over when its cause is.
fn passes(error: &RunError) -> bool {
    matches!(
        error,
        RunError::Unproven { .. }
            | RunError::ClaimUnreadable { .. }
            | RunError::Append(_)
            | RunError::Store(StoreError::Disk { .. })
    )
}

/// Carries a run of a plan through a scenario.
pub(super) fn carried(planned: &Planned, world: World, watch: Watch, scenario: &Scenario) -> Carried {
    let stage = Stage::of(world, watch, scenario.seed);
    for fault in &scenario.faults {
        stage.platform.twin.inject(fault.clone());
    }
    let (came, lives) = stage.carries(planned, scenario, None);
    stage.carried(came, lives)
}
