//! How a joint path reads.

use std::fmt::{Result, Write as _};

use switchback_planner::{
    catalog::{Source, Way},
    solver::{
        Back, JointPath, Reason,
        result::{After, Hop, Span},
    },
};
use switchback_schemas::plan::{BlindSpot, HopBasis};

/// Lines of one sort that a hop shows before they are summed up.
const LINES: usize = 3;

/// The path as a person reads it; sources are numbered and listed at the end.
pub(super) fn whole(platform: &str, path: &JointPath) -> String {
    let mut view = View { text: String::new(), sources: Vec::new() };
    // Writing to a string does not fail.
    let _ = view.path(platform, path);
    view.text
}

/// Hops from an earlier to a later one, each with why it comes after the one before.
pub(super) fn why(way: &[(&Hop, &After)]) -> String {
    let mut view = View { text: String::new(), sources: Vec::new() };
    for (hop, after) in way {
        let because = view.because(after);
        let _ = writeln!(view.text, "{} comes after {}: {because}", hop.id, after.hop);
    }
    let _ = view.cited();
    view.text
}

struct View {
    text: String,
    sources: Vec<Source>,
}

impl View {
    fn path(&mut self, platform: &str, path: &JointPath) -> Result {
        writeln!(self.text, "{platform}, as of {}: {}\n", path.as_of, count(path.hops.len(), "hop"))?;
        for target in &path.targets {
            let pin =
                target.asked.as_ref().map_or_else(String::new, |asked| format!("  pinned from {asked}"));
            match target.from == target.to {
                true => writeln!(self.text, "  {} stays at {}", target.component, target.from)?,
                false => writeln!(self.text, "  {} {} -> {}{pin}", target.component, target.from, target.to)?,
            }
        }
        for (number, hop) in path.hops.iter().enumerate() {
            self.hop(path, number + 1, hop)?;
        }
        self.spans("outside of what was tested or documented", &path.outside)?;
        self.spans("nothing is known of", &path.unknown)?;
        if !path.blind_spots.is_empty() || !path.cheapest {
            writeln!(self.text, "\nnot known")?;
        }
        for BlindSpot { what, why } in &path.blind_spots {
            writeln!(self.text, "  {what}: {why}")?;
        }
        if !path.cheapest {
            writeln!(
                self.text,
                "  whether another path costs less: the search gave up before; --budget allows more"
            )?;
        }
        self.cited()?;
        let cost = path.cost;
        writeln!(
            self.text,
            "\n{}: {} outside of what was tested, {} of which nothing is known; {} expanded. Nothing has been changed.",
            count(path.hops.len(), "hop"),
            cost.outside,
            cost.unknown,
            count(path.expanded, "state"),
        )
    }

    fn hop(&mut self, path: &JointPath, number: usize, hop: &Hop) -> Result {
        let basis = match hop.basis {
            HopBasis::Exact => "exact",
            HopBasis::Predicted => "predicted",
        };
        writeln!(self.text, "\n{number:>3}  {} {} -> {}  {basis}", hop.component, hop.from, hop.to)?;
        for after in &hop.after {
            let before = path.hops.iter().position(|other| other.id == after.hop).map_or(0, |at| at + 1);
            let because = self.because(after);
            writeln!(self.text, "       after {before}: {because}")?;
        }
        if let Some(day) = hop.not_before {
            writeln!(self.text, "       not before {day}: it, or what it waits for, comes out then")?;
        }
        if let Some(day) = hop.leave_by.filter(|day| *day >= path.as_of) {
            writeln!(self.text, "       {} is supported until {day}", hop.from)?;
        }
        self.lines("disturbs", &hop.disturbs)?;
        self.lines("changes data", &hop.migrates)?;
        self.lines("note", &hop.notes)?;
        let back = self.back(&hop.back);
        writeln!(self.text, "       rollback: {back}")?;
        for closed in &hop.closes {
            writeln!(self.text, "       ends the rollback of {}: {}", closed.hop, closed.why)?;
        }
        Ok(())
    }

    fn lines(&mut self, what: &str, reasons: &[Reason]) -> Result {
        if let [first, .., last] = reasons
            && reasons.len() > LINES
        {
            let (first, last) = (self.reason(first), self.reason(last));
            return writeln!(self.text, "       {what}, {} times: {first}; to {last}", reasons.len());
        }
        for reason in reasons {
            let reason = self.reason(reason);
            writeln!(self.text, "       {what}: {reason}")?;
        }
        Ok(())
    }

    fn because(&mut self, after: &After) -> String {
        match after.why.as_slice() {
            [] => "hops of one component follow each other".to_owned(),
            facts => facts.iter().map(|fact| self.reason(fact)).collect::<Vec<_>>().join("; "),
        }
    }

    /// The fact with the number of its source.
    fn reason(&mut self, reason: &Reason) -> String {
        let Some(source) = &reason.source else { return reason.text.clone() };
        let known = self.sources.iter().position(|known| known == source).unwrap_or_else(|| {
            self.sources.push(source.clone());
            self.sources.len() - 1
        });
        format!("{} [{}]", reason.text, known + 1)
    }

    fn back(&mut self, back: &Back) -> String {
        let way = match back.way {
            Some(Way::Inverse) => "the inverse hop",
            Some(Way::Restore) => "by restoring saved data only",
            Some(Way::None) => "none",
            None => return "no source says how".to_owned(),
        };
        let within = back.within_days.map_or_else(String::new, |days| format!(" within {days} days"));
        let why = back.why.as_ref().map_or_else(String::new, |why| format!(": {}", self.reason(why)));
        format!("{way}{within}{why}")
    }

    fn spans(&mut self, title: &str, spans: &[Span]) -> Result {
        if !spans.is_empty() {
            writeln!(self.text, "\n{title}")?;
        }
        for span in spans {
            let from =
                span.enters.as_ref().map_or_else(|| "from the start".to_owned(), |hop| format!("from {hop}"));
            let to = span.leaves.as_ref().map_or_else(|| "for good".to_owned(), |hop| format!("until {hop}"));
            let fact = self.reason(&span.fact);
            writeln!(self.text, "  {}, {from} {to}, {}: {fact}", span.state, count(span.hops, "hop"))?;
        }
        Ok(())
    }

    /// The sources by their numbers.
    fn cited(&mut self) -> Result {
        if !self.sources.is_empty() {
            writeln!(self.text, "\nsources")?;
        }
        for (number, source) in self.sources.iter().enumerate() {
            let (title, day, grade) = (&source.title, source.read_on, source.grade);
            writeln!(self.text, "  [{}] {title} (read {day}, grade {grade:?})", number + 1)?;
        }
        Ok(())
    }
}

fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
