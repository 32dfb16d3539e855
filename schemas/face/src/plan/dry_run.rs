//! The dry-run as text: short first, then every step.

use std::fmt::{self, Write as _};

use switchback_model::{
    Graph,
    summary::{HopSummary, Summary, only_looks, roll, steps_of},
};
use switchback_schemas::{
    Digest, Seconds,
    plan::{Disruption, Plan, RollbackStep, Step, Undo, Work},
};

use super::words;

/// A dry-run.
pub struct DryRun<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its graph.
    pub graph: &'a Graph,
    /// Its figures.
    pub summary: &'a Summary,
    /// Digest of the plan file's bytes.
    pub digest: Digest,
    /// Whether every step is shown, with all that is said about them, and not only the hops.
    pub steps: bool,
}

impl fmt::Display for DryRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        for (number, hop) in self.summary.hops.iter().enumerate() {
            self.hop(f, number + 1, hop)?;
        }
        if self.steps {
            self.nodes(f)?;
            self.brackets(f)?;
            self.gates(f)?;
        }
        self.when(f)?;
        self.untested(f)?;
        self.kept(f)?;
        if self.steps {
            self.not_known(f)?;
        } else {
            self.counted(f)?;
        }
        self.foot(f)
    }
}

impl DryRun<'_> {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs = &self.plan.inputs;
        write!(f, "{} · observed {}", self.plan.platform.name, inputs.observed_at)?;
        writeln!(f, " · plan {} · review {}\n", self.digest.short(12), self.plan.digests.review.short(12))?;
        if let Some(parent) = &self.plan.parent {
            writeln!(f, "continues run {} from savepoint {}\n", parent.run, parent.savepoint)?;
        }
        Ok(())
    }

    fn hop(&self, f: &mut fmt::Formatter<'_>, number: usize, summary: &HopSummary) -> fmt::Result {
        let hop = &summary.hop;
        for line in &summary.lines {
            writeln!(
                f,
                "────────── below this line, without an approval of it, one does not go: line {}",
                line.id
            )?;
            writeln!(f, "           it ends {}; after it: {}", line.closes, line.recovery)?;
        }
        let from = hop.from.as_ref().map_or_else(String::new, |from| format!("{from} -> "));
        writeln!(
            f,
            "{number:>3}  {}  {from}{}   {}   {}   ~{}   disrupts: {}",
            hop.component,
            hop.to,
            words::basis(hop.basis),
            words::count(summary.steps, "step", "steps"),
            summary.takes,
            words::disruption(summary.disruption),
        )?;
        writeln!(f, "       back: {}", words::back(&summary.back))?;
        // Where it is known by when to decide, that is what counts.
        let closes = summary.back.closes.iter().filter(|_| self.steps || summary.back.times.is_none());
        for closing in closes {
            writeln!(f, "       back ends {closing}")?;
        }
        if let Some(times) = &summary.back.times {
            writeln!(f, "       {}", words::times(times))?;
        }
        if let Some(day) = summary.late() {
            let version = hop.from.as_ref().map(ToString::to_string).unwrap_or_default();
            writeln!(
                f,
                "       late: {version} is supported until {day}, and the hop is expected after that"
            )?;
        }
        for order in &hop.after {
            writeln!(f, "       after {}: {}", order.hop, order.why)?;
        }
        if self.steps {
            writeln!(f)?;
            let undoing = self.plan.rollback_by_step();
            for step in steps_of(self.plan, self.graph, &hop.id) {
                let undoing = undoing.get(&step.id).map(Vec::as_slice).unwrap_or_default();
                step_lines(f, step, undoing)?;
            }
        }
        writeln!(f)
    }

    fn nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rolls: Vec<_> = self.plan.steps.iter().filter_map(roll).collect();
        if rolls.is_empty() {
            return Ok(());
        }
        writeln!(f, "Nodes")?;
        for roll in rolls {
            writeln!(f, "  {}", words::rule(roll))?;
            writeln!(
                f,
                "    {} as observed",
                words::count(usize::try_from(roll.observed).unwrap_or(usize::MAX), "node", "nodes")
            )?;
        }
        if !self.plan.classes.is_empty() {
            let names: Vec<String> = self.plan.classes.iter().map(|class| class.name.to_string()).collect();
            writeln!(
                f,
                "  workload classes, first match wins: {}; pods of no class are evicted, on GPU nodes never",
                names.join(", ")
            )?;
        }
        writeln!(f)
    }

    fn brackets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.brackets.is_empty() {
            return Ok(());
        }
        writeln!(f, "Suspended meanwhile")?;
        for bracket in &self.plan.brackets {
            writeln!(f, "  {}: from {} to {}", bracket.title, bracket.open, bracket.close)?;
            for actor in &bracket.cannot_stop {
                writeln!(f, "    does not stop {actor}")?;
            }
        }
        writeln!(f)
    }

    fn gates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.gates.is_empty() {
            return Ok(());
        }
        writeln!(f, "Gates")?;
        for gate in &self.plan.gates {
            let waiting = self.plan.steps.iter().filter(|step| step.gates.contains(&gate.id)).count();
            let steps = words::count(waiting, "step", "steps");
            writeln!(f, "  {}: {} ({steps}; {})", gate.id, gate.title, words::gate(&gate.kind))?;
        }
        writeln!(f)
    }

    fn untested(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.untested.is_empty() {
            return Ok(());
        }
        writeln!(f, "Outside of what was tested or is known")?;
        for (state, length) in self.plan.untested.iter().zip(&self.summary.untested) {
            writeln!(f, "  {}", words::untested(state, *length))?;
            let source = state.source.as_ref().and_then(|key| self.plan.sources.get(key));
            let read = source
                .map_or_else(String::new, |source| format!(" ({}, read {})", source.title, source.read_on));
            writeln!(f, "    {}{read}", state.fact)?;
        }
        writeln!(f)
    }

    fn kept(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.leftovers.is_empty() {
            return Ok(());
        }
        writeln!(f, "Kept afterwards for ways back, and removed by `switchback close`")?;
        for left in &self.plan.leftovers {
            let by = if left.by_undo { "by going back before" } else { "by" };
            writeln!(f, "  {} {by} {}, for {}: {}", left.what, left.step, left.keep, left.why)?;
            if self.steps {
                let Work { title, estimate, .. } = &left.removal;
                writeln!(f, "    ! after that: {title} · ~{}", estimate.expected)?;
            }
        }
        writeln!(f)
    }

    fn not_known(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.plan.blind_spots.is_empty() {
            writeln!(f, "Not known")?;
            for spot in &self.plan.blind_spots {
                writeln!(f, "  {}: {}", spot.what, spot.why)?;
            }
            writeln!(f)?;
        }
        if !self.plan.notices.is_empty() {
            writeln!(f, "Notices")?;
            for notice in &self.plan.notices {
                writeln!(f, "  {} {}", notice.code, notice.message)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// How much is not said in short.
    fn counted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spots, notices) = (self.plan.blind_spots.len(), self.plan.notices.len());
        if spots + notices == 0 {
            return Ok(());
        }
        let things = words::count(spots, "thing is", "things are");
        let notices = words::count(notices, "notice", "notices");
        writeln!(f, "Not shown in short: every step, {things} not known, {notices}\n")
    }

    /// When it is expected to run, and what it waits for on the way.
    fn when(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = &self.summary.chain;
        let length = words::count(chain.len(), "step", "steps");
        let of = if self.steps { "; of a minute and more:" } else { "" };
        writeln!(f, "Longest chain: {length}, ~{}{of}", self.summary.takes)?;
        let long = |step: &&Step| self.steps && step.work.estimate.expected >= Seconds::minutes(1);
        for step in chain.iter().filter_map(|id| self.plan.step(id)).filter(long) {
            writeln!(f, "  ~{}  {}", step.work.estimate.expected, step.id)?;
        }
        match (&self.summary.expected, &self.summary.stuck) {
            (Some(expected), _) => {
                writeln!(
                    f,
                    "  if it may begin at {}: from {} to {}",
                    self.plan.inputs.as_of, expected.begins, expected.ends
                )?;
            }
            (None, Some(step)) => {
                writeln!(
                    f,
                    "  it does not end: no window within a year has room for {step} and its way back"
                )?;
            }
            (None, None) => {}
        }
        writeln!(f)
    }

    fn foot(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.summary;
        write!(f, "{}", words::count(summary.steps, "step", "steps"))?;
        if summary.rolls > 0 {
            write!(f, ", {}", words::count(summary.rolls, "roll", "rolls"))?;
        }
        write!(f, ", ~{} without waiting: ", summary.takes)?;
        let gates = match summary.approvals {
            0 => "no gate waits for people".to_owned(),
            n => format!("{} for people", words::count(n, "gate waits", "gates wait")),
        };
        writeln!(
            f,
            "{gates}, {}. Nothing has been changed.",
            words::count(summary.brackets, "bracket", "brackets")
        )
    }
}

/// How a step's line begins: what kind of change it is.
fn mark(step: &Step) -> char {
    if roll(step).is_some() {
        return '±';
    }
    if only_looks(step) {
        return '?';
    }
    match &step.undo {
        Undo::Irreversible { .. } => '!',
        _ => '~',
    }
}

fn step_lines(f: &mut fmt::Formatter<'_>, step: &Step, undoing: &[&RollbackStep]) -> fmt::Result {
    writeln!(f, "     {} {}", mark(step), step.id)?;
    writeln!(f, "         {}", step.work.title)?;
    let mut facts = String::new();
    write!(facts, "~{}", step.work.estimate.expected)?;
    if step.work.disruption > Disruption::None {
        write!(facts, " · disrupts: {}", words::disruption(step.work.disruption))?;
    }
    write!(facts, " · on failure: {}", words::failure(step.on_failure.action))?;
    for gate in &step.gates {
        write!(facts, " · gate {gate}")?;
    }
    writeln!(f, "         {facts}")?;
    match &step.undo {
        Undo::Rollback {} => {
            undoing
                .iter()
                .try_for_each(|undo| writeln!(f, "         undo: {}", words::undo(undo, &step.id)))?;
        }
        Undo::Irreversible { why, recovery } => writeln!(f, "         no undo: {why}; {recovery}")?,
        Undo::Unneeded { .. } if only_looks(step) => {}
        Undo::Unneeded { why } => writeln!(f, "         nothing to undo: {why}")?,
    }
    for change in &step.changes {
        writeln!(f, "         {} {}", change.mark.symbol(), change.object)?;
        for line in &change.diff {
            writeln!(f, "             {line}")?;
        }
    }
    Ok(())
}
