//! The server itself: how it is looked at, stopped, given its image, started and asked.

use serde_json::{Value, json};
use switchback_schemas::{
    Seconds, StepId,
    name::{Label, ObjectRef},
    plan::{
        BlindSpot, CaptureKind, Condition, Disruption, Effect, Estimate, FieldTest, Find, KubeCapture,
        KubeCondition, KubeEffect, KubePatch, Operand, PointOfNoReturn, Read, SetField, SuspendedBy,
        Suspension, Target, Test, Verify, Wait, WebCondition, Work,
    },
};

use super::{Doc, MlflowUpgrade, rollback, site::Site};
use crate::{
    context::Cx,
    lower::{Draft, HopScope, Lowering, Rollback, Undoing, changes, verify},
    owner::DesiredField,
};

const REPLICAS: &str = "/spec/replicas";
const BASELINE: &str = "baseline";
const STOP: &str = "stop";
pub(super) const IMAGE: &str = "image";
const START: &str = "start";
/// How long pods may take to end, and new ones to be ready.
const PODS: Seconds = Seconds::minutes(15);
/// An application of the server that asks for a name and a password.
const APP: &str = "app-name";

/// The writes to a Deployment that an upgrade consists of.
pub(super) struct Patches<'a> {
    site: &'a Site,
    spec: &'a MlflowUpgrade,
    /// The image that was observed.
    before: &'a str,
    /// `/spec/template/spec/containers/N`.
    container: String,
    baseline: StepId,
}

impl<'a> Patches<'a> {
    pub(super) fn new(
        site: &'a Site,
        scope: &HopScope,
        spec: &'a MlflowUpgrade,
        (index, before): (usize, &'a str),
    ) -> Self {
        Self {
            site,
            spec,
            before,
            container: format!("/spec/template/spec/containers/{index}"),
            baseline: scope.id(BASELINE),
        }
    }

    fn object(&self) -> &ObjectRef {
        &self.site.object
    }

    fn field(&self, pointer: &str, is: Test) -> Condition {
        Condition::Kube(KubeCondition::Field {
            object: Target::Object(self.object().clone()),
            pointer: pointer.to_owned(),
            is,
        })
    }

    fn replicas(&self, is: Test) -> Condition {
        self.field(REPLICAS, is)
    }

    fn image_is(&self, image: &str) -> Condition {
        self.field(&format!("{}/image", self.container), is(json!(image)))
    }

    fn patch(&self, only_if: Vec<FieldTest>, pointer: &str, to: Operand) -> Effect {
        Effect::Kube(KubeEffect::Patch(KubePatch {
            object: Target::Object(self.object().clone()),
            subresource: None,
            only_if,
            set: vec![SetField { pointer: pointer.to_owned(), to }],
        }))
    }

    /// The container is the one that was observed.
    fn container_is(&self) -> FieldTest {
        FieldTest { pointer: format!("{}/name", self.container), is: is(json!(self.spec.container)) }
    }

    /// The same, with this image.
    fn container_has(&self, image: &str) -> Vec<FieldTest> {
        let image = FieldTest { pointer: format!("{}/image", self.container), is: is(json!(image)) };
        vec![self.container_is(), image]
    }

    fn capture(pointer: &str, object: &ObjectRef) -> CaptureKind {
        CaptureKind::Kube(KubeCapture::Field {
            object: Target::Object(object.clone()),
            pointer: pointer.to_owned(),
        })
    }

    fn captured(&self) -> Operand {
        Operand::Captured { step: self.baseline.clone(), name: "replicas".to_owned() }
    }

    fn rolled_out(&self) -> Verify {
        let condition =
            Condition::Kube(KubeCondition::Rollout { object: Target::Object(self.object().clone()) });
        verify(format!("{} is rolled out", self.object()), condition, Seconds(10), PODS)
    }

    /// No pod that could still write: those that are ending count, those that have ended do not.
    fn no_pods(&self) -> Verify {
        let find = Find {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: self.object().namespace.clone(),
            labels: self.site.server.pods.labels.clone(),
        };
        let running = Test::OneOf(["Pending", "Running", "Unknown"].map(Value::from).into());
        let each = vec![FieldTest { pointer: "/status/phase".to_owned(), is: running }];
        let condition =
            Condition::Kube(KubeCondition::Count { find, each, at_least: None, at_most: Some(0) });
        verify(format!("{} has no pods left", self.object()), condition, Seconds(0), PODS)
    }

    /// Looks at the server while it is well, and keeps how many replicas it has: an autoscaler may have changed them.
    pub(super) fn baseline(&self, scope: &HopScope) -> Draft {
        let rolled =
            Condition::Kube(KubeCondition::Rollout { object: Target::Object(self.object().clone()) });
        let until = Condition::All(vec![rolled, self.replicas(Test::AtLeast(1))]);
        let title = format!("verify {}, and capture its replicas", self.object());
        scope
            .look(BASELINE, title, until, Vec::new())
            .captures("replicas", Self::capture(REPLICAS, self.object()))
            .time(Seconds::minutes(10), Estimate::seconds(2, 30))
    }

    /// Scales the server to 0.
    pub(super) fn stop(&self, scope: &HopScope, reads: Vec<Read>) -> Draft {
        let zero = || Operand::Value(json!(0));
        let at_zero = vec![FieldTest { pointer: REPLICAS.to_owned(), is: is(json!(0)) }];
        let undo = Undoing::by(Rollback::new(Work {
            done_when: Some(self.replicas(Test::Differs(zero()))),
            verify: vec![self.rolled_out()],
            disruption: Disruption::Restart,
            timeout: PODS,
            estimate: Estimate::seconds(60, 300),
            ..Work::effect(
                format!("restore the replicas of {}", self.object()),
                self.patch(at_zero, REPLICAS, self.captured()),
            )
        }));
        let effect = self.patch(self.container_has(self.before), REPLICAS, zero());
        scope
            .step(
                STOP,
                format!("scale {} to 0: nothing can be logged from here on", self.object()),
                effect,
                undo,
                reads,
            )
            .done_when(self.replicas(is(json!(0))))
            .verify([self.no_pods()])
            .time(PODS, Estimate::seconds(30, 180))
            .idempotent()
            .disrupts(Disruption::Outage, None)
            .changes(vec![changes::of_field(
                self.object().clone(),
                "spec.replicas",
                &json!(self.site.replicas),
                &json!(0),
            )])
    }

    /// The image of the container. While the server has pods, they roll.
    pub(super) fn image(&self) -> DesiredField {
        DesiredField {
            object: self.object().clone(),
            pointer: format!("{}/image", self.container),
            path: format!("containers[{}].image", self.spec.container),
            what: format!("the image of {}", self.object()),
            only_if: vec![self.container_is()],
            before: json!(self.before),
            after: json!(self.spec.image),
            capture: IMAGE,
            restarts: (!self.site.migrates).then_some(PODS),
        }
    }

    /// The title of the step that sets it.
    pub(super) fn image_title(&self) -> String {
        let (container, image) = (&self.spec.container, &self.spec.image);
        format!("set the image of container {container} of {} to {image}", self.object())
    }

    /// Gives the server its replicas back, with the new image.
    pub(super) fn start(&self, scope: &HopScope) -> Draft {
        let zero = || Operand::Value(json!(0));
        let not_zero = || Test::Differs(zero());
        let running = vec![FieldTest { pointer: REPLICAS.to_owned(), is: not_zero() }];
        let undo = Undoing::by(Rollback::new(Work {
            done_when: Some(self.replicas(is(json!(0)))),
            verify: vec![self.no_pods()],
            disruption: Disruption::Outage,
            timeout: PODS,
            estimate: Estimate::seconds(30, 180),
            ..Work::effect(
                format!("scale {} to 0 again", self.object()),
                self.patch(running, REPLICAS, zero()),
            )
        }));
        let mut only_if = self.container_has(&self.spec.image);
        only_if.push(FieldTest { pointer: REPLICAS.to_owned(), is: is(json!(0)) });
        scope
            .step(
                START,
                format!("restore the replicas of {}: it takes calls again", self.object()),
                self.patch(only_if, REPLICAS, self.captured()),
                undo,
                Vec::new(),
            )
            .done_when(self.replicas(not_zero()))
            .verify([self.rolled_out()])
            .time(PODS, Estimate::seconds(60, 300))
            .idempotent()
            .disrupts(Disruption::Restart, None)
            .changes(vec![changes::of_field(
                self.object().clone(),
                "spec.replicas",
                &json!(0),
                &json!(self.site.replicas),
            )])
    }

    /// Between stop and start nobody may scale the server up: an old server would refuse a migrated database, or a new one
    /// migrate it a second time.
    pub(super) fn suspension(
        &self,
        scope: &HopScope,
        migration: &ObjectRef,
        schema: &ObjectRef,
        out: &mut Lowering,
    ) {
        let name = &self.object().name;
        let namespace = self.object().namespace.as_deref().unwrap_or_default();
        let autoscalers = self.site.server.autoscalers.iter().map(|autoscaler| autoscaler.name.as_str());
        let autoscalers: Vec<&str> = autoscalers.collect();
        let title = match autoscalers.as_slice() {
            [] => format!("the replicas of {}", self.object()),
            names => format!(
                "the replicas of {}, and with them HorizontalPodAutoscaler {}, which stops at 0",
                self.object(),
                names.join(", ")
            ),
        };
        let complete = Condition::Kube(KubeCondition::Field {
            object: Target::Object(schema.clone()),
            pointer: "/status/conditions".to_owned(),
            is: Test::Contains(json!({"type": "Complete", "status": "True"})),
        });
        // Either nothing was migrated and the old image is in place, or the new image accepts what is there.
        let safe = Condition::Any(vec![
            Condition::All(vec![rollback::whole(migration, Test::Absent {}), self.image_is(self.before)]),
            Condition::All(vec![complete, self.image_is(&self.spec.image)]),
        ]);
        out.suspensions.push(Suspension {
            id: Label::sanitized(&format!("{}-{}-away", scope.hop.instance(), scope.hop.to())),
            title,
            suspend: scope.id(STOP),
            suspended_by: SuspendedBy::ThisRun,
            resume: scope.id(START),
            held: self.replicas(is(json!(0))),
            safe_to_resume: safe,
            max_suspended: Seconds::hours(6),
            spans_park: true,
            cannot_stop: vec!["other clients of the database, which log past the server".to_owned()],
            owner: format!("the owner of {}", self.object()),
            resume_command: format!("kubectl scale deployment {name} -n {namespace} --replicas=N"),
        });
    }
}

/// The name of the point of no return at which the server takes calls again.
pub(super) fn point_name(doc: &Doc) -> Label {
    Label::sanitized(&format!("{}-traffic", doc.metadata.name))
}

/// The line after which rolling back loses what was logged, and its gate.
pub(super) fn line(doc: &Doc, site: &Site, scope: &HopScope, snapshot: &str, out: &mut Lowering) -> Label {
    let id = point_name(doc);
    let name = &doc.metadata.name;
    let asks = format!("approve that {name} takes calls again: a later rollback loses what was logged since");
    let point = PointOfNoReturn {
        id,
        step: scope.id(START),
        ends: format!("rollback of {name} without loss"),
        recovery: format!(
            "restore instance {} from snapshot {snapshot}: what was logged since then is lost",
            site.instance.arn.name()
        ),
    };
    out.point_of_no_return(asks, point)
}

/// What is left of a hop whose server an earlier run of the operation started: that it works, as the manifests now say.
pub(super) fn works(cx: &Cx<'_>, doc: &Doc, site: &Site, scope: &HopScope, out: &mut Lowering) {
    let until = Condition::Kube(KubeCondition::Rollout { object: Target::Object(site.object.clone()) });
    let title = format!("verify {} with {}", site.object, doc.spec.image);
    let whole =
        scope.look("health", title, until, Vec::new()).time(Seconds::minutes(10), Estimate::seconds(2, 30));
    let whole = out.add(whole);
    ask(cx, doc, site, scope, &whole, out);
}

/// Asks the new server: its version, its health, and an experiment, which reads the database. `/health` alone never does.
pub(super) fn ask(
    cx: &Cx<'_>,
    doc: &Doc,
    site: &Site,
    scope: &HopScope,
    up: &StepId,
    out: &mut Lowering,
) -> StepId {
    let url = doc.spec.url.trim_end_matches('/');
    let http = |path: &str, contains: Option<&str>| {
        Condition::Web(WebCondition::answers(format!("{url}{path}"), contains.map(str::to_owned)))
    };
    let mut of = vec![http("/version", Some(doc.spec.to.plain())), http("/health", Some("OK"))];
    if site.settings.options.contains_key(APP) {
        out.blind_spots.push(BlindSpot {
            what: format!("whether {} answers reads of its API", doc.metadata.name),
            why: "it runs with an application of its own, which asks for a name and a password; only version and health are asked"
                .to_owned(),
        });
    } else {
        of.push(http("/api/2.0/mlflow/experiments/search?max_results=1", None));
    }
    let answers = Condition::All(of);
    let goes_on =
        verify(format!("{url} goes on answering"), answers.clone(), Seconds(15), Seconds::minutes(5));
    let title =
        format!("verify that {url} answers as MLflow {} and reads an experiment", doc.spec.to.plain());
    let undo = Undoing::Unneeded("it only reads".to_owned());
    let step = scope
        .step("api", title, Effect::Wait(Wait { until: answers }), undo, Vec::new())
        .needs(up, "the new server is up", None)
        .verify(std::iter::once(goes_on).chain(cx.verifications(&scope.hop, &doc.spec.verify)))
        .time(Seconds::minutes(10), Estimate::seconds(20, 120))
        .idempotent();
    out.add(step)
}

/// A test of equality with a value.
fn is(value: Value) -> Test {
    Test::Equals(Operand::Value(value))
}
