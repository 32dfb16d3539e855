//! A run that no process carries on, and writing into its journal.

use switchback_model::journal::{Journal, Line};
use switchback_schemas::{RunId, journal::Event};

use crate::{
    env::Clock,
    load::{Done, of_run, replayed},
    machine::Machine,
    runtime::{RunError, Runtime},
    store::{Leased, Store},
};

/// A run in its store, with what it takes to write about it.
#[derive(Clone, Copy)]
pub struct RunHandle<'a> {
    /// Where it is kept.
    pub store: &'a dyn Store,
    /// By which time records are written.
    pub clock: &'a dyn Clock,
    /// Host and process, for people.
    pub holder: &'a str,
    /// Its name.
    pub run: &'a RunId,
}

impl<'a> RunHandle<'a> {
    /// The same for another run.
    pub(super) fn of(self, run: &'a RunId) -> Self {
        Self { run, ..self }
    }

    /// Takes the run's lease, so that no process works on it until this is dropped.
    pub(super) async fn take(self) -> Done<Held<'a>> {
        let leased = self.store.take(self.run, None).await?;
        let index = of_run(self.store, self.run, None).await?;
        let machine = replayed(&index, self.run, &leased.journal)?;
        Ok(Held { handle: self, leased, machine })
    }
}

impl Runtime {
    /// A run in the store of this runtime.
    pub fn handle<'a>(&'a self, run: &'a RunId) -> RunHandle<'a> {
        RunHandle { store: &*self.store, clock: &*self.clock, holder: &self.holder, run }
    }
}

/// A run whose lease is held, as its journal leaves it.
pub(super) struct Held<'a> {
    handle: RunHandle<'a>,
    leased: Leased,
    pub(super) machine: Machine,
}

impl Held<'_> {
    pub(super) fn journal(&self) -> &Journal {
        &self.leased.journal
    }

    /// Writes events under an epoch of their own and lets go. What would not be legal is not written.
    pub(super) async fn append(mut self, events: Vec<Event>) -> Done<()> {
        let RunHandle { clock, holder, run, .. } = self.handle;
        let epoch = self.machine.state().epoch.saturating_add(1);
        let (now, expected) = (clock.now(), self.leased.journal.head.next);
        let events = std::iter::once(Event::Epoch { holder: holder.to_owned(), by: None }).chain(events);
        let lines: Result<Vec<Line>, _> =
            events.map(|event| self.leased.journal.head.line(epoch, now, event)).collect();
        let lines = lines.map_err(|error| RunError::Bug(error.to_string()))?;
        for line in &lines {
            let illegal = |source| RunError::Illegal { run: run.clone(), source: Box::new(source) };
            self.machine.apply(&line.record).map_err(illegal)?;
        }
        self.leased.log.append(expected, epoch, &lines).await?;
        Ok(())
    }
}
