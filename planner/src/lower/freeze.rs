//! Drift and consolidation of Karpenter, frozen while it moves, or while something moves that drifts its nodes (user-pain P-14).

use serde_json::{Value, json};
use switchback_schemas::{
    Seconds, StepId,
    inventory::karpenter::NodePool,
    name::{Label, ObjectName, ObjectRef},
    plan::{
        Action, Bracket, CaptureKind, Condition, Effect, Estimate, FieldTest, KubePatch, Operand, SetField,
        Target, Test, Undo, UndoKind, UndoStep,
    },
};

use super::{Draft, HopScope, Lowering, changes, permission, undo_step};
use crate::outlook::Outlook;

const POINTER: &str = "/spec/disruption/budgets";
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
    before: Value,
    /// `instance@version` of the hop.
    instance: String,
}

impl Freeze {
    /// Prepares the bracket of a NodePool; nothing is added yet.
    pub fn new(scope: &HopScope, pool: &NodePool, api_version: &str) -> Self {
        Self {
            object: ObjectRef::new(api_version, "NodePool", &ObjectName::cluster(&pool.name)),
            open: scope.id(&format!("freeze/{}", pool.name)),
            close: scope.id(&format!("thaw/{}", pool.name)),
            before: pool.budgets.clone(),
            instance: scope.hop.as_str().rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }

    /// The NodePool.
    pub fn object(&self) -> &ObjectRef {
        &self.object
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
        Operand::Captured { step: self.open.clone(), name: BUDGETS.to_owned() }
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

    fn undo(title: String, effect: Effect, done: Condition) -> Undo {
        Undo::Step(Box::new(UndoStep {
            kind: UndoKind::Inverse,
            done_when: Some(done),
            estimate: Estimate::seconds(2, 10),
            permissions: permissions(),
            ..undo_step(title, Action::Effect(effect))
        }))
    }

    fn still_frozen(&self) -> Condition {
        self.is(Test::Equals(Operand::Value(frozen())))
    }

    /// No longer ours: thawed by us, or changed by somebody else, whose value stays.
    fn not_ours(&self) -> Condition {
        self.is(Test::Differs(Operand::Value(frozen())))
    }

    /// The step that opens the bracket.
    pub fn open_step(&self, scope: &HopScope, outlook: &Outlook<'_>) -> Draft {
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

    /// The step that closes the bracket.
    pub fn close_step(&self, scope: &HopScope) -> Draft {
        let name = &self.object.name;
        let title = format!("give NodePool {name} its own budgets back");
        let again = self.patch(Test::Differs(Operand::Value(frozen())), Operand::Value(frozen()));
        let undo = Self::undo(format!("freeze NodePool {name} again"), again, self.still_frozen());
        scope
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
            )])
    }

    /// Declares the bracket.
    pub fn bracket(&self, pool: &NodePool, safe: Condition, to: &mut Lowering) {
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
