//! Drift and consolidation of Karpenter, frozen while it moves, or while something moves that drifts its nodes (user-pain P-14).

use serde_json::{Value, json};
use switchback_schemas::{
    Diagnostic, Seconds, StepId, codes,
    inventory::karpenter::NodePool,
    name::{Label, ObjectName, ObjectRef},
    plan::{
        Bracket, CaptureKind, Condition, Effect, Estimate, FieldTest, KubePatch, OpenedBy, Operand, SetField,
        Target, Test, UndoKind, Wait, Work,
    },
    report::CaptureName,
};

use super::{Draft, HopScope, Lowering, Rollback, Undoing, changes, permission};
use crate::{context::Cx, outlook::Outlook};

/// Where a NodePool has its budgets.
pub(crate) const POINTER: &str = "/spec/disruption/budgets";
const BUDGETS: &str = "budgets";

/// A budget of 0 for every reason: no drift, no consolidation.
fn frozen() -> Value {
    json!([{"nodes": "0"}])
}

/// The freezing of one NodePool.
pub struct Freeze {
    object: ObjectRef,
    open: StepId,
    close: StepId,
    /// What the NodePool has when nobody freezes it.
    before: Value,
    by: By,
    /// `instance@version` of the hop.
    instance: String,
}

/// Who froze a NodePool.
enum By {
    /// This hop does.
    Us,
    /// An earlier run of the operation, and this hop puts back what that run captured.
    EarlierRun(CaptureName),
    /// Somebody else, who thaws it too.
    Others,
}

impl Freeze {
    /// Prepares the bracket of a NodePool; nothing is added yet.
    pub fn new(scope: &HopScope, pool: &NodePool, api_version: &str, outlook: &Outlook<'_>) -> Self {
        let object = ObjectRef::new(api_version, "NodePool", &ObjectName::cluster(&pool.name));
        let close = scope.id(&format!("thaw/{}", pool.name));
        let before = outlook.put_back(&object, POINTER).unwrap_or_else(|| pool.budgets.clone());
        let (before, by) = if before == frozen() {
            match outlook.take_over(&object, POINTER) {
                Some((first, capture)) => (first.clone(), By::EarlierRun(capture.clone())),
                None => (before, By::Others),
            }
        } else {
            (before, By::Us)
        };
        let open = match by {
            By::Us => format!("freeze/{}", pool.name),
            By::EarlierRun(_) | By::Others => format!("frozen/{}", pool.name),
        };
        Self {
            object,
            open: scope.id(&open),
            close,
            before,
            by,
            instance: scope.hop.as_str().rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }

    /// Notes the budgets of the NodePool, as earlier hops leave them.
    pub fn note(&self, pool: &NodePool, outlook: &Outlook<'_>) {
        outlook.note_held(&self.object, POINTER, &pool.budgets);
    }

    /// The NodePool.
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    /// Whether this hop freezes it.
    pub fn is_ours(&self) -> bool {
        matches!(self.by, By::Us)
    }

    /// Says what is in the way of writing the NodePool, or that it is left as it is.
    pub fn check(&self, cx: &Cx<'_>) {
        if !matches!(self.by, By::Others) {
            return cx.written_directly(&self.object);
        }
        let name = &self.object.name;
        let message =
            format!("NodePool {name} has a budget of 0 already, which this plan did not set and leaves");
        cx.findings.say_about(name, Diagnostic::warning(codes::PLAN_LEFT_OPEN, message).help(
            "if a run that is over left it so, `switchback janitor` says which; while a run holds, plan with `observe --continue RUN`",
        ));
    }

    fn is(&self, test: Test) -> Condition {
        Condition::Field {
            object: Target::Object(self.object.clone()),
            pointer: POINTER.to_owned(),
            is: test,
        }
    }

    fn patch(&self, only_if: Test, to: Operand) -> Effect {
        Effect::KubePatch(KubePatch {
            object: Target::Object(self.object.clone()),
            subresource: None,
            only_if: vec![FieldTest { pointer: POINTER.to_owned(), is: only_if }],
            set: vec![SetField { pointer: POINTER.to_owned(), to }],
        })
    }

    fn captured(&self) -> Operand {
        match &self.by {
            By::EarlierRun(capture) => {
                Operand::Captured { step: capture.step.clone(), name: capture.name.clone() }
            }
            By::Us | By::Others => Operand::Captured { step: self.open.clone(), name: BUDGETS.to_owned() },
        }
    }

    /// Writes the zero budget, if the budgets are still those that were observed.
    fn freeze(&self) -> Effect {
        let as_observed = match &self.before {
            Value::Null => Test::Absent {},
            budgets => Test::Equals(Operand::Value(budgets.clone())),
        };
        self.patch(as_observed, Operand::Value(frozen()))
    }

    /// Puts the captured budgets back, if the present ones are still ours.
    fn thaw(&self) -> Effect {
        self.patch(Test::Equals(Operand::Value(frozen())), self.captured())
    }

    fn undo(title: String, effect: Effect, done: Condition) -> Undoing {
        Undoing::by(Rollback {
            kind: UndoKind::Inverse,
            ..Rollback::new(Work {
                done_when: Some(done),
                estimate: Estimate::seconds(2, 10),
                permissions: permissions(),
                ..Work::effect(title, effect)
            })
        })
    }

    fn still_frozen(&self) -> Condition {
        self.is(Test::Equals(Operand::Value(frozen())))
    }

    /// No longer ours: thawed by us, or changed by somebody else, whose value stays.
    fn not_ours(&self) -> Condition {
        self.is(Test::Differs(Operand::Value(frozen())))
    }

    /// The step that opens the bracket, or sees that it is open.
    pub fn open_step(&self, scope: &HopScope, outlook: &Outlook<'_>) -> Draft {
        let name = &self.object.name;
        let why = match &self.by {
            By::Us => return self.freezing(scope, outlook),
            By::EarlierRun(_) => "an earlier run of the operation froze it, and its way back thaws it",
            By::Others => "somebody else froze it, and thaws it",
        };
        let reads = outlook.take_reads();
        if matches!(self.by, By::EarlierRun(_)) {
            outlook.puts_back(&self.object, POINTER, self.before.clone(), &self.close);
        }
        let undo = Undoing::Unneeded(why.to_owned());
        let until = self.still_frozen();
        let title = format!("see that drift and consolidation of NodePool {name} are still frozen");
        scope
            .step(&format!("frozen/{name}"), title, Effect::Wait(Wait { until }), undo, reads)
            .time(Seconds::minutes(1), Estimate::seconds(2, 10))
            .idempotent()
            .permits(permissions())
    }

    fn freezing(&self, scope: &HopScope, outlook: &Outlook<'_>) -> Draft {
        let name = &self.object.name;
        let title = format!("freeze drift and consolidation of NodePool {name}");
        let undo = Self::undo(format!("give NodePool {name} its budgets back"), self.thaw(), self.not_ours());
        scope
            .step(&format!("freeze/{name}"), title, self.freeze(), undo, outlook.take_reads())
            .captures(
                BUDGETS,
                CaptureKind::Field {
                    object: Target::Object(self.object.clone()),
                    pointer: POINTER.to_owned(),
                },
            )
            .done_when(self.still_frozen())
            .time(Seconds::minutes(1), Estimate::seconds(2, 10))
            .idempotent()
            .permits(permissions())
            .changes(vec![changes::of_field(
                self.object.clone(),
                "spec.disruption.budgets",
                &self.before,
                &frozen(),
            )])
    }

    /// The step that closes the bracket; none where others do.
    pub fn close_step(&self, scope: &HopScope) -> Option<Draft> {
        if matches!(self.by, By::Others) {
            return None;
        }
        let name = &self.object.name;
        let title = format!("give NodePool {name} its own budgets back");
        let again = self.patch(Test::Differs(Operand::Value(frozen())), Operand::Value(frozen()));
        let undo = Self::undo(format!("freeze NodePool {name} again"), again, self.still_frozen());
        let draft = scope
            .step(&format!("thaw/{name}"), title, self.thaw(), undo, Vec::new())
            .done_when(self.not_ours())
            .time(Seconds::minutes(1), Estimate::seconds(2, 10))
            .idempotent()
            .permits(permissions())
            .changes(vec![changes::of_field(
                self.object.clone(),
                "spec.disruption.budgets",
                &frozen(),
                &self.before,
            )]);
        Some(draft)
    }

    /// Declares the bracket; what others suspended is theirs.
    pub fn bracket(&self, pool: &NodePool, safe: Condition, to: &mut Lowering) {
        if matches!(self.by, By::Others) {
            return;
        }
        let name = &self.object.name;
        let instance = self.instance.replace('@', "-");
        let mut cannot_stop = vec![
            "interruption of spot capacity by the cloud".to_owned(),
            "repair of nodes that Karpenter finds broken".to_owned(),
        ];
        if let Some(after) = pool.expire_after.as_deref().filter(|after| *after != "Never") {
            cannot_stop.insert(
                0,
                format!("expiry: nodes of the pool expire after {after}, whatever the budgets say"),
            );
        }
        let before = match &self.before {
            Value::Null => "null".to_owned(),
            budgets => budgets.to_string(),
        };
        to.brackets.push(Bracket {
            id: Label::sanitized(&format!("{instance}-freeze-{name}")),
            title: format!("drift and consolidation of NodePool {name}"),
            open: self.open.clone(),
            opened_by: match self.by {
                By::EarlierRun(_) => OpenedBy::EarlierRun,
                By::Us | By::Others => OpenedBy::ThisRun,
            },
            close: self.close.clone(),
            held: self.still_frozen(),
            safe_to_close: safe,
            max_open: Seconds::hours(24),
            spans_park: true,
            cannot_stop,
            owner: "the owner of the NodePool".to_owned(),
            closing_command: format!(
                "kubectl patch nodepool {name} --type=merge -p '{{\"spec\":{{\"disruption\":{{\"budgets\":{before}}}}}}}'"
            ),
        });
    }
}

fn permissions() -> Vec<switchback_schemas::plan::Permission> {
    ["get", "patch"].map(|verb| permission(verb, "karpenter.sh", "nodepools", None)).into()
}
