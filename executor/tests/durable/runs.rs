//! Whole runs: real loop, real store on a simulated disk, drivers on a world; simulated time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde_json::Value;
use switchback_executor::{
    env::RuntimeClock,
    machine::{Rest, Settings},
    ports::{Call, Capturing, Commands, Failure, Kube, Look, Member, Rehearsal},
    runs::{self, Reclaimed},
    runtime::{Drivers, Ended, RunError, Runtime, Stop},
    store::{
        LocalStore, Store, claims,
        sim::{Fault, SimDisk, Unsynced},
    },
};
use switchback_model::{digests::digests, lint};
use switchback_schemas::{
    RunId, Seconds,
    event::RunEvent,
    journal::{
        Approval, End, Event, Evidence, Identified, Outcome, RollbackScope, SideKind, Verdict, WaitsFor,
    },
    name::{ObjectName, SavepointId},
    plan::{
        ApprovalScope, BoundObject, Capture, CaptureKind, Command, Effect, Gate, GateKind, Identity,
        KubeCapture, KubeCondition, KubeEffect, Parent, Plan, Proof, Roll, Target, Test,
    },
    report::{RunState, StepStatus},
};

use plans::{Drawn, id, label, part, plan, step};

mod accidents;
mod operations;
mod people;
#[path = "../machine/plans.rs"]
#[expect(dead_code, reason = "shared with the machine's tests")]
mod plans;
mod platform_claim;
mod spans;
mod trusted;

/// A world of things that are done or not, and the driver that does them.
#[derive(Default)]
struct World {
    done: Mutex<BTreeSet<String>>,
    log: Mutex<Vec<String>>,
    /// Effects whose answer is something else than done.
    odd: Mutex<BTreeMap<String, Odd>>,
    uid: Mutex<String>,
    /// How many more looks at who it is are answered by trouble.
    dark: Mutex<u64>,
}

#[derive(Clone)]
enum Odd {
    Panics,
    Answers(Outcome),
    Takes(u64),
}

#[async_trait]
impl Commands for World {
    async fn run(&self, call: &Call, command: &Command) -> Outcome {
        let what = command.argv[1].clone();
        // What a step leaves is called after it.
        assert!(what.ends_with(part(&call.at.step)), "{what} at {}", call.at);
        self.log.lock().unwrap().push(command.argv.join(" "));
        let odd = self.odd.lock().unwrap().get(&command.argv.join(" ")).cloned();
        match odd {
            Some(Odd::Panics) => {
                self.odd.lock().unwrap().clear();
                panic!("a driver breaks");
            }
            Some(Odd::Answers(outcome)) => return outcome,
            Some(Odd::Takes(seconds)) => tokio::time::sleep(std::time::Duration::from_secs(seconds)).await,
            None => {}
        }
        let mut done = self.done.lock().unwrap();
        if command.argv[0] == "do" {
            done.insert(what)
        } else {
            done.remove(&what)
        };
        Outcome::Done { evidence: Evidence::default() }
    }

    async fn check(&self, _: &Call, command: &Command) -> Verdict {
        let done = self.done.lock().unwrap().contains(&command.argv[1]);
        let holds = match command.argv[0].as_str() {
            "done" => done,
            "undone" => !done,
            _ => true,
        };
        if holds { Verdict::holds("so") } else { Verdict::fails("not so") }
    }

    async fn rehearse(&self, _: &Command) -> Result<Rehearsal, Failure> {
        Ok(Rehearsal::default())
    }
}

#[async_trait]
impl Kube for World {
    async fn apply(&self, _: &Call, effect: &KubeEffect<Value, BoundObject>) -> Outcome {
        panic!("unknown effect {effect:?}")
    }

    async fn check(&self, _: &Call, condition: &KubeCondition<Value, BoundObject>) -> Verdict {
        match condition {
            KubeCondition::Field { is: Test::Equals(value), .. } => Verdict::holds(value.to_string()),
            other => panic!("unknown condition {other:?}"),
        }
    }

    async fn capture(&self, what: &KubeCapture<BoundObject>) -> Result<Capturing, Failure> {
        Ok(match what {
            KubeCapture::Field { .. } => Capturing::Scalar(serde_json::json!(7)),
            _ => Capturing::Objects(vec![serde_json::json!({"kind": "ConfigMap"})]),
        })
    }

    async fn members(&self, _: &Call, roll: &Roll) -> Result<Vec<Member>, Failure> {
        panic!("there are no nodes for {roll:?}")
    }

    async fn census(&self) -> Result<Look, Failure> {
        Ok(Look::default())
    }

    async fn detach_release(&self, _: &Call, release: &ObjectName, _: bool) -> Outcome {
        panic!("no release is detached: {release}")
    }

    async fn keep_release(&self, _: &Call, release: &ObjectName, _: u64) -> Result<Evidence, Failure> {
        panic!("there is no release {release}")
    }

    async fn proof(&self) -> Result<Proof, Failure> {
        let mut dark = self.dark.lock().unwrap();
        if *dark > 0 {
            *dark -= 1;
            let evidence = Evidence::line("503 ServiceUnavailable");
            return Err(Failure { class: switchback_schemas::journal::Class::Unreachable, evidence });
        }
        Ok(Proof::KubeSystem { uid: self.uid.lock().unwrap().clone() })
    }
}

/// A plan that lint passes, as bytes.
fn bytes(steps: Vec<Drawn>, change: impl FnOnce(&mut Plan)) -> Vec<u8> {
    let mut plan = plan(steps);
    plan.platform
        .targets
        .insert(label("cluster"), Identity::Cluster { kube_system_uid: String::new(), eks: None });
    change(&mut plan);
    plan.features = lint::used_features(plan.works().map(|(_, work)| work), &plan.retentions);
    if plan.parent.is_some() {
        plan.features.insert("continue".to_owned());
    }
    plan.digests = digests(&plan).unwrap();
    let findings = lint::lint(&plan);
    assert!(findings.is_empty(), "{findings:?}");
    plan.to_json().unwrap()
}

fn three() -> Vec<u8> {
    bytes(in_a_row(), |_| {})
}

/// The steps of a plan, each with what undoes it.
fn drawn(plan: &Plan) -> Vec<Drawn> {
    let one = |own: &switchback_schemas::plan::Step| Drawn {
        step: own.clone(),
        rollback: plan.rollback_step(&own.id).cloned().unwrap_or_else(|| step(part(&own.id), &[]).rollback),
    };
    plan.steps.iter().map(one).collect()
}

fn in_a_row() -> Vec<Drawn> {
    let mut first = step("a", &[]);
    first.work.captures.push(Capture {
        name: "before".to_owned(),
        what: CaptureKind::Kube(KubeCapture::Objects(vec![Target::Object(
            switchback_schemas::name::ObjectRef {
                api_version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: None,
                name: "x".to_owned(),
            },
        )])),
    });
    vec![first, step("b", &["a"]), step("c", &["a"])]
}

fn runtime(world: &Arc<World>, disk: &SimDisk) -> Runtime {
    let start = "2026-11-20T10:00:00Z".parse().unwrap();
    Runtime {
        store: Arc::new(LocalStore::on("s", Arc::new(disk.clone()))),
        drivers: Drivers {
            kube: Some(Arc::clone(world) as Arc<dyn Kube>),
            commands: Some(Arc::clone(world) as Arc<dyn Commands>),
            ..Drivers::default()
        },
        clock: Arc::new(RuntimeClock::starting_at(start)),
        settings: Settings::default(),
        holder: "test".to_owned(),
        grace: Seconds(5),
        max_runtime: None,
        claims: None,
        trust: None,
        applier: None,
    }
}

async fn apply(runtime: &Runtime, plan: &[u8]) -> Result<(RunId, Ended), RunError> {
    runs::apply(runtime, plan, &Stop::new(), &mut |_| {}).await
}

fn ended(end: End) -> Ended {
    Ended::Rest(Rest::Ended(end))
}

fn counts(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for what in &*world.log.lock().unwrap() {
        *counts.entry(what.clone()).or_default() += 1;
    }
    counts
}

/// A plan of one step that waits for an approval of the whole.
fn gated(change: impl FnOnce(&mut Plan)) -> Vec<u8> {
    let mut gated = step("a", &[]);
    gated.gates.push(label("go"));
    let gate = Gate {
        id: label("go"),
        title: "people say go".to_owned(),
        kind: GateKind::Approval(ApprovalScope::Plan {}),
        may_override: false,
    };
    bytes(vec![gated], |plan| {
        plan.gates.push(gate);
        change(plan);
    })
}

/// An approval of a whole plan, now and for good.
fn approved(runtime: &Runtime, plan: &[u8], by: Identified) -> Approval {
    Approval {
        by,
        scope: ApprovalScope::Plan {},
        review: Plan::from_json(plan).unwrap().digests.review,
        reason: None,
        given: runtime.clock.now(),
        expires: None,
        proof: None,
    }
}

fn by() -> Identified {
    Identified::Asserted("ann".to_owned())
}

/// What the platform answers when it will not do something.
fn refused() -> Odd {
    Odd::Answers(Outcome::NotDone {
        class: switchback_schemas::journal::Class::Refused,
        evidence: switchback_schemas::journal::Evidence::line("no"),
    })
}

fn each_once(world: &World) {
    let once: BTreeMap<String, usize> = ["do a", "do b", "do c"].map(|what| (what.to_owned(), 1)).into();
    assert_eq!(counts(world), once);
}

async fn operations_of_a_calm_run() -> u64 {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let (_, end) = apply(&runtime(&world, &disk), &three()).await.unwrap();
    assert_eq!(end, ended(End::Complete));
    each_once(&world);
    disk.operations()
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_disk_operation_a_run_ends_with_each_effect_done_once() {
    let operations = operations_of_a_calm_run().await;
    assert!(operations > 50, "{operations}");
    for operation in 0..operations {
        for unsynced in [Unsynced::Lost, Unsynced::Half, Unsynced::Kept] {
            let (world, disk) = (Arc::new(World::default()), SimDisk::new());
            let runtime = runtime(&world, &disk);
            disk.fault_at(operation, Fault::Crash);
            // At the very last operations the run was over before the machine stopped.
            let _ = apply(&runtime, &three()).await;
            assert!(disk.crashed());
            disk.restart(unsynced);
            let (run, end) = apply(&runtime, &three()).await.unwrap();
            assert_eq!(end, ended(End::Complete), "operation {operation}, {unsynced:?}");
            each_once(&world);
            assert_eq!(claims::holder(&*runtime.store, &label("test")).await.unwrap(), None);
            assert_eq!(runs::status(&*runtime.store, &run).await.unwrap().residue, []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_at_any_disk_operation_stops_the_run_and_the_next_one_ends_it() {
    for operation in 0..operations_of_a_calm_run().await {
        let (world, disk) = (Arc::new(World::default()), SimDisk::new());
        let runtime = runtime(&world, &disk);
        disk.fault_at(operation, Fault::Fail(ErrorKind::StorageFull));
        let _ = apply(&runtime, &three()).await;
        disk.restart(Unsynced::Lost);
        let (_, end) = apply(&runtime, &three()).await.unwrap();
        assert_eq!(end, ended(End::Complete), "operation {operation}");
        each_once(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn applying_a_finished_plan_again_changes_nothing() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    let (run, _) = apply(&runtime, &three()).await.unwrap();
    let before = runtime.store.journal(&run).await.unwrap();
    assert_eq!(apply(&runtime, &three()).await.unwrap(), (run.clone(), ended(End::Complete)));
    assert_eq!(runtime.store.journal(&run).await.unwrap(), before);
    each_once(&world);
}

#[tokio::test(start_paused = true)]
async fn a_second_plan_is_told_which_run_has_the_platform() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let runtime = runtime(&world, &disk);
    world.odd.lock().unwrap().insert("do b".to_owned(), refused());
    let (first, end) = apply(&runtime, &three()).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Held { .. })), "{end:?}");

    let second = bytes(vec![step("d", &[])], |_| {});
    let error = apply(&runtime, &second).await.unwrap_err();
    assert!(matches!(&error, RunError::Claimed { by, .. } if *by == first), "{error}");

    // Giving it up releases the platform and names what was left.
    let says = SideKind::Abandon { reason: "a test".to_owned() };
    runs::request(runtime.handle(&first), by(), says).await.unwrap();
    assert_eq!(
        runs::due(&*runtime.store, runtime.clock.now()).await.unwrap().runs,
        std::slice::from_ref(&first)
    );
    assert_eq!(apply(&runtime, &three()).await.unwrap().1, ended(End::Abandoned));
    let report = runs::status(&*runtime.store, &first).await.unwrap();
    assert!(
        report.residue.iter().any(|left| left.to_string().contains("a was done and is not undone")),
        "{:?}",
        report.residue
    );
    assert_eq!(apply(&runtime, &second).await.unwrap().1, ended(End::Complete));
}
