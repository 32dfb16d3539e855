//! `preflight`: whether a plan could begin now: who the targets are, what it was compiled from, gates, and what the API
//! server would say to its writes. Changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use serde_json::Value;
use switchback_executor::{
    machine::{WindowAnswer, scope_text, window_answer},
    ports::{Call, Fleet},
    runtime::{Drivers, RunError, Runtime},
};
use switchback_face::Exit;
use switchback_kube::KubeDriver;
use switchback_model::bind::Binder;
use switchback_schemas::{
    RunId, Seconds, StepId,
    codes::{self, Code},
    journal::{At, Class, Outcome, Verdict},
    name::{group, is_namespaced},
    plan::{
        Action, Condition, Effect, Gate, GateKind, KubeApply, KubeEffect, Plan, ReadBasis, Step,
        WebCondition, WindowUse, Work,
    },
};

use crate::{
    args::{PlatformArgs, StoreArgs},
    documents, environment,
    error::Error,
    host::Host,
    platform::Platform,
    show::labels,
    store,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan
    plan: PathBuf,
    #[command(flatten)]
    platform: PlatformArgs,
    #[command(flatten)]
    store: StoreArgs,
}

/// What was found about one thing.
enum Found {
    /// Nothing stands against it.
    Good,
    /// It waits for something, which is no obstacle to starting.
    Waits(String),
    /// It could not be asked.
    Unknown(String),
    /// The plan cannot be run as it is.
    Wrong(Code, String),
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let plan = documents::plan(&args.plan)?;
    let platform = Platform::open(&args.platform, &host.environment)?;
    let opened = store::open(&args.store, &host.environment)?;
    let place = tempfile::tempdir().map_err(Error::Start)?;
    let programs = place.path().to_owned();
    let drivers = platform.drivers(&plan.value, programs.join("live"), &host.environment).await?;
    let runtime = super::runtime(&opened, drivers, Arc::clone(&platform.clock), host);
    let mut seen = Vec::new();
    seen.push(("targets".to_owned(), who(&runtime, &plan.value).await));
    let asking =
        Asking { plan: &plan.value, drivers: &runtime.drivers, fleet: Arc::new(Fleet::of(&plan.value)) };
    let steps = &plan.value.steps;
    for step in steps {
        for (number, found) in asking.reads(step).await.into_iter().enumerate() {
            seen.push((format!("{} read {}", step.id, number + 1), found));
        }
    }
    for gate in &plan.value.gates {
        seen.push((format!("gate {}", gate.id), asking.gate(gate, runtime.clock.now()).await));
    }
    // The API server runs every check of a write, and stores nothing.
    let dry = KubeDriver::over(switchback_kube::dry(platform.client().await?));
    let tries = Drivers { kube: Some(Arc::new(dry)), ..Drivers::default() };
    let trying = Asking { drivers: &tries, fleet: Arc::clone(&asking.fleet), ..asking };
    let mut rehearsed = BTreeSet::new();
    for (id, work) in plan.value.works() {
        for effect in programs_of(work) {
            // A program that many steps call, and a chart of which rollback steps know nothing more, are looked for once.
            let Ok(key) = serde_json::to_string(&effect) else { continue };
            if !rehearsed.insert(key) {
                continue;
            }
            let step = steps.iter().find(|step| step.id == *id);
            seen.extend(asking.rehearse(&trying, id, step, &effect).await);
        }
    }
    seen.extend(unset(&plan.value));
    for step in steps {
        if let Some(found) = trying.write(step).await {
            seen.push((format!("{} dry-run", step.id), found));
        }
    }
    told(&seen, host)
}

/// What to do about a code of this command.
fn help(code: Code) -> &'static str {
    match code {
        codes::RUN_PREDICATE_FALSE => {
            "observe and plan again; while a run holds the platform, with `switchback observe --continue RUN`"
        }
        codes::PLATFORM_REFUSED => {
            "change what the answers above name, then run `switchback preflight` again"
        }
        codes::PLATFORM_FORBIDDEN => {
            "grant what `switchback permissions PLAN` prints, then run `switchback preflight` again"
        }
        codes::PLAN_LINT => "change `windows:` of the Platform and plan again",
        codes::RUN_IDENTITY => "check --kubeconfig and --context",
        _ => "check --kubeconfig, --context and the network, then run `switchback preflight` again",
    }
}

fn told(seen: &[(String, Found)], host: &mut Host) -> Result<Exit, Error> {
    let count = |kind: fn(&Found) -> bool| seen.iter().filter(|(_, found)| kind(found)).count();
    for (what, found) in seen {
        let line = match found {
            Found::Good => continue,
            Found::Waits(why) => format!("waits    {what}: {why}\n"),
            Found::Unknown(why) => format!("unknown  {what}: {why}\n"),
            Found::Wrong(_, why) => format!("WRONG    {what}: {why}\n"),
        };
        host.answer(&line)?;
    }
    let wrong = count(|found| matches!(found, Found::Wrong(..)));
    let unknown = count(|found| matches!(found, Found::Unknown(_)));
    let good = count(|found| matches!(found, Found::Good));
    let waits = count(|found| matches!(found, Found::Waits(_)));
    host.answer(&format!(
        "{good} good, {waits} wait, {unknown} unknown, {wrong} wrong; nothing was changed\n"
    ))?;
    let code = |(_, found): &(String, Found)| match found {
        Found::Wrong(code, _) => Some(*code),
        Found::Unknown(_) => Some(codes::PLATFORM_UNREACHABLE),
        Found::Good | Found::Waits(_) => None,
    };
    let codes: BTreeSet<Code> = seen.iter().filter_map(code).collect();
    let mut exit = Exit::Success;
    for code in codes {
        exit = host.failed(code, help(code))?;
    }
    Ok(exit)
}

async fn who(runtime: &Runtime, plan: &Plan) -> Found {
    match runtime.prove(plan).await {
        Ok(()) => Found::Good,
        Err(error @ RunError::Unproven { .. }) if error.code() == codes::PLATFORM_UNREACHABLE => {
            Found::Unknown(error.to_string())
        }
        Err(error) => Found::Wrong(error.code(), error.to_string()),
    }
}

/// Asks the platform on behalf of no run.
struct Asking<'a> {
    plan: &'a Plan,
    drivers: &'a Drivers,
    fleet: Arc<Fleet>,
}

impl Asking<'_> {
    fn call(&self, step: &Step) -> Call {
        let (run, at) = (RunId::sanitized("preflight"), At::forward(&step.id));
        let call = Call::first(run, at, step.target.clone(), "preflight".to_owned());
        Call { fleet: Arc::clone(&self.fleet), ..call }
    }

    /// Asks a condition, if it needs nothing that only a run knows.
    async fn check(&self, step: &Step, condition: &Condition) -> Verdict {
        match condition.map(&mut Binder { item: None, captured: &BTreeMap::new() }) {
            Ok(bound) => self.drivers.check(&self.call(step), &bound).await,
            Err(error) => Verdict::unknown(error.to_string()),
        }
    }

    /// What the step was compiled from, as far as it is true before the first step.
    async fn reads(&self, step: &Step) -> Vec<Found> {
        let mut all = Vec::new();
        let observed = |basis: &ReadBasis| matches!(basis, ReadBasis::Observed {});
        for read in step.work.reads.iter().filter(|read| observed(&read.basis)) {
            let verdict = self.check(step, &read.condition).await;
            let said = labels::verdict(&verdict);
            all.push(match verdict {
                Verdict::Holds { .. } => Found::Good,
                Verdict::Fails { .. } => Found::Wrong(codes::RUN_PREDICATE_FALSE, said),
                Verdict::Unknown { .. } => Found::Unknown(said),
            });
        }
        all
    }

    async fn gate(&self, gate: &Gate, now: jiff::Timestamp) -> Found {
        match &gate.kind {
            GateKind::Approval(scope) => Found::Waits(format!("switchback approve --{}", scope_text(scope))),
            GateKind::NotBefore(at) if now < *at => Found::Waits(format!("not before {at}")),
            GateKind::NotBefore(_) => Found::Good,
            GateKind::Window(used_for) => window(self.plan, *used_for, now),
            GateKind::Check(condition) => {
                let step = self.plan.steps.iter().find(|step| step.gates.contains(&gate.id));
                let Some(step) = step else { return Found::Good };
                let verdict = self.check(step, condition).await;
                let said = labels::verdict(&verdict);
                match verdict {
                    Verdict::Holds { .. } => Found::Good,
                    Verdict::Fails { .. } => Found::Waits(said),
                    Verdict::Unknown { .. } => Found::Unknown(said),
                }
            }
        }
    }

    /// What an effect needs on this machine, and what the API server says to what it would write.
    async fn rehearse(
        &self,
        trying: &Asking<'_>,
        id: &StepId,
        step: Option<&Step>,
        effect: &Effect,
    ) -> Vec<(String, Found)> {
        let Some(call) = step.or(self.plan.steps.first()).map(|step| self.call(step)) else {
            return Vec::new();
        };
        let rehearsal = match self.drivers.rehearse(effect).await {
            None => return Vec::new(),
            Some(Ok(rehearsal)) => rehearsal,
            Some(Err(failure)) => {
                let said = failure.evidence.0.join("; ");
                let found = match failure.class {
                    Class::Unreachable | Class::Throttled | Class::Deadline => Found::Unknown(said),
                    Class::Denied => Found::Wrong(codes::PLATFORM_FORBIDDEN, said),
                    _ if matches!(effect, Effect::Command(_)) => Found::Wrong(codes::PLATFORM_PROGRAM, said),
                    _ => Found::Wrong(codes::PLATFORM_CHART, said),
                };
                return vec![(format!("{id} program"), found)];
            }
        };
        let mut seen = vec![(format!("{id} program"), Found::Good)];
        let brought = defined(self.plan, &rehearsal.writes);
        for object in rehearsal.writes {
            let Some(name) = named(&object) else { continue };
            // Its CRD is not there yet, or it is of a kind of which a plan does not know whether it lives in a namespace.
            if brought.contains(&kind_of(&object)) || !is_tried(&object) {
                continue;
            }
            let effect = Effect::Kube(KubeEffect::Apply(KubeApply { object, force: true }));
            let first = step.is_some_and(|step| step.needs.is_empty());
            let found = match trying.drivers.apply(&call, &effect).await {
                outcome @ Outcome::NotDone { .. } => {
                    let said = labels::outcome(&outcome).unwrap_or_default();
                    match first {
                        true => Found::Wrong(refusal(&outcome), said),
                        false => Found::Waits(format!("{said}; the steps before it may change that")),
                    }
                }
                _ => Found::Good,
            };
            seen.push((format!("{id} dry-run of {name}"), found));
        }
        seen
    }

    /// Tries a write that the API server can try; `None` where it cannot, or where it depends on what a run captures.
    async fn write(&self, step: &Step) -> Option<Found> {
        let Action::Effect(effect) = &step.work.action else { return None };
        if !matches!(effect, Effect::Kube(KubeEffect::Apply(_) | KubeEffect::Patch(_)))
            || !step.needs.is_empty()
        {
            return None;
        }
        let bound = effect.map(&mut Binder { item: None, captured: &BTreeMap::new() }).ok()?;
        Some(match self.drivers.apply(&self.call(step), &bound).await {
            Outcome::Done { .. } | Outcome::Blocked { .. } => Found::Good,
            outcome @ Outcome::NotDone { .. } => {
                Found::Wrong(refusal(&outcome), labels::outcome(&outcome).unwrap_or_default())
            }
            outcome @ Outcome::InDoubt { .. } => {
                Found::Unknown(labels::outcome(&outcome).unwrap_or_default())
            }
        })
    }
}

/// What a piece of work calls on this machine: its own effects, and the commands that verify it.
fn programs_of(work: &Work) -> Vec<Effect> {
    let checks = work.conditions().into_iter().flat_map(Condition::leaves).filter_map(|leaf| match leaf {
        Condition::Command(command) => Some(Effect::Command(command.clone())),
        _ => None,
    });
    work.effects().into_iter().cloned().chain(checks).collect()
}

/// Variables that requests of a plan take headers from, and that are not set.
fn unset(plan: &Plan) -> Vec<(String, Found)> {
    let checks = plan.works().flat_map(|(id, work)| {
        let leaves = work.conditions().into_iter().flat_map(Condition::leaves);
        leaves.map(move |leaf| (id, leaf))
    });
    let requests = checks.filter_map(|(id, leaf)| match leaf {
        Condition::Web(WebCondition::Http { request, .. }) => Some((id, request)),
        _ => None,
    });
    let variables = requests.flat_map(|(id, request)| request.variables().map(move |name| (name, id)));
    let first: BTreeMap<&str, &StepId> = variables.collect();
    let unset = first.into_iter().filter(|(name, _)| environment::text(name).is_none());
    let found = |name| Found::Wrong(codes::PLATFORM_FORBIDDEN, format!("the variable {name} is not set"));
    unset.map(|(name, id)| (format!("{id} variable {name}"), found(name))).collect()
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn named(object: &Value) -> Option<String> {
    let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
    (!name.is_empty()).then(|| format!("{kind} {name}"))
}

fn kind_of(object: &Value) -> (String, String) {
    (group(text(object, "/apiVersion")).to_owned(), text(object, "/kind").to_owned())
}

/// Whether it can be told where an object goes.
fn is_tried(object: &Value) -> bool {
    let (group, kind) = kind_of(object);
    is_namespaced(&group, &kind).is_some() || !text(object, "/metadata/namespace").is_empty()
}

/// Kinds that CRDs among these objects, or that steps of the plan apply, define.
fn defined(plan: &Plan, writes: &[Value]) -> BTreeSet<(String, String)> {
    let applied = plan.steps.iter().flat_map(|step| step.work.effects()).filter_map(|effect| match effect {
        Effect::Kube(KubeEffect::Apply(apply)) => Some(&apply.object),
        _ => None,
    });
    let crds = applied.chain(writes).filter(|object| text(object, "/kind") == "CustomResourceDefinition");
    crds.map(|crd| (text(crd, "/spec/group").to_owned(), text(crd, "/spec/names/kind").to_owned())).collect()
}

/// The code of a write that the API server would not carry out.
fn refusal(outcome: &Outcome) -> Code {
    match outcome {
        Outcome::NotDone { class: Class::Denied, .. } => codes::PLATFORM_FORBIDDEN,
        _ => codes::PLATFORM_REFUSED,
    }
}

fn window(plan: &Plan, used_for: WindowUse, now: jiff::Timestamp) -> Found {
    match window_answer(&plan.windows, used_for, Seconds(0), now) {
        WindowAnswer::Open { .. } | WindowAnswer::Always => Found::Good,
        WindowAnswer::Frozen { window, until } => Found::Waits(format!("freeze {window} ends at {until}")),
        WindowAnswer::Closed { window, opens } => Found::Waits(format!("window {window} opens at {opens}")),
        WindowAnswer::Never => Found::Wrong(codes::PLAN_LINT, "no window of the plan ever opens".to_owned()),
        WindowAnswer::Unreadable(why) => Found::Unknown(why),
    }
}
