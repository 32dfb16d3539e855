//! Progress of a run while it is carried on: bars on a terminal, quiet lines elsewhere, JSON lines for programs.

mod bars;
mod lines;

use std::{collections::BTreeMap, io};

use switchback_face::Output;
use switchback_schemas::{
    ItemKey,
    event::RunEvent,
    journal::{At, Event, Record},
    plan::Plan,
};

use super::labels;
use bars::Bars;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Not at all.
    None,
    /// A line for each thing that happens.
    Lines,
    /// A line for each thing that somebody may notice: what disrupts, what was chosen and reached, and what stops.
    Brief,
    /// Spinners for what is under way, lines for what happened.
    Bars,
    /// Every event as a line of JSON.
    Json,
}

/// Shows progress.
pub(crate) struct Progress<'a, W> {
    names: Names<'a>,
    style: Style,
    bars: Option<Bars>,
    out: &'a mut Output<W>,
    /// The first error of writing; nothing is written after it.
    failed: Option<io::Error>,
}

/// Names of places, for people.
pub(crate) struct Names<'a> {
    plan: &'a Plan,
    nodes: BTreeMap<ItemKey, String>,
}

impl<'a> Names<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self { plan, nodes: BTreeMap::new() }
    }

    fn learn(&mut self, record: &Record) {
        if let Event::Frozen { items, .. } = &record.event {
            self.nodes.extend(items.iter().map(|item| (item.key.clone(), item.name.clone())));
        }
    }

    fn node(&self, key: &ItemKey) -> String {
        self.nodes.get(key).cloned().unwrap_or_else(|| key.to_string())
    }

    /// A place by its step, with its node by name.
    fn place(&self, at: &At) -> String {
        let way = at.way.prefix();
        match &at.item {
            Some(item) => format!("{way}{} {} {}", at.step, item.recipe, self.node(&item.key)),
            None => format!("{way}{}", at.step),
        }
    }

    /// What a place does.
    fn title(&self, at: &At) -> String {
        match &at.item {
            Some(item) => format!("{} {}", item.recipe, self.node(&item.key)),
            None => labels::title(self.plan, at),
        }
    }
}

impl<'a, W: io::Write> Progress<'a, W> {
    /// Shows progress of a run of this plan; `earlier` are the records that it has already.
    pub(crate) fn new(plan: &'a Plan, earlier: &[Record], style: Style, out: &'a mut Output<W>) -> Self {
        let mut names = Names::new(plan);
        for record in earlier {
            names.learn(record);
        }
        let bars = (style == Style::Bars).then(|| Bars::new(plan, earlier));
        Self { names, style, bars, out, failed: None }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &RunEvent) {
        if let RunEvent::Recorded { record } = event {
            self.names.learn(record);
        }
        let text = match self.style {
            Style::None => None,
            Style::Json => serde_json::to_string(event).ok(),
            Style::Lines => lines::line(&self.names, event),
            Style::Brief => lines::brief(&self.names, event),
            Style::Bars => {
                let line =
                    lines::line(&self.names, event).filter(|_| matches!(event, RunEvent::Recorded { .. }));
                if let Some(bars) = &mut self.bars {
                    bars.show(&self.names, event, line.as_deref());
                }
                None
            }
        };
        if let Some(text) = text.filter(|_| self.failed.is_none()) {
            self.failed = self.out.line(&text).and_then(|()| self.out.flush()).err();
        }
    }

    /// Takes the bars away. The error is that of the first line that could not be written.
    pub(crate) fn end(self) -> io::Result<()> {
        if let Some(bars) = self.bars {
            bars.end();
        }
        self.failed.map_or(Ok(()), Err)
    }
}
