//! Plans for tests, as small as a plan can be, and random ones.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    Digest, HopId, RunId, Seconds, StepId,
    format::Document,
    name::{Label, ObjectName, SavepointId},
    plan::{
        Action, Capture, CaptureKind, Command, Condition, Count, Digests, Disruption, Effect, Estimate,
        FailureAction, FailurePolicy, Hop, HopBasis, Inputs, KubeCapture, KubeDelete, KubeEffect, Need,
        NodeCordon, NodeDrain, NodeUndo, Plan, PlanBody, PlatformRef, Read, ReadBasis, RecipeStep, Retention,
        RetryClass, Roll, RollbackStep, Savepoint, Stale, Step, SuspendedBy, Suspension, Target, Undo,
        Verify, Work,
    },
};

/// The hop of every step.
pub fn hop() -> HopId {
    "test/test@1".parse().unwrap()
}

/// The id of a step of the hop, by its part.
pub fn id(part: &str) -> StepId {
    hop().step(part)
}

/// What a step's id has beyond the hop's.
pub fn part(id: &StepId) -> &str {
    HopId::of_step(id).unwrap().1
}

pub fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

pub fn run() -> RunId {
    RunId::new("r-1").unwrap()
}

fn command(argv: &[&str]) -> Command {
    Command {
        argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
        env: BTreeMap::new(),
        timeout: Seconds(60),
    }
}

/// An effect that the test world knows by its words.
pub fn does(argv: &[&str]) -> Effect {
    Effect::Command(command(argv))
}

/// A condition that the test world knows by its words.
pub fn asks(argv: &[&str]) -> Condition {
    Condition::Command(command(argv))
}

pub fn proves(argv: &[&str], settle: u64) -> Verify {
    Verify { condition: asks(argv), settle: Seconds(settle), within: Seconds(60), title: argv.join(" ") }
}

/// What a step was compiled from.
pub fn reads(argv: &[&str]) -> Read {
    Read { condition: asks(argv), basis: ReadBasis::Observed {} }
}

/// A small value that is kept first.
pub fn captures(name: &str) -> Capture {
    let release = ObjectName::namespaced("kube-system", "karpenter");
    Capture { name: name.to_owned(), what: CaptureKind::Kube(KubeCapture::Revision(release)) }
}

/// A step with the rollback step that undoes it, where its undo says so.
#[derive(Clone)]
pub struct Drawn {
    pub step: Step,
    pub rollback: RollbackStep,
}

impl std::ops::Deref for Drawn {
    type Target = Step;

    fn deref(&self) -> &Step {
        &self.step
    }
}

impl std::ops::DerefMut for Drawn {
    fn deref_mut(&mut self) -> &mut Step {
        &mut self.step
    }
}

fn work(title: &str, effect: Effect) -> Work {
    Work { estimate: Estimate::seconds(10, 20), ..Work::effect(title, effect) }
}

/// A step with an inverse: `do ID`, `undo ID`, both visible, both repeatable.
pub fn step(name: &str, needs: &[&str]) -> Drawn {
    let undo = Work {
        done_when: Some(asks(&["undone", name])),
        verify: vec![proves(&["undone", name], 0)],
        ..work(&format!("undo {name}"), does(&["undo", name]))
    };
    let rollback = RollbackStep::inverse(id(name), undo);
    let step = Step {
        id: id(name),
        hop: hop(),
        target: label("cluster"),
        work: Work {
            done_when: Some(asks(&["done", name])),
            verify: vec![proves(&["healthy", name], 10)],
            ..work(name, does(&["do", name]))
        },
        needs: needs
            .iter()
            .map(|need| Need { step: id(need), why: "a test says so".to_owned(), source: None })
            .collect(),
        undo: Undo::Rollback {},
        tier: None,
        on_failure: FailurePolicy { action: FailureAction::Hold, why: "a test says so".to_owned() },
        gates: Vec::new(),
        changes: Vec::new(),
    };
    Drawn { step, rollback }
}

/// A step that cordons, drains and deletes the nodes of the pool `pool`, three at most at a time; its undo does the same.
pub fn roll(name: &str, needs: &[&str], pool: &str) -> Drawn {
    let recipe = |name: &str, needs: &[&str], effect, done_when, undo| RecipeStep {
        name: label(name),
        work: Work {
            done_when,
            disruption: Disruption::Drain,
            estimate: Estimate::seconds(30, 60),
            ..Work::effect(name, effect)
        },
        needs: needs.iter().map(|need| label(need)).collect(),
        undo,
    };
    let cordon =
        |unschedulable| Effect::Kube(KubeEffect::Cordon(NodeCordon::new(Target::ItemNode {}, unschedulable)));
    let uncordon =
        Work { done_when: Some(asks(&["uncordoned"])), ..work(&format!("undo {name}"), cordon(false)) };
    let stays =
        |why: &str| NodeUndo::Irreversible { why: why.to_owned(), recovery: "none is needed".to_owned() };
    let rule = Roll {
        pool: label(pool),
        labels: BTreeMap::new(),
        stale: Stale::Drifted {},
        order: Vec::new(),
        canary: None,
        batch: Count::Nodes(2),
        max_unavailable: Count::Nodes(3),
        min_ready: 1,
        recipe: vec![
            recipe(
                "cordon",
                &[],
                cordon(true),
                Some(asks(&["cordoned"])),
                NodeUndo::Rollback(Box::new(uncordon)),
            ),
            recipe(
                "drain",
                &["cordon"],
                Effect::Kube(KubeEffect::Drain(NodeDrain { node: Target::ItemNode {} })),
                Some(asks(&["drained"])),
                stays("pods come back by themselves"),
            ),
            recipe(
                "delete",
                &["drain"],
                Effect::Kube(KubeEffect::Delete(KubeDelete { object: Target::ItemNodeClaim {} })),
                Some(asks(&["deleted"])),
                stays("the node is gone"),
            ),
        ],
        verify: vec![proves(&["healthy", name], 0)],
        soak: Seconds(30),
        max_passes: 5,
        observed: 4,
    };
    let mut step = step(name, needs);
    step.work.action = Action::Roll(rule.clone());
    step.work.done_when = None;
    step.rollback.work.action = Action::Roll(rule);
    step.rollback.work.done_when = None;
    step.rollback.work.verify = Vec::new();
    step
}

pub fn suspension(open: &str, close: &str) -> Suspension {
    Suspension {
        id: label(open),
        title: format!("suspend {open}"),
        suspend: id(open),
        suspended_by: SuspendedBy::ThisRun,
        resume: id(close),
        held: asks(&["held", open]),
        safe_to_resume: asks(&["safe", open]),
        max_suspended: Seconds::hours(12),
        spans_park: true,
        cannot_stop: Vec::new(),
        owner: "the platform team".to_owned(),
        resume_command: format!("undo {open}"),
    }
}

/// A plan of one hop over these steps.
pub fn plan(mut drawn: Vec<Drawn>) -> Plan {
    drawn.sort_by(|a, b| a.id.cmp(&b.id));
    let undone = drawn.iter().filter(|drawn| drawn.undo == Undo::Rollback {});
    let rollback = undone.map(|drawn| drawn.rollback.clone()).collect();
    let steps: Vec<Step> = drawn.into_iter().map(|drawn| drawn.step).collect();
    let needed: BTreeSet<&StepId> =
        steps.iter().flat_map(|step| step.needs.iter().map(|need| &need.step)).collect();
    let frontier = steps.iter().map(|step| &step.id).filter(|id| !needed.contains(id)).cloned().collect();
    let nothing = Digest::of("");
    let savepoint = |name: &str, frontier| Savepoint {
        id: SavepointId::new(name).unwrap(),
        title: name.to_owned(),
        frontier,
    };
    Plan {
        format: Document::Plan.current(),
        features: BTreeSet::from(["command".to_owned()]),
        platform: PlatformRef {
            name: label("test"),
            targets: BTreeMap::new(),
            trust: None,
            allow_asserted: true,
            quorum: 1,
        },
        parent: None,
        inputs: Inputs {
            manifests: nothing,
            inventory: nothing,
            observation: label("o-1"),
            observed_at: "2026-11-20T09:00:00Z".parse().unwrap(),
            as_of: "2026-11-20T09:00:00Z".parse().unwrap(),
            lock: nothing,
            catalog: nothing,
            estimates: None,
        },
        digests: Digests { effects: nothing, review: Digest::of("review") },
        body: PlanBody {
            hops: vec![Hop {
                id: hop(),
                from: None,
                basis: HopBasis::Exact,
                after: Vec::new(),
                leave_by: None,
                savepoint: SavepointId::new("end").unwrap(),
            }],
            steps,
            rollback,
        },
        later: Vec::new(),
        savepoints: vec![savepoint("start", Vec::new()), savepoint("end", frontier)],
        suspensions: Vec::new(),
        gates: Vec::new(),
        points: Vec::new(),
        pools: Vec::new(),
        classes: Vec::new(),
        standing: Vec::new(),
        outside: Vec::new(),
        releases: Vec::new(),
        windows: Vec::new(),
        channels: Vec::new(),
        untested: Vec::new(),
        blind_spots: Vec::new(),
        notices: Vec::new(),
        retentions: Vec::new(),
        sources: BTreeMap::new(),
    }
}

/// Lets a step leave something that a rollback needs for so long; `do net-STEP` removes it.
pub fn leaves(plan: &mut Plan, step: &str, keep: Seconds) {
    let net = format!("net-{step}");
    plan.retentions.push(Retention {
        what: format!("the net of {step}"),
        why: "a test says so".to_owned(),
        step: id(step),
        by_undo: false,
        keep,
        removal: Work {
            done_when: Some(asks(&["done", &net])),
            timeout: Seconds(600),
            estimate: Estimate::seconds(10, 20),
            ..Work::effect(format!("remove the net of {step}"), does(&["do", &net]))
        },
    });
}

/// Numbers from a seed: splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }

    /// True so many times of a hundred.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// A random plan of up to 20 steps: effects, rolls, a suspension, all retry classes and failure actions, a middle savepoint.
pub fn random(random: &mut Random) -> Plan {
    let count = 3 + random.below(18);
    let name = |number: u64| format!("s{number:02}");
    let mut steps: Vec<Drawn> = Vec::new();
    for number in 0..count {
        let mut needs: Vec<String> = Vec::new();
        for earlier in 0..number {
            if random.percent(100 / (number + 1) + 10) {
                needs.push(name(earlier));
            }
        }
        let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
        let mut made = match random.below(8) {
            0 => roll(&name(number), &needs, &name(number)),
            _ => step(&name(number), &needs),
        };
        made.work.retry = *random.pick(&[
            RetryClass::Never,
            RetryClass::NotDone,
            RetryClass::Idempotent,
            RetryClass::Idempotent,
        ]);
        made.on_failure.action =
            *random.pick(&[FailureAction::Hold, FailureAction::RollbackStep, FailureAction::RollbackHop]);
        if random.percent(10) && matches!(made.work.action, Action::Effect(_)) {
            made.undo = Undo::Unneeded { why: "a look".to_owned() };
        }
        if random.percent(10) {
            made.work.done_when = None;
        }
        if random.percent(20) {
            made.work.reads.push(reads(&["steady", &name(number)]));
        }
        if random.percent(20) {
            made.work.captures.push(captures("before"));
        }
        steps.push(made);
    }
    let mut plan = plan(steps);
    let middle = random.below(count);
    let frontier = vec![id(&name(middle))];
    plan.savepoints
        .insert(1, Savepoint { id: SavepointId::new("middle").unwrap(), title: String::new(), frontier });
    let effect = |plan: &Plan, number: u64| {
        let step = plan.step(&id(&name(number))).unwrap();
        matches!(step.work.action, Action::Effect(_))
            && step.undo == Undo::Rollback {}
            && step.work.done_when.is_some()
    };
    if effect(&plan, 0) && effect(&plan, count - 1) {
        plan.suspensions.push(suspension(&name(0), &name(count - 1)));
        let last = plan.steps.last_mut().unwrap();
        if !last.needs.iter().any(|need| need.step == id(&name(0))) {
            last.needs.push(Need { step: id(&name(0)), why: "closes it".to_owned(), source: None });
        }
    }
    plan
}
