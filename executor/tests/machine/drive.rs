//! Drives a machine against the world: writes records, answers commands in any order, crashes, takes over.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use switchback_executor::machine::{Command, Index, Machine, Rest, Settings, What};
use switchback_model::journal::Head;
use switchback_schemas::{
    Digest,
    format::Document,
    journal::{Event, Identified, Record, SideEntry, SideKind},
    plan::Plan,
};

use super::{
    plans::{Random, run},
    world::{Weather, World},
};

pub struct Drive {
    pub index: Arc<Index>,
    pub machine: Machine,
    pub world: World,
    pub records: Vec<Record>,
    pub head: Head,
    pub epoch: u64,
    pub now: Timestamp,
    pub pending: Vec<Command>,
    /// Calls of effects, as they were started.
    pub called: Vec<Command>,
    pub side: Vec<SideEntry>,
    pub random: Random,
    pub weather: Weather,
    /// How often a process dies between two moves, in hundredths.
    pub crashes: u64,
    pub moves: u64,
}

pub fn start() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

impl Drive {
    pub fn new(plan: Plan, world: World, seed: u64) -> Self {
        let index = Arc::new(Index::new(Arc::new(plan), Digest::of("plan")).unwrap());
        let mut drive = Self {
            machine: Machine::of(Arc::clone(&index), Settings::default()),
            index,
            world,
            records: Vec::new(),
            head: Head::default(),
            epoch: 0,
            now: start(),
            pending: Vec::new(),
            called: Vec::new(),
            side: Vec::new(),
            random: Random(seed),
            weather: Weather::default(),
            crashes: 0,
            moves: 0,
        };
        drive.write(Event::Header {
            format: Document::Journal.current(),
            run: run(),
            operation: run(),
            platform: drive.index.plan.platform.name.clone(),
            plan: drive.index.digest,
            review: drive.index.plan.digests.review,
        });
        drive.take_over();
        drive
    }

    pub fn write(&mut self, event: Event) {
        let line = self.head.line(self.epoch, self.now, event).unwrap();
        self.machine.apply(&line.record).unwrap_or_else(|illegal| panic!("{illegal}\n{:?}", line.record));
        self.records.push(line.record);
        if self.records.len().is_multiple_of(17) {
            assert_eq!(*self.replay().state(), *self.machine.state(), "the state is the fold of the journal");
        }
    }

    pub fn replay(&self) -> Machine {
        let mut machine = Machine::of(Arc::clone(&self.index), Settings::default());
        for record in &self.records {
            machine.apply(record).unwrap_or_else(|illegal| panic!("a prefix is not recoverable: {illegal}"));
        }
        machine
    }

    /// Another process takes the run over. Calls that were under way may still land.
    pub fn take_over(&mut self) {
        for command in std::mem::take(&mut self.pending) {
            if let What::Apply(effect) = &command.what
                && self.random.percent(50)
            {
                self.world.land(&command, effect, self.now);
            }
        }
        self.machine = self.replay();
        self.machine.hear(self.side.iter().cloned().collect());
        if self.machine.stays_over() {
            return;
        }
        self.epoch += 1;
        self.write(Event::Epoch { holder: "test".to_owned(), by: None });
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    pub fn say(&mut self, says: SideKind) {
        let by = Identified::Asserted("ann".to_owned());
        self.side.push(SideEntry { run: run(), at: self.now, by, says });
    }

    /// One move: a decision, or an answer, or time. What it rests on, if it rests.
    pub fn step(&mut self) -> Option<Rest> {
        self.moves += 1;
        // A process that always dies before its verification has settled never gets anywhere.
        if self.moves > 3_000 {
            self.crashes = 0;
        }
        if self.moves > 20_000 {
            let last = self.records.len().saturating_sub(12);
            let state = self.machine.state();
            panic!(
                "does not come to an end at {}: {:?}\nhold {:?}\nfailed {:?}\nback {:?}\n{:#?}",
                self.now,
                state.open,
                state.hold,
                state.failed,
                state.back,
                &self.records[last..]
            );
        }
        self.machine.hear(self.side.iter().cloned().collect());
        let decision = self.machine.poll(self.now);
        for command in decision.start {
            if let What::Apply(_) = command.what {
                let intended = self.records.iter().rev().find_map(|record| match &record.event {
                    Event::Intent { at, attempt, token } if *at == command.at => {
                        Some((*attempt, token.clone()))
                    }
                    _ => None,
                });
                assert_eq!(
                    intended,
                    Some((command.attempt, command.token.clone())),
                    "an intent is durable first"
                );
                self.called.push(command.clone());
            }
            self.pending.push(command);
        }
        if decision.rest.is_some() {
            return decision.rest;
        }
        let wrote = !decision.append.is_empty();
        for event in decision.append {
            self.write(event);
            if self.random.percent(self.crashes) {
                self.take_over();
                return None;
            }
        }
        if wrote {
            return None;
        }
        if self.random.percent(self.crashes) {
            self.take_over();
            return None;
        }
        if self.pending.is_empty() {
            let wake = decision.wake_at.unwrap_or_else(|| panic!("nothing to wait for: {:#?}", self.machine));
            assert!(wake > self.now, "wakes in the past");
            self.now = wake;
            return None;
        }
        let which = usize::try_from(self.random.below(self.pending.len() as u64)).unwrap();
        let command = self.pending.remove(which);
        let took = self.random.below(3);
        self.pass(i64::try_from(took).unwrap());
        let weather = self.weather;
        let answer = self.world.answer(&command, &mut self.random, weather, self.now);
        self.machine.answered(command.id, answer, self.now);
        None
    }

    /// Moves until it rests.
    pub fn rest(&mut self) -> Rest {
        loop {
            if let Some(rest) = self.step() {
                return rest;
            }
        }
    }

    pub fn events(&self) -> Vec<&Event> {
        self.records.iter().map(|record| &record.event).collect()
    }
}

/// A failing test shows the journal that led there.
impl Drop for Drive {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for record in &self.records {
                eprintln!("{} {} {:?}", record.seq, record.at, record.event);
            }
        }
    }
}
