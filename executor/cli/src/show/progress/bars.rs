//! Spinners on a terminal: one for each place that is under way, with what it waits for, and one bar for the whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use switchback_face::{SafeText, safe};
use switchback_schemas::{
    StepId,
    event::RunEvent,
    journal::{At, Event, Outcome, Record, Verdict, Way},
    plan::Plan,
};

use super::{Names, labels};

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// Characters of a message.
const MESSAGE: usize = 200;

pub(super) struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    places: BTreeMap<At, ProgressBar>,
    finished: BTreeSet<StepId>,
}

impl Bars {
    pub(super) fn new(plan: &Plan, earlier: &[Record]) -> Self {
        let all = MultiProgress::new();
        let whole = all.add(ProgressBar::new(u64::try_from(plan.steps.len()).unwrap_or(u64::MAX)));
        whole.set_style(style("{bar:30} {pos}/{len} steps  {elapsed}"));
        let mut bars = Self { all, whole, places: BTreeMap::new(), finished: BTreeSet::new() };
        for record in earlier {
            bars.count(&record.event);
        }
        bars
    }

    pub(super) fn show(&mut self, names: &Names<'_>, event: &RunEvent, line: Option<&str>) {
        match event {
            RunEvent::Waiting { step, waits_for, .. } => {
                let text = format!("{}  waits for {}", names.title(step), labels::all_waits(waits_for));
                self.place(step).set_message(SafeText::line(&text, MESSAGE).to_string());
            }
            RunEvent::Recorded { record } => {
                self.count(&record.event);
                match &record.event {
                    Event::Intent { at, .. } => {
                        let text = SafeText::line(&names.title(at), MESSAGE).to_string();
                        self.place(at).set_message(text);
                        return;
                    }
                    event => {
                        if let Some(at) = over(event) {
                            self.remove(at);
                        }
                    }
                }
            }
        }
        if let Some(line) = line {
            // A terminal that is gone is no reason to stop a run.
            drop(self.all.println(safe::escaped(line)));
        }
    }

    pub(super) fn end(self) {
        self.places.values().for_each(ProgressBar::finish_and_clear);
        self.whole.finish_and_clear();
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::Skipped { at, .. } | Event::Verified { at, verdict: Verdict::Holds { .. } }
                if at.item.is_none() && at.way == Way::Forward =>
            {
                self.finished.insert(at.step.clone());
            }
            Event::Skipped { at, .. } | Event::Verified { at, verdict: Verdict::Holds { .. } }
                if at.item.is_none() && at.way == Way::Rollback =>
            {
                self.finished.remove(&at.step);
            }
            _ => {}
        }
        self.whole.set_position(u64::try_from(self.finished.len()).unwrap_or(u64::MAX));
    }

    fn place(&mut self, at: &At) -> &ProgressBar {
        self.places.entry(at.clone()).or_insert_with(|| {
            let bar = self.all.insert_before(&self.whole, ProgressBar::new_spinner());
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.enable_steady_tick(TURN);
            bar
        })
    }

    fn remove(&mut self, at: &At) {
        if let Some(bar) = self.places.remove(at) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

/// A template that cannot be read leaves the library's own look.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The place that an event ends.
fn over(event: &Event) -> Option<&At> {
    match event {
        Event::Skipped { at, .. }
        | Event::Verified { at, .. }
        | Event::Stopped { at, .. }
        | Event::Converged { at }
        | Event::Ended { at, outcome: Outcome::NotDone { .. } | Outcome::InDoubt { .. }, .. } => Some(at),
        _ => None,
    }
}
