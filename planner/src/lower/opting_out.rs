//! A node of a batch, opted out of NVSentinel's quarantine for as long as it is in it. Its own write marks it as ours and keeps what the
//! label had, so that whoever ends the batch, forward or back, puts that back and leaves alone what somebody else set.

use serde_json::{Value, json};
use switchback_schemas::{
    StepId,
    plan::{
        Capture, CaptureKind, Condition, Effect, FieldTest, KubeCapture, KubeCondition, KubeEffect,
        KubePatch, NodeUndo, Operand, RecipeStep, SetField, Target, Test, Work,
    },
};

use super::{nodes, quarantine::OptOut};

/// The name of the step that opts a node out.
pub const OUT: &str = "opt-out";
/// Annotations of a node: that it was opted out by a run, and what its label had.
const MARK: &str = "/metadata/annotations/switchback.dev~1opted-out";
const BEFORE: &str = "/metadata/annotations/switchback.dev~1opted-out-before";

fn field(pointer: &str, is: Test) -> Condition {
    Condition::Kube(KubeCondition::Field { object: Target::ItemNode {}, pointer: pointer.to_owned(), is })
}

fn value(value: Value) -> Operand {
    Operand::Value(value)
}

fn patch(only_if: (&str, Test), set: [(&str, Operand); 3]) -> Effect {
    let set = set.into_iter().map(|(pointer, to)| SetField { pointer: pointer.to_owned(), to });
    Effect::Kube(KubeEffect::Patch(KubePatch {
        object: Target::ItemNode {},
        subresource: None,
        only_if: vec![FieldTest { pointer: only_if.0.to_owned(), is: only_if.1 }],
        set: set.collect(),
    }))
}

fn capture(name: &str, pointer: &str) -> Capture {
    let what = KubeCapture::Field { object: Target::ItemNode {}, pointer: pointer.to_owned() };
    Capture { name: name.to_owned(), what: CaptureKind::Kube(what) }
}

fn captured(roll: &StepId, name: &str) -> Operand {
    Operand::Captured { step: roll.clone(), name: name.to_owned() }
}

/// What the label had, as the step that opts out captured it.
const LABEL: &str = "label";
/// The same as the node's own annotation keeps it: another roll may have opted it out.
const KEPT: &str = "before";

/// Opts the node out. One that is opted out already is left so, and is not ours to opt in.
pub fn out(roll: &StepId, opt_out: &OptOut) -> RecipeStep {
    let is_off = || Test::Equals(value(json!("false")));
    let effect = patch(
        (opt_out.pointer, Test::Differs(value(json!("false")))),
        [
            (opt_out.pointer, value(json!("false"))),
            (MARK, value(json!("true"))),
            (BEFORE, captured(roll, LABEL)),
        ],
    );
    let undo = NodeUndo::Rollback(Box::new(taken_back(opt_out, captured(roll, LABEL))));
    nodes::step(OUT, "opt the node out of quarantine by NVSentinel", effect, &[], undo).with(|work| Work {
        captures: vec![capture(LABEL, opt_out.pointer)],
        done_when: Some(field(opt_out.pointer, is_off())),
        ..work
    })
}

/// Opts the node in again, as its label was, whichever roll of the run opted it out.
pub fn back(roll: &StepId, opt_out: &OptOut) -> Work {
    Work { captures: vec![capture(KEPT, BEFORE)], ..taken_back(opt_out, captured(roll, KEPT)) }
}

/// Puts the label back, if a run had opted the node out and nobody has changed that since.
fn taken_back(opt_out: &OptOut, to: Operand) -> Work {
    let effect = patch(
        (MARK, Test::Equals(value(json!("true")))),
        [(opt_out.pointer, to), (MARK, value(Value::Null)), (BEFORE, value(Value::Null))],
    );
    Work {
        done_when: Some(Condition::Any(vec![
            field(MARK, Test::Absent {}),
            field(opt_out.pointer, Test::Differs(value(json!("false")))),
        ])),
        ..Work::effect("let NVSentinel watch the node again, if this run opted it out", effect)
    }
}
