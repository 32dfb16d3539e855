//! A served twin, its drivers, and a run that carries effects to their end.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use switchback_aws::{Aws, AwsDriver, AwsSettings, StaticCredentials};
use switchback_executor::{
    env::Clock,
    ports::{BoundEffect, Call, Cloud as _},
};
use switchback_schemas::{
    journal::{At, Class, Outcome, Verdict, WaitsFor},
    name::Label,
    plan::{Arn, AwsResource, CloudCapture, CloudCondition, CloudKind, CloudRef, Effect, Roles, Test},
};
use switchback_twin::{Clocking, Fault, FaultKind, Handle, Twin, World, serve};

pub(crate) const CLUSTER: &str = "mlops-platform-dev";
pub(crate) const DATABASE: &str = "mlops-platform-dev-mlflow";
pub(crate) const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";

/// Calls of one effect before a test gives up, a minute of the twin's time each.
const PATIENCE: u32 = 600;

pub(crate) struct Scene {
    pub(crate) twin: Twin,
    handle: Handle,
    pub(crate) key: String,
    pub(crate) roles: Roles,
}

pub(crate) fn world() -> World {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/worlds/mlops-platform.yaml");
    World::open(&path).unwrap()
}

/// The twin's own time.
struct TwinTime(Twin);

#[async_trait]
impl Clock for TwinTime {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, when: Timestamp) {
        self.0.advance_to(when);
    }
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(world()).await
    }

    pub(crate) async fn of(world: World) -> Self {
        let twin = Twin::new(world);
        let handle = serve(&twin, "127.0.0.1:0".parse().unwrap(), Clocking::Manual).await.unwrap();
        Self { twin, handle, key: "AKIATEST".into(), roles: Roles::default() }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.handle.addr)
    }

    pub(crate) async fn aws(&self) -> Aws {
        let credentials = StaticCredentials {
            access_key: self.key.clone(),
            secret_key: "secret".into(),
            session_token: None,
        };
        Aws::open(AwsSettings {
            endpoint: Some(self.endpoint()),
            credentials: Some(credentials),
            backoff: Duration::from_millis(1),
            ..AwsSettings::default()
        })
        .await
    }

    pub(crate) fn targets(&self) -> BTreeMap<Label, AwsResource> {
        let cluster =
            AwsResource { arn: Arn::eks_cluster(REGION, ACCOUNT, CLUSTER), roles: self.roles.clone() };
        let database =
            AwsResource { arn: Arn::rds_instance(REGION, ACCOUNT, DATABASE), roles: self.roles.clone() };
        BTreeMap::from([("mlops".parse().unwrap(), cluster), ("db".parse().unwrap(), database)])
    }

    /// A driver of a process of its own.
    pub(crate) async fn driver(&self) -> AwsDriver {
        AwsDriver::new(self.aws().await, self.targets(), Arc::new(TwinTime(self.twin.clone())))
    }

    pub(crate) async fn apply(&self, call: &Call, effect: &BoundEffect) -> Outcome {
        apply(&self.driver().await, call, effect).await
    }

    /// Calls an effect until it ends, as the machine does: the operation comes back with the next call.
    pub(crate) async fn carry(&self, effect: &BoundEffect) -> Outcome {
        self.carry_on(call(), effect).await
    }

    /// The same, from a call on.
    pub(crate) async fn carry_on(&self, mut call: Call, effect: &BoundEffect) -> Outcome {
        let driver = self.driver().await;
        for _ in 0..PATIENCE {
            match apply(&driver, &call, effect).await {
                Outcome::Blocked { waits_for } => match waits_for.as_slice() {
                    [WaitsFor::Operation { id, .. }] => call.operation = Some(id.clone()),
                    _ => return Outcome::Blocked { waits_for },
                },
                ended => return ended,
            }
            call.attempt += 1;
            self.twin.advance_by(Duration::from_mins(1));
        }
        panic!("{effect:?} does not end");
    }

    /// Carries an effect to its end though one answer is lost (none if `nth` is 0), and with it all that the process knew.
    pub(crate) async fn carry_over_loss(&self, operations: &str, nth: u32, effect: &BoundEffect) -> Outcome {
        self.twin.heal();
        if nth > 0 {
            self.inject(operations, nth, FaultKind::Lost);
        }
        let driver = self.driver().await;
        let mut call = call();
        for _ in 0..PATIENCE {
            match apply(&driver, &call, effect).await {
                Outcome::Blocked { waits_for } => match waits_for.as_slice() {
                    [WaitsFor::Operation { id, .. }] => call.operation = Some(id.clone()),
                    other => panic!("{other:?}"),
                },
                Outcome::InDoubt { .. } | Outcome::NotDone { class: Class::Unreachable, .. } => {
                    call.operation = None;
                }
                ended => {
                    self.twin.heal();
                    return ended;
                }
            }
            call.attempt += 1;
            self.twin.advance_by(Duration::from_mins(1));
        }
        panic!("{effect:?} does not end");
    }

    /// What the twin accepted of AWS, by operation.
    pub(crate) fn accepted(&self, operation: &str) -> usize {
        let prefix = format!("{operation} ");
        self.twin.log().iter().filter(|entry| entry.verb == "AWS" && entry.path.starts_with(&prefix)).count()
    }

    pub(crate) fn inject(&self, operation: &str, nth: u32, kind: FaultKind) {
        self.twin.inject(Fault::new("aws", operation, kind).nth(nth));
    }

    /// A field of something, as the driver reads it.
    pub(crate) async fn read(&self, kind: CloudKind, name: Option<&str>, pointer: &str) -> Value {
        let target =
            if matches!(kind, CloudKind::RdsInstance | CloudKind::RdsSnapshot) { "db" } else { "mlops" };
        let of = CloudRef { target: target.parse().unwrap(), kind, name: name.map(str::to_owned) };
        let what = CloudCapture { of, pointer: pointer.to_owned() };
        let captured = self.driver().await.capture(&what).await.unwrap();
        let switchback_executor::ports::Capturing::Scalar(value) = captured else { panic!("{captured:?}") };
        value
    }

    pub(crate) async fn check(&self, condition: &CloudCondition<Value>) -> Verdict {
        self.driver().await.check(condition).await
    }

    /// Whether something is there.
    pub(crate) async fn is_there(&self, kind: CloudKind, name: &str) -> bool {
        let of = CloudRef { target: "mlops".parse().unwrap(), kind, name: Some(name.to_owned()) };
        let verdict =
            self.check(&CloudCondition::Field { of, pointer: String::new(), is: Test::Present {} }).await;
        assert!(!matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
        verdict.is_holding()
    }
}

/// The control plane to a minor.
pub(crate) fn control_plane(from: &str, to: &str) -> BoundEffect {
    effect(json!({"eks": {"updateCluster": {"target": "mlops", "from": from, "to": to}}}))
}

/// A call of a run, forward.
pub(crate) fn call() -> Call {
    Call::first(
        "run-1".parse().unwrap(),
        At::forward(&"test/step".parse().unwrap()),
        "mlops".parse().unwrap(),
        "0123456789abcdef0123456789abcdef".into(),
    )
}

/// A call of another step.
pub(crate) fn call_of(step: &str) -> Call {
    Call { token: format!("{step:-<32}"), ..call() }
}

#[track_caller]
pub(crate) fn done(outcome: &Outcome) -> String {
    let Outcome::Done { evidence } = outcome else { panic!("{outcome:?}") };
    evidence.0.join("; ")
}

/// An effect from JSON.
pub(crate) fn effect(value: Value) -> BoundEffect {
    match serde_json::from_value::<Effect<Value, Value>>(value).unwrap() {
        Effect::Eks(effect) => Effect::Eks(effect),
        Effect::Rds(effect) => Effect::Rds(effect),
        other => panic!("{other:?} is no effect on AWS"),
    }
}

/// Calls an effect once.
pub(crate) async fn apply(driver: &AwsDriver, call: &Call, effect: &BoundEffect) -> Outcome {
    match effect {
        Effect::Eks(effect) => driver.eks(call, effect).await,
        Effect::Rds(effect) => driver.rds(call, effect).await,
        other => panic!("{other:?} is no effect on AWS"),
    }
}
