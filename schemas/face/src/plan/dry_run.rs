//! The dry-run as text: short first, then every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use switchback_model::{
    Graph,
    summary::{HopSummary, Summary, roll, steps_by_hop},
};
use switchback_schemas::{
    Digest, Seconds, StepId,
    name::Label,
    plan::{Plan, RollbackStep, Step, Work},
};

use super::{glance, labels, standing, steps};

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
        glance::write(f, self.plan, self.summary)?;
        if self.steps {
            writeln!(f, "{}\n", steps::LEGEND)?;
        }
        let undoing = self.plan.rollback_by_step();
        let steps = if self.steps { steps_by_hop(self.plan, self.graph) } else { BTreeMap::new() };
        for (number, hop) in self.summary.hops.iter().enumerate() {
            let steps = steps.get(&hop.hop.id).map(Vec::as_slice).unwrap_or_default();
            self.hop(f, number + 1, hop, steps, &undoing)?;
        }
        if self.steps {
            self.nodes(f)?;
            standing::workloads(f, self.plan)?;
            self.suspensions(f)?;
            self.gates(f)?;
        }
        standing::undecided(f, self.plan)?;
        standing::outside(f, self.plan)?;
        self.census(f)?;
        self.critical_path(f)?;
        self.untested(f)?;
        self.retained(f)?;
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

    fn hop(
        &self,
        f: &mut fmt::Formatter<'_>,
        number: usize,
        summary: &HopSummary,
        steps: &[&Step],
        undoing: &BTreeMap<&StepId, Vec<&RollbackStep>>,
    ) -> fmt::Result {
        let hop = &summary.hop;
        for line in &summary.points {
            let id = &line.id;
            writeln!(f, "────────── point of no return {id}")?;
            writeln!(f, "           the steps below need `switchback approve --point {id}`")?;
            writeln!(f, "           {} ends here; recovery afterwards: {}", line.ends, line.recovery)?;
        }
        let from = hop.from.as_ref().map_or_else(String::new, |from| format!("{from} -> "));
        writeln!(
            f,
            "{number:>3}  {}  {from}{}   {}   {}   about {}   disrupts: {}",
            hop.id.component(),
            hop.id.to(),
            labels::basis(hop.basis),
            labels::count(summary.steps, "step", "steps"),
            summary.takes,
            labels::disruption(summary.disruption),
        )?;
        writeln!(f, "       rollback: {}", labels::back(&summary.back))?;
        // Where the time to decide is known, that is what counts.
        let expires = summary.back.expires.iter().filter(|_| self.steps || summary.back.times.is_none());
        for expiry in expires {
            writeln!(f, "       rollback expires {expiry}")?;
        }
        if let Some(times) = &summary.back.times {
            writeln!(f, "       {}", labels::times(times))?;
        }
        if let Some(day) = summary.late() {
            let version = hop.from.as_ref().map(ToString::to_string).unwrap_or_default();
            writeln!(
                f,
                "       late: {version} is supported until {day}, and the hop is expected to start after that"
            )?;
        }
        for order in &hop.after {
            writeln!(f, "       after {}: {}", order.hop, order.why)?;
        }
        if self.steps {
            writeln!(f)?;
            let places: BTreeMap<&StepId, usize> = summary.back.order.iter().zip(1..).collect();
            for step in steps {
                let undoing = undoing.get(&step.id).map(Vec::as_slice).unwrap_or_default();
                steps::write(f, step, undoing, &places)?;
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
            writeln!(f, "  {}", labels::rule(roll))?;
            writeln!(
                f,
                "    {} when observed",
                labels::count(usize::try_from(roll.observed).unwrap_or(usize::MAX), "node", "nodes")
            )?;
        }
        if !self.plan.classes.is_empty() {
            let names: Vec<String> = self.plan.classes.iter().map(|class| class.name.to_string()).collect();
            writeln!(
                f,
                "  workload classes, first match wins: {}; pods of no class are evicted, but on GPU nodes, where the run waits for a person",
                names.join(", ")
            )?;
        }
        writeln!(f)
    }

    fn suspensions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.suspensions.is_empty() {
            return Ok(());
        }
        writeln!(f, "Suspended during the run")?;
        for suspension in &self.plan.suspensions {
            writeln!(f, "  {}: from {} to {}", suspension.title, suspension.suspend, suspension.resume)?;
            for actor in &suspension.cannot_stop {
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
        let mut waiting: BTreeMap<&Label, usize> = BTreeMap::new();
        for step in &self.plan.steps {
            for gate in step.gates.iter().collect::<BTreeSet<_>>() {
                *waiting.entry(gate).or_default() += 1;
            }
        }
        for gate in &self.plan.gates {
            let waiting = waiting.get(&gate.id).copied().unwrap_or_default();
            let steps = labels::count(waiting, "step", "steps");
            writeln!(f, "  {}: {} ({steps}; {})", gate.id, gate.title, labels::gate(&gate.kind))?;
        }
        writeln!(f)
    }

    fn untested(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.untested.is_empty() {
            return Ok(());
        }
        writeln!(f, "Untested combinations")?;
        for (state, length) in self.plan.untested.iter().zip(&self.summary.untested) {
            writeln!(f, "  {}", labels::untested(state, *length))?;
            let source = state.source.as_ref().and_then(|key| self.plan.sources.get(key));
            let read = source
                .map_or_else(String::new, |source| format!(" ({}, read {})", source.title, source.read_on));
            writeln!(f, "    {}{read}", state.fact)?;
        }
        writeln!(f)
    }

    fn retained(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plan.retentions.is_empty() {
            return Ok(());
        }
        writeln!(f, "Retained for rollback (delete with `switchback cleanup`)")?;
        for left in &self.plan.retentions {
            let step = &left.step;
            let by = match left.by_undo {
                true => format!("created only if {step} is rolled back"),
                false => format!("of {step}"),
            };
            writeln!(f, "  {} ({by}), {}: {}", left.what, left.keep, left.why)?;
            if self.steps {
                let Work { title, estimate, .. } = &left.removal;
                writeln!(f, "    - then {title} · about {}", estimate.expected)?;
            }
        }
        writeln!(f)
    }

    fn not_known(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.plan.blind_spots.is_empty() {
            writeln!(f, "Blind spots")?;
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

    /// How much `--brief` hides.
    fn counted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spots, notices) = (self.plan.blind_spots.len(), self.plan.notices.len());
        if spots + notices == 0 {
            return Ok(());
        }
        let spots = labels::count(spots, "blind spot", "blind spots");
        let notices = labels::count(notices, "notice", "notices");
        writeln!(f, "Hidden by --brief: steps, {spots}, {notices}\n")
    }

    /// What the run answers for beside its steps.
    fn census(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.plan.platform.has_cluster() {
            return Ok(());
        }
        writeln!(
            f,
            "Counted before the run and compared: workloads, Services, budgets of the cluster. The run holds if it \
             leaves any with fewer ready than before for 10 min.\n"
        )
    }

    /// What takes the time.
    fn critical_path(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = &self.summary.chain;
        let length = labels::count(chain.len(), "step", "steps");
        let of = if self.steps { "; those of a minute and more:" } else { "" };
        writeln!(f, "Critical path: {length}, about {}{of}", self.summary.takes)?;
        let long = |step: &&Step| self.steps && step.work.estimate.expected >= Seconds::minutes(1);
        for step in chain.iter().filter_map(|id| self.plan.step(id)).filter(long) {
            writeln!(f, "  {}  {}", step.work.estimate.expected, step.id)?;
        }
        writeln!(f)
    }

    fn foot(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.summary;
        write!(f, "{}, about {} excluding waits: ", labels::steps(summary), summary.takes)?;
        let approvals = match summary.approvals {
            0 => "no approval needed".to_owned(),
            n => labels::count(n, "approval needed", "approvals needed"),
        };
        let suspensions = labels::count(summary.suspensions, "suspension", "suspensions");
        writeln!(f, "{approvals}, {suspensions}. Nothing has been changed.")
    }
}
