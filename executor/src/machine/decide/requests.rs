//! What people say to a run: each entry of the side log is acted on once, in order.

use jiff::Timestamp;
use switchback_model::journal::Damage;
use switchback_schemas::{
    StepId,
    journal::{At, End, Event, Residue, RollbackScope, SideEntry, SideKind, Way},
};

use super::gates::who;
use crate::machine::{Decision, Machine, residue};

impl Machine {
    /// The places of the side log that nobody has acted on.
    fn unheard(&self) -> &[Result<SideEntry, Damage>] {
        let heard = usize::try_from(self.state.heard).unwrap_or(usize::MAX);
        self.live.side.places.get(heard..).unwrap_or_default()
    }

    /// Whether somebody asked for something that waits for calls under way.
    pub(super) fn is_asked_to_turn(&self) -> bool {
        let turns = |entry: &SideEntry| {
            matches!(
                entry.says,
                SideKind::Rollback { .. } | SideKind::Abandon { .. } | SideKind::Cleanup { .. }
            )
        };
        self.unheard().iter().flatten().any(turns)
    }

    /// Whether nothing is left to do: the run is over, and nobody asked it to roll back or to be closed where it can.
    pub fn stays_over(&self) -> bool {
        let taken_up = |entry: &SideEntry| match entry.says {
            SideKind::Rollback { .. } => self.state.is_complete(),
            SideKind::Cleanup { .. } => self.state.may_clean_up(),
            _ => false,
        };
        self.state.is_over() && !self.unheard().iter().flatten().any(taken_up)
    }

    pub(super) fn listen(&mut self, now: Timestamp, out: &mut Decision) {
        let mut heard = self.state.heard;
        let goes_on = self.state.hold.is_none() && !self.state.is_over() && self.state.superseded.is_none();
        if let Some(cut) = self.live.side.cut(heard).filter(|_| goes_on) {
            let why = format!("{cut}: restore it from a copy");
            out.append.push(Event::Held { at: None, why });
            return;
        }
        for place in self.unheard() {
            let events = match place {
                Ok(entry) => self.act_on(entry, now),
                Err(damage) => Some(self.hold_unheard(heard.saturating_add(1), damage)),
            };
            let Some(events) = events else { break };
            heard += 1;
            let turned = !events.is_empty();
            out.append.extend(events);
            if turned {
                break;
            }
        }
        // Approvals alone are not written as heard: they count when a gate asks.
        let over = matches!(out.append.last(), Some(Event::Done { .. }));
        if !out.append.is_empty() && !over {
            out.append.push(Event::Heard { entries: heard });
        }
    }

    /// Somebody said something that cannot be read: it may have been a pause, so nothing goes on until a person has looked.
    fn hold_unheard(&self, place: u64, damage: &Damage) -> Vec<Event> {
        let why = format!(
            "entry {place} of what people said to the run cannot be read ({damage}): say it again, then `continue`"
        );
        // A hold that is there says where; this one would say less.
        match self.state.is_over() || self.state.superseded.is_some() || self.state.hold.is_some() {
            true => vec![Event::Noted { text: why }],
            false => vec![Event::Held { at: None, why }],
        }
    }

    /// What an entry leads to; `None` while it has to wait.
    fn act_on(&self, entry: &SideEntry, now: Timestamp) -> Option<Vec<Event>> {
        // What was said to a run that another one took over is for nobody, except that it be closed.
        if self.state.superseded.is_some()
            && self.state.cleanup.is_none()
            && !matches!(entry.says, SideKind::Cleanup { .. })
        {
            return Some(Vec::new());
        }
        let by = who(&entry.by);
        let note = |text: String| Some(vec![Event::Noted { text }]);
        match &entry.says {
            SideKind::Approve { .. } | SideKind::Cleared { .. } => Some(Vec::new()),
            SideKind::Note { text } => note(format!("{by}: {text}")),
            SideKind::Pause { .. } if self.state.hold.is_some() => Some(Vec::new()),
            SideKind::Pause { reason } => {
                Some(vec![Event::Held { at: None, why: format!("paused by {by}: {reason}") }])
            }
            SideKind::Continue { .. } if self.state.hold.is_none() => Some(Vec::new()),
            SideKind::Continue { reason } => {
                Some(vec![self.go_on_after_hold(format!("{by}: {reason}"), now)])
            }
            SideKind::Retry { step, reason } => {
                let places = self.retried(step);
                if places.is_empty() {
                    return note(format!("{by} requested a retry of {step}, where nothing has failed"));
                }
                let why = format!("{by}: {reason}");
                Some(places.into_iter().map(|at| Event::Retry { at, why: why.clone() }).collect())
            }
            _ if self.calling() => None,
            SideKind::Rollback { scope, reason } => match self.obstacle(scope, now) {
                Some(obstacle) => note(format!("{by} requested a rollback, which is refused: {obstacle}")),
                None => Some(vec![Event::TurnedToRollback {
                    scope: scope.clone(),
                    why: format!("{by}: {reason}"),
                }]),
            },
            // Also when it was heard by a process that died before it wrote so.
            SideKind::Cleanup { reason, .. } if self.state.cleanup.is_some() => {
                Some(self.closing_again(format!("{by}: {reason}"), now).into_iter().collect())
            }
            SideKind::Cleanup { early, reason } => match self.to_clean_up(*early, now) {
                _ if self.state.reopened.is_none() && self.state.superseded.is_none() => {
                    note(format!("{by} requested cleanup of a run that has not ended"))
                }
                Ok(found) => Some(found.events(&self.state.approvals, format!("{by}: {reason}"))),
                Err(obstacle) => note(format!("{by} requested cleanup, which is refused: {obstacle}")),
            },
            SideKind::Abandon { reason } => {
                let mut residue = residue(&self.index.plan, &self.state);
                residue.insert(0, Residue::Abandoned { by, reason: reason.clone() });
                Some(vec![Event::Done { end: End::Abandoned, residue }])
            }
        }
    }

    /// After a hold the run goes on the way it went; from the end of a step's rollback it goes forward.
    fn go_on_after_hold(&self, why: String, now: Timestamp) -> Event {
        if let Some(event) = self.closing_again(why.clone(), now) {
            return event;
        }
        match &self.state.back {
            Some(back) if !(back.ready.is_empty() && matches!(back.scope, RollbackScope::Step(_))) => {
                Event::TurnedToRollback { scope: back.scope.clone(), why }
            }
            _ => Event::TurnedForward { why },
        }
    }

    /// Failed places of a step.
    fn retried(&self, step: &StepId) -> Vec<At> {
        let places = self.state.tasks.iter().filter(|(at, task)| {
            let here = self.state.back.is_none() || at.way != Way::Forward;
            at.step == *step && task.phase.is_failed() && here
        });
        places.map(|(at, _)| at.clone()).collect()
    }
}
