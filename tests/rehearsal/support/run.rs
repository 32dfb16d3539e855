//! A run of a plan, from its first record to its rest, and from a copy of it at any record.

use std::path::{Path, PathBuf};

use switchback_executor::{
    env::Clock as _,
    machine::Rest,
    runs::{self, RunHandle},
    runtime::{Ended, RunError, Stop},
    store::{Store, disk::Disk as _, sim::SimDisk},
};
use switchback_schemas::{
    Digest, RunId,
    event::RunEvent,
    journal::{Approval, End, Identified, Record, RollbackScope, SideKind, WaitsFor},
    name::SavepointId,
    plan::Plan,
};
use switchback_twin::World;

use super::{
    platform::{Manner, Platform},
    projection::{self, Projection},
};

/// Times that a run is taken up again before it is thought to be stuck.
const REPEATS: usize = 60;

/// A plan as a run has it.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) bytes: Vec<u8>,
}

impl Planned {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { plan: Plan::from_json(&bytes).expect("a plan"), bytes }
    }

    pub(crate) fn run(&self) -> RunId {
        runs::run_id(&Digest::of(&self.bytes)).expect("a name for its run")
    }
}

/// What a store holds, file by file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    pub(crate) fn of(disk: &SimDisk) -> Self {
        let mut files = Vec::new();
        let mut directories = vec![PathBuf::from("/store")];
        while let Some(directory) = directories.pop() {
            for name in disk.list(&directory).expect("a directory") {
                let path = directory.join(name);
                match disk.read(&path) {
                    Ok(bytes) => files.push((path, bytes)),
                    Err(_) => directories.push(path),
                }
            }
        }
        files.sort();
        Self(files)
    }

    /// The bytes of the journal; of one journal, as a store of one run has it.
    pub(crate) fn journal(&self) -> Vec<u8> {
        let journals = self.0.iter().filter(|(path, _)| path.ends_with("journal"));
        journals.flat_map(|(_, bytes)| bytes.clone()).collect()
    }

    /// The last records of the journal, for who looks for what went wrong.
    pub(crate) fn tail(&self) -> String {
        let journals = self.0.iter().filter(|(path, _)| path.ends_with("journal"));
        let lines = journals.flat_map(|(_, bytes)| bytes.split(|byte| *byte == b'\n'));
        let lines: Vec<String> =
            lines.map(|line| String::from_utf8_lossy(line).chars().take(400).collect()).collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The same as a process leaves it that dies when so many records are durable.
    pub(crate) fn cut(mut self, records: u64) -> Self {
        let journals = self.0.iter_mut().filter(|(path, _)| path.ends_with("journal"));
        for (_, bytes) in journals {
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let records = usize::try_from(records).expect("a journal in memory");
            assert!(lines.len() >= records, "the journal has {} records", lines.len());
            *bytes = lines[..records].concat();
        }
        self
    }

    pub(crate) fn disk(&self) -> SimDisk {
        let disk = SimDisk::new();
        disk.make_dirs(Path::new("/store/claims")).expect("a directory");
        for (path, bytes) in &self.0 {
            disk.make_dirs(path.parent().expect("a directory")).expect("a directory");
            let mut file = disk.create(path).expect("a file");
            file.append(bytes).and_then(|()| file.sync()).expect("its bytes");
        }
        disk
    }
}

/// How a rollback ended.
pub(crate) enum Back {
    /// It was not begun.
    Refused(String),
    /// It came to rest, and the world is this when nothing moves any more.
    Rested(Rest, Projection),
}

impl Platform {
    /// Carries the run of a plan to its end: approves what it asks for, and comes again when it parks. Every record is told when
    /// it is durable.
    pub(crate) async fn carried_through(
        &self,
        planned: &Planned,
        manner: &Manner,
        mut look: impl FnMut(&Self, &Record) + Send,
    ) -> Rest {
        let runtime = self.runtime(&planned.plan, manner).await;
        let mut last = Vec::new();
        for _ in 0..REPEATS {
            let mut view = |event: &RunEvent| {
                if let RunEvent::Recorded { record } = event {
                    look(self, record);
                }
            };
            let ended = Box::pin(runs::apply(&runtime, &planned.bytes, &Stop::new(), &mut view)).await;
            match ended.expect("the run is carried on").1 {
                Ended::Rest(Rest::Parked { waits_for, wake_at }) => {
                    last.clone_from(&waits_for);
                    if !Box::pin(self.approved(planned, &waits_for)).await {
                        let later = self.time.now() + jiff::SignedDuration::from_mins(10);
                        self.time.sleep_until(wake_at.unwrap_or(later).max(later)).await;
                    }
                }
                Ended::Rest(rest) => return rest,
                Ended::Interrupted { calling } => panic!("interrupted at {calling:?}"),
            }
        }
        panic!("the run never comes to its end at {}: {last:#?}", self.time.now());
    }

    fn handle<'a>(&'a self, store: &'a dyn Store, run: &'a RunId) -> RunHandle<'a> {
        RunHandle { store, clock: &self.time, holder: "a rehearsal", run }
    }

    /// Gives the approvals that are waited for; whether there were any.
    pub(crate) async fn approved(&self, planned: &Planned, waits_for: &[WaitsFor]) -> bool {
        let mut any = false;
        for waits in waits_for {
            let WaitsFor::Approval { scope } = waits else { continue };
            let by = Identified::Kubernetes("twin-admin".to_owned());
            let approval = Approval {
                by,
                scope: scope.clone(),
                review: planned.plan.digests.review,
                reason: Some("reviewed".to_owned()),
                given: self.time.now(),
                expires: None,
                proof: None,
            };
            let given = runs::approve(self.handle(&self.store(), &planned.run()), approval).await;
            given.expect("an approval");
            any = true;
        }
        any
    }

    /// Goes back to a savepoint, as far as that goes without anybody's help.
    pub(crate) async fn back(&self, planned: &Planned, to: &SavepointId) -> Back {
        let by = Identified::Kubernetes("twin-admin".to_owned());
        let says =
            SideKind::Rollback { scope: RollbackScope::Savepoint(to.clone()), reason: "tired".to_owned() };
        match runs::request(self.handle(&self.store(), &planned.run()), by, says).await {
            Ok(()) => {}
            Err(RunError::NotAllowed { why, .. }) => return Back::Refused(why),
            Err(error) => panic!("back to {to}: {error}"),
        }
        let runtime = self.runtime(&planned.plan, &Manner::default()).await;
        let ended = runs::resume(&runtime, &planned.run(), &Stop::new(), &mut |_| ()).await;
        match ended.unwrap_or_else(|error| panic!("back to {to}: {error}")) {
            Ended::Rest(rest) => Back::Rested(rest, settled(self.twin.snapshot())),
            Ended::Interrupted { calling } => panic!("back to {to}: interrupted at {calling:?}"),
        }
    }

    /// Savepoints that the run reached, the last one first, each with what stands in the rollback to it.
    pub(crate) async fn ways_back(&self, planned: &Planned) -> Vec<(SavepointId, Option<String>)> {
        let ways =
            runs::rollback_targets(&self.store(), &planned.run(), self.time.now()).await.expect("rollbacks");
        let savepoint = |(scope, obstacle)| match scope {
            RollbackScope::Savepoint(id) => (id, obstacle),
            RollbackScope::Step(step) => panic!("a savepoint is no step: {step}"),
        };
        ways.into_iter().map(savepoint).collect()
    }

    /// A run that rolled back took back all that it did, and says so.
    pub(crate) async fn nothing_is_left(&self, planned: &Planned, what: &str) {
        let report = runs::status(&self.store(), &planned.run()).await.expect("a report");
        let ended = switchback_schemas::report::RunState::Ended { end: End::RolledBack };
        assert_eq!(report.state, ended, "{what}");
        assert!(report.left_suspended.is_empty(), "{what}: {:?}", report.left_suspended);
        assert!(report.residue.is_empty(), "{what}: {:?}", report.residue);
        assert!(self.store().claim(&planned.plan.platform.name).await.expect("a claim").is_none(), "{what}");
    }
}

/// A world when nothing moves any more.
pub(crate) fn settled(mut world: World) -> Projection {
    world.advance_by(std::time::Duration::from_mins(10));
    projection::of(&world.to_value())
}
