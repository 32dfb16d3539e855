//! Suspensions: a field of an object has another value while something moves, and is put back when that is safe.

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, HopId, Label as Place, Seconds, StepId, codes,
    name::{Label, ObjectRef},
    plan::{
        CaptureKind, Condition, Effect, Estimate, FieldTest, KubeCapture, KubeCondition, KubeEffect,
        KubePatch, Operand, SetField, SuspendedBy, Suspension, Target, Test, Wait, Work,
    },
    report::CaptureName,
};

use super::{Draft, HopScope, Lowering, Rollback, Undoing, changes};
use crate::{context::Cx, predicted::Predicted};

/// What is suspended, how, and how it is called.
#[derive(Clone, Debug)]
pub struct Suspended {
    /// Its name in the ids of steps.
    pub name: String,
    /// Verbs of its steps' ids: suspended by this hop, found suspended, resumed.
    pub parts: Parts,
    /// The object that says so.
    pub object: ObjectRef,
    /// Its field: a JSON pointer.
    pub pointer: &'static str,
    /// The same for people.
    pub path: &'static str,
    /// The capture that keeps what the field had.
    pub capture: &'static str,
    /// What the field has while it is suspended.
    pub value: Value,
    /// What the field had when it was observed; null where it was absent.
    pub observed: Value,
    /// Titles of its steps.
    pub titles: Titles,
    /// What goes on nevertheless.
    pub cannot_stop: Vec<String>,
    /// Who is told when it has to stay suspended.
    pub owner: String,
}

/// Verbs in ids of steps.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// It is suspended.
    pub suspend: &'static str,
    /// It is found suspended.
    pub found: &'static str,
    /// It is resumed.
    pub resume: &'static str,
}

impl Parts {
    /// What most suspensions are called.
    pub const SUSPEND: Self = Self { suspend: "suspend", found: "suspended", resume: "resume" };
}

/// Titles of the steps of a suspension.
#[derive(Clone, Debug)]
pub struct Titles {
    /// What is suspended: `drift and consolidation of NodePool gpu`.
    pub what: String,
    /// It is suspended.
    pub suspend: String,
    /// It is seen to be suspended.
    pub found: String,
    /// It is resumed.
    pub resume: String,
    /// A rollback resumes it.
    pub undo_suspend: String,
    /// A rollback suspends it again.
    pub undo_resume: String,
    /// Somebody else has suspended it.
    pub already: String,
}

impl Titles {
    /// What most suspensions say.
    pub fn of(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            suspend: format!("suspend {what}"),
            found: format!("check that {what} is still suspended"),
            resume: format!("resume {what}"),
            undo_suspend: format!("resume {what}"),
            undo_resume: format!("suspend {what} again"),
            already: format!("{what} is suspended already, not by this plan, which leaves it so"),
        }
    }
}

/// What a component suspends while nodes move for whatever reason.
#[derive(Clone, Debug)]
pub struct RollSuspension {
    /// What.
    pub suspended: Suspended,
    /// What must hold before it is resumed outside of the plan's order.
    pub safe: Condition,
}

/// A suspension in one hop.
pub struct SuspensionDraft {
    what: Suspended,
    suspend_step: StepId,
    resume_step: StepId,
    /// What the field has when nobody suspends it.
    before: Value,
    by: By,
    /// The hop.
    hop: HopId,
}

/// Who suspended it.
enum By {
    /// This hop does.
    Us,
    /// An earlier run of the operation, and this hop puts back what that run captured.
    EarlierRun(CaptureName),
    /// Somebody else, who resumes it too.
    Others,
}

/// Longest that a suspension may last before somebody is told.
const MAX_SUSPENDED: Seconds = Seconds::hours(24);

impl SuspensionDraft {
    /// Prepares a suspension; nothing is added yet.
    pub fn new(scope: &HopScope, what: Suspended, predicted: &Predicted<'_>) -> Self {
        let Suspended { object, pointer, parts, name, .. } = &what;
        let before = predicted.put_back(object, pointer).unwrap_or_else(|| what.observed.clone());
        let (before, by) = if before == what.value {
            match predicted.take_over(object, pointer) {
                Some((first, capture)) => (first.clone(), By::EarlierRun(capture.clone())),
                None => (before, By::Others),
            }
        } else {
            (before, By::Us)
        };
        let first = match by {
            By::Us => parts.suspend,
            By::EarlierRun(_) | By::Others => parts.found,
        };
        Self {
            suspend_step: scope.id(&format!("{first}/{name}")),
            resume_step: scope.id(&format!("{}/{name}", parts.resume)),
            before,
            by,
            hop: scope.hop.clone(),
            what,
        }
    }

    /// Notes what the field has, as earlier hops leave it.
    pub fn note(&self, predicted: &Predicted<'_>) {
        predicted.note_held(&self.what.object, self.what.pointer, &self.what.observed);
    }

    /// Whether this hop suspends it.
    pub fn is_ours(&self) -> bool {
        matches!(self.by, By::Us)
    }

    /// The step that suspends, or sees that it is suspended.
    pub fn suspended_by_step(&self) -> StepId {
        self.suspend_step.clone()
    }

    /// Whether somebody else suspended it, who resumes it too.
    pub fn is_others(&self) -> bool {
        matches!(self.by, By::Others)
    }

    /// Says what is in the way of writing the object, or that it is left as it is.
    pub fn check(&self, cx: &Cx<'_>, place: Place) {
        if !matches!(self.by, By::Others) {
            return cx.written_directly(&self.what.object, place);
        }
        let already = Diagnostic::warning(codes::PLAN_LEFT_OPEN, self.what.titles.already.clone()).at(place);
        cx.findings.say_about(&self.what.object.name, already.help(
            "if a run that is over left it so, `switchback janitor` says which; while a run holds, plan with `observe --continue RUN`",
        ));
    }

    fn target(&self) -> Target {
        Target::Object(self.what.object.clone())
    }

    fn is(&self, test: Test) -> Condition {
        Condition::Kube(KubeCondition::Field {
            object: self.target(),
            pointer: self.what.pointer.to_owned(),
            is: test,
        })
    }

    fn patch(&self, only_if: Test, to: Operand) -> Effect {
        let pointer = self.what.pointer.to_owned();
        Effect::Kube(KubeEffect::Patch(KubePatch {
            object: self.target(),
            subresource: None,
            only_if: vec![FieldTest { pointer: pointer.clone(), is: only_if }],
            set: vec![SetField { pointer, to }],
        }))
    }

    fn value(&self) -> Operand {
        Operand::Value(self.what.value.clone())
    }

    fn captured(&self) -> Operand {
        match &self.by {
            By::EarlierRun(capture) => {
                Operand::Captured { step: capture.step.clone(), name: capture.name.clone() }
            }
            By::Us | By::Others => {
                Operand::Captured { step: self.suspend_step.clone(), name: self.what.capture.to_owned() }
            }
        }
    }

    /// Suspends, if the field is still as it was observed.
    fn suspend(&self) -> Effect {
        let as_observed = match &self.before {
            Value::Null => Test::Absent {},
            before => Test::Equals(Operand::Value(before.clone())),
        };
        self.patch(as_observed, self.value())
    }

    /// Puts back what was captured, if the field is still as this run left it.
    fn resume(&self) -> Effect {
        self.patch(Test::Equals(self.value()), self.captured())
    }

    fn undo(title: &str, effect: Effect, done: Condition) -> Undoing {
        Undoing::by(Rollback::new(Work {
            done_when: Some(done),
            estimate: Estimate::seconds(2, 10),
            ..Work::effect(title.to_owned(), effect)
        }))
    }

    fn still_suspended(&self) -> Condition {
        self.is(Test::Equals(self.value()))
    }

    /// No longer ours: resumed by us, or changed by somebody else, whose value stays.
    fn not_ours(&self) -> Condition {
        self.is(Test::Differs(self.value()))
    }

    /// The step that suspends, or sees that it is suspended.
    pub fn suspend_step(&self, scope: &HopScope, predicted: &Predicted<'_>) -> Draft {
        let Suspended { name, parts, titles, .. } = &self.what;
        let why = match &self.by {
            By::Us => return self.suspending(scope, predicted),
            By::EarlierRun(_) => "an earlier run of the operation suspended it, and its rollback resumes it",
            By::Others => "somebody else suspended it, and resumes it",
        };
        let reads = predicted.take_reads();
        if matches!(self.by, By::EarlierRun(_)) {
            predicted.puts_back(&self.what.object, self.what.pointer, self.before.clone(), &self.resume_step);
        }
        let undo = Undoing::Unneeded(why.to_owned());
        let until = self.still_suspended();
        let part = format!("{}/{name}", parts.found);
        scope
            .step(&part, &titles.found, Effect::Wait(Wait { until }), undo, reads)
            .time(Seconds::minutes(1), Estimate::seconds(2, 10))
            .idempotent()
    }

    fn change(&self, before: &Value, after: &Value) -> Vec<switchback_schemas::plan::Change> {
        vec![changes::of_field(self.what.object.clone(), self.what.path, before, after)]
    }

    fn suspending(&self, scope: &HopScope, predicted: &Predicted<'_>) -> Draft {
        let Suspended { name, parts, titles, capture, pointer, .. } = &self.what;
        let undo = Self::undo(&titles.undo_suspend, self.resume(), self.not_ours());
        let part = format!("{}/{name}", parts.suspend);
        let field =
            CaptureKind::Kube(KubeCapture::Field { object: self.target(), pointer: (*pointer).to_owned() });
        scope
            .step(&part, &titles.suspend, self.suspend(), undo, predicted.take_reads())
            .captures(capture, field)
            .done_when(self.still_suspended())
            .time(Seconds::minutes(1), Estimate::seconds(2, 10))
            .idempotent()
            .changes(self.change(&self.before, &self.what.value))
    }

    /// The step that resumes; none where others do.
    pub fn resume_step(&self, scope: &HopScope) -> Option<Draft> {
        if matches!(self.by, By::Others) {
            return None;
        }
        let Suspended { name, parts, titles, .. } = &self.what;
        let again = self.patch(Test::Differs(self.value()), self.value());
        let undo = Self::undo(&titles.undo_resume, again, self.still_suspended());
        let draft = scope
            .step(&format!("{}/{name}", parts.resume), &titles.resume, self.resume(), undo, Vec::new())
            .done_when(self.not_ours())
            .time(Seconds::minutes(1), Estimate::seconds(2, 10))
            .idempotent()
            .changes(self.change(&self.what.value, &self.before));
        Some(draft)
    }

    /// Declares the suspension; what others suspended is theirs.
    pub fn declare(&self, safe: Condition, out: &mut Lowering) {
        self.declare_unless(Vec::new(), safe, out);
    }

    /// The same where steps of the hop lift it in parts: it also holds where one of these does.
    pub fn declare_unless(&self, lifted: Vec<Condition>, safe: Condition, out: &mut Lowering) {
        if matches!(self.by, By::Others) {
            return;
        }
        let Suspended { name, parts, titles, cannot_stop, owner, .. } = &self.what;
        let held = match lifted.is_empty() {
            true => self.still_suspended(),
            // Its own field comes first: that is the one by which it is known again.
            false => Condition::Any(std::iter::once(self.still_suspended()).chain(lifted).collect()),
        };
        let (instance, to) = (self.hop.instance(), self.hop.to());
        out.suspensions.push(Suspension {
            id: Label::sanitized(&format!("{instance}-{to}-{}-{name}", parts.suspend)),
            title: titles.what.clone(),
            suspend: self.suspend_step.clone(),
            suspended_by: match self.by {
                By::EarlierRun(_) => SuspendedBy::EarlierRun,
                By::Us | By::Others => SuspendedBy::ThisRun,
            },
            resume: self.resume_step.clone(),
            held,
            safe_to_resume: safe,
            max_suspended: MAX_SUSPENDED,
            spans_park: true,
            cannot_stop: cannot_stop.clone(),
            owner: owner.clone(),
            resume_command: self.by_hand(),
        });
    }

    /// What a person types to resume it.
    fn by_hand(&self) -> String {
        let ObjectRef { kind, namespace, name, .. } = &self.what.object;
        let keys = self.what.pointer.split('/').skip(1).collect::<Vec<_>>().into_iter().rev();
        let patch = keys.fold(self.before.clone(), |inner, key| {
            let key = key.replace("~1", "/").replace("~0", "~");
            Value::Object([(key, inner)].into_iter().collect())
        });
        let kind = kind.to_ascii_lowercase();
        let namespace = namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
        format!("kubectl patch {kind} {name}{namespace} --type=merge -p '{patch}'")
    }
}
