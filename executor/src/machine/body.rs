//! What is to be done at one place of the plan, whichever kind of step it is: a step, its undo, a step of a roll's
//! recipe on one node, or the undo of that.

use switchback_schemas::{
    Seconds, StepId,
    journal::{At, Way},
    name::Label,
    plan::{
        Action, Capture, Condition, Effect, Plan, Read, RecipeStep, Removal, RetryClass, Roll, Step, Target,
        Undo, Verify,
    },
};

use super::RunState;

/// A place's part of the plan.
#[derive(Clone, Copy, Debug)]
pub struct Body<'plan> {
    /// For people.
    pub title: &'plan str,
    /// What is done.
    pub act: Act<'plan>,
    /// What it was compiled from.
    pub reads: &'plan [Read],
    /// Holds before: skipped.
    pub done_when: Option<&'plan Condition>,
    /// What must hold after.
    pub verify: &'plan [Verify],
    /// How long the effect may take.
    pub timeout: Seconds,
    /// What is retried.
    pub retry: RetryClass,
    /// What is kept first.
    pub captures: &'plan [Capture],
    /// What must pass first.
    pub gates: &'plan [Label],
}

/// What is done at a place.
#[derive(Clone, Copy, Debug)]
pub enum Act<'plan> {
    /// One effect.
    Effect(&'plan Effect),
    /// A recipe over nodes.
    Roll(&'plan Roll),
}

impl<'plan> Act<'plan> {
    fn of(action: &'plan Action) -> Self {
        match action {
            Action::Effect(effect) => Self::Effect(effect),
            Action::Roll(roll) => Self::Roll(roll),
        }
    }

    /// The roll, if it is one.
    pub fn roll(self) -> Option<&'plan Roll> {
        match self {
            Self::Roll(roll) => Some(roll),
            Self::Effect(_) => None,
        }
    }
}

/// What the plan says about a place; `None` when it is no place of the plan.
pub(super) fn body<'plan>(plan: &'plan Plan, state: &RunState, at: &At) -> Option<Body<'plan>> {
    let step = plan.step(&at.step)?;
    let Some(item) = &at.item else {
        return match at.way {
            Way::Forward => Some(forward(step)),
            Way::Back => undo(&step.undo),
            Way::Close => {
                let left = plan.leftovers.iter().find(|left| left.step == at.step)?;
                Some(removal(&left.removal))
            }
        };
    };
    if item.let_go {
        let recipe = roll_of(plan, &at.step, Way::Back)?.recipe.iter().find(|r| r.name == item.recipe)?;
        return undo(&recipe.undo);
    }
    // Going back, a node is either one that the undo's own roll moves, or one that the roll forward touched and left.
    let moved_back =
        || state.roll(&At::back(&at.step)).is_some_and(|roll| roll.moved.contains_key(&item.key));
    if at.way == Way::Back && !moved_back() {
        let recipe = roll_of(plan, &at.step, Way::Forward)?.recipe.iter().find(|r| r.name == item.recipe)?;
        return undo(&recipe.undo);
    }
    let recipe = roll_of(plan, &at.step, at.way)?.recipe.iter().find(|r| r.name == item.recipe)?;
    Some(Body {
        title: &recipe.title,
        act: Act::Effect(&recipe.effect),
        reads: &[],
        done_when: recipe.done_when.as_ref(),
        verify: &recipe.verify,
        timeout: recipe.timeout,
        retry: recipe.retry,
        captures: &recipe.captures,
        gates: &[],
    })
}

/// The roll of a step, or of its undo.
pub(super) fn roll_of<'plan>(plan: &'plan Plan, step: &StepId, way: Way) -> Option<&'plan Roll> {
    let step = plan.step(step)?;
    match (way, &step.undo) {
        (Way::Forward, _) => Act::of(&step.action).roll(),
        (Way::Back, Undo::Step(undo)) => Act::of(&undo.action).roll(),
        (Way::Back, Undo::ReadOnly { .. } | Undo::CoveredBy { .. } | Undo::Commit { .. })
        | (Way::Close, _) => None,
    }
}

/// Whether a recipe step ends its node: what comes after it cannot be taken back by uncordoning.
pub(super) fn ends_node(recipe: &RecipeStep) -> bool {
    match &recipe.effect {
        Effect::KubeDelete(delete) => matches!(delete.object, Target::ItemNode {} | Target::ItemNodeClaim {}),
        Effect::NodeTerminate(terminate) => matches!(terminate.node, Target::ItemNode {}),
        _ => false,
    }
}

fn forward(step: &Step) -> Body<'_> {
    Body {
        title: &step.title,
        act: Act::of(&step.action),
        reads: &step.reads,
        done_when: step.done_when.as_ref(),
        verify: &step.verify,
        timeout: step.timeout,
        retry: step.retry,
        captures: &step.captures,
        gates: &step.gates,
    }
}

fn undo(undo: &Undo) -> Option<Body<'_>> {
    let Undo::Step(step) = undo else { return None };
    Some(Body {
        title: &step.title,
        act: Act::of(&step.action),
        reads: &step.reads,
        done_when: step.done_when.as_ref(),
        verify: &step.verify,
        timeout: step.timeout,
        retry: step.retry,
        captures: &step.captures,
        gates: &[],
    })
}

fn removal(removal: &Removal) -> Body<'_> {
    Body {
        title: &removal.title,
        act: Act::Effect(&removal.effect),
        reads: &[],
        done_when: Some(&removal.done_when),
        verify: &[],
        timeout: removal.timeout,
        retry: RetryClass::Idempotent,
        captures: &[],
        gates: &[],
    }
}
