//! The plan that the rollback steps and what stands around them make.

use switchback_schemas::{
    Digest,
    name::Label,
    plan::{ApprovalScope, Digests, Gate, GateKind, Inputs, Parent, Plan, PlanBody, Savepoint},
};

use super::{
    Continued, NoPlan,
    around::safe,
    back::{Back, Turned},
};
use crate::lint::used_features;

impl Back<'_> {
    pub(super) fn plan(&self, to: &Savepoint, continued: Option<Continued<'_>>) -> Result<Plan, NoPlan> {
        let (mut gates, windows) = self.gates();
        let everywhere: Vec<Label> = gates.iter().map(|gate| gate.id.clone()).collect();
        let (mut steps, mut rollback, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for back in &self.way.steps {
            let Some(Turned { mut step, again, line }) = self.step(&back.step, &back.needs)? else {
                continue;
            };
            rollback.extend(again);
            step.gates.clone_from(&everywhere);
            if let Some(suspension) = self.resumes(&back.step) {
                let gate = safe(suspension);
                step.gates.push(gate.id.clone());
                gates.push(gate);
            }
            if let Some(line) = line {
                let kind = GateKind::Approval(ApprovalScope::Point(line.id.clone()));
                let title = format!("approve that {}", line.ends);
                step.gates.push(line.id.clone());
                gates.push(Gate { id: line.id.clone(), title, kind, may_override: false });
                points.push(line);
            }
            steps.push(step);
        }
        self.approvals(&mut steps, &mut gates);
        steps.sort_by(|one, other| one.id.cmp(&other.id));
        rollback.sort_by(|one, other| one.id.cmp(&other.id));
        points.sort_by(|one, other| one.id.cmp(&other.id));
        let savepoints = self.savepoints(to)?;
        let works = steps.iter().map(|step| &step.work).chain(rollback.iter().map(|step| &step.work));
        let mut features = used_features(works, &[]);
        features.extend(continued.map(|_| "continue".to_owned()));
        Ok(Plan {
            features,
            parent: continued.map(|Continued { carried, .. }| Parent {
                run: carried.run.clone(),
                plan: carried.plan,
                journal_head: carried.journal_head.clone(),
                savepoint: carried.savepoint.clone(),
                expires: Vec::new(),
            }),
            inputs: self.inputs(continued),
            digests: Digests { effects: Digest::of(""), review: Digest::of("") },
            body: PlanBody { hops: self.new_hops(&savepoints), steps, rollback },
            later: Vec::new(),
            savepoints,
            suspensions: self.suspensions(),
            gates,
            points,
            windows,
            untested: Vec::new(),
            notices: Vec::new(),
            retentions: Vec::new(),
            ..self.plan.clone()
        })
    }

    fn inputs(&self, continued: Option<Continued<'_>>) -> Inputs {
        let inputs = self.plan.inputs.clone();
        match continued {
            None => inputs,
            Some(Continued { seen: (inventory, observation, observed_at), .. }) => {
                Inputs { inventory, observation: observation.clone(), observed_at, ..inputs }
            }
        }
    }
}
