//! Calls that a process left open when it ended.

use switchback_schemas::journal::{At, Class, Event, Evidence, Outcome};

use super::{Phase, RunState};

impl RunState {
    /// How calls ended of which no process will hear any more, for all that it knows: in doubt. `own` are those of the
    /// process that asks.
    pub(crate) fn lost_calls(&self, own: impl Fn(&At) -> bool) -> impl Iterator<Item = Event> {
        let lost = self.open.iter().filter(move |at| self.phase(at) == Phase::Called && !own(at));
        lost.map(|at| {
            let attempt = self.task(at).map_or(1, |task| task.attempts);
            let evidence = Evidence::line("the process that made the call ended before it heard the answer");
            let outcome = Outcome::InDoubt { class: Class::Crashed, evidence };
            Event::Ended { at: at.clone(), attempt, outcome }
        })
    }
}
