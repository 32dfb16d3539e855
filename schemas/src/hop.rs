//! The id of a hop: what moves, and to which version.

use std::{fmt, str::FromStr};

use crate::{
    ComponentName, StepId, Version,
    name::{BadName, Label, serde_as_text},
};

/// A hop by what moves and the version that it moves to: `eks/prod@1.34`. It always has the version, wherever it stands: in plan,
/// journal, annotations, approvals and what a run carries over. The hop of a plan that rolls another hop back is the one to the
/// version before, `eks/prod@1.33/rollback`, so that an operation can hold both.
///
/// The ids of a hop's steps begin with it: `eks/prod@1.34/control-plane`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HopId {
    component: ComponentName,
    instance: Label,
    to: Version,
    rollback: bool,
}

const ROLLBACK: &str = "rollback";

impl HopId {
    /// The hop of a component's instance to a version.
    pub fn new(component: ComponentName, instance: Label, to: &Version) -> Self {
        Self { component, instance, to: to.normal(), rollback: false }
    }

    /// The hop that rolls this one back, to the version that it came from; to its own where it moved only what had stayed behind.
    #[must_use]
    pub fn rolled_back_to(&self, from: Option<&Version>) -> Self {
        Self { to: from.map_or_else(|| self.to.clone(), Version::normal), rollback: true, ..self.clone() }
    }

    /// The component.
    pub fn component(&self) -> &ComponentName {
        &self.component
    }

    /// Which one of its kind: the name of the manifest that asks for it.
    pub fn instance(&self) -> &Label {
        &self.instance
    }

    /// The version after it, without a leading `v`.
    pub fn to(&self) -> &Version {
        &self.to
    }

    /// Whether it rolls another hop back.
    pub fn is_rollback(&self) -> bool {
        self.rollback
    }

    /// Whether both move the same thing.
    pub fn moves_same(&self, other: &Self) -> bool {
        (&self.component, &self.instance) == (&other.component, &other.instance)
    }

    /// The id of one of its steps. A part never has a version.
    pub fn step(&self, part: &str) -> StepId {
        StepId::sanitized(&format!("{self}/{part}"))
    }

    /// What a step's id has beyond the hop's; `None` if it is no step of it.
    pub fn part<'id>(&self, step: &'id StepId) -> Option<&'id str> {
        let rest = step.as_str().strip_prefix(self.component.as_str())?.strip_prefix('/')?;
        let rest = rest.strip_prefix(self.instance.as_str())?.strip_prefix('@')?;
        let rest = rest.strip_prefix(self.to.as_str())?.strip_prefix('/')?;
        match rest.strip_prefix(ROLLBACK).and_then(|rest| rest.strip_prefix('/')) {
            Some(part) => self.rollback.then_some(part),
            None => (!self.rollback).then_some(rest),
        }
    }

    /// The hop of a step, and the step's part; `None` if its id begins with no hop.
    pub fn of_step(step: &StepId) -> Option<(Self, &str)> {
        let text = step.as_str();
        let end = |number| text.match_indices('/').nth(number).map(|(at, _)| at);
        let hop = |end| Some((text.get(..end)?.parse().ok()?, text.get(end + 1..)?));
        // The longer one first: the hop of a rollback begins like that of the way forward.
        end(2).and_then(hop).or_else(|| end(1).and_then(hop))
    }
}

impl FromStr for HopId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let parse = || {
            let (component, rest) = text.split_once('/')?;
            let (instance, to) = rest.split_once('@')?;
            let (to, rollback) = match to.split_once('/') {
                Some((to, ROLLBACK)) => (to, true),
                Some(_) => return None,
                None => (to, false),
            };
            let version: Version = to.parse().ok()?;
            let normal = version.normal();
            (normal.as_str() == to).then_some(())?;
            Some(Self {
                component: component.parse().ok()?,
                instance: instance.parse().ok()?,
                to: normal,
                rollback,
            })
        };
        parse().ok_or_else(|| BadName::new("a hop: COMPONENT/INSTANCE@VERSION", text))
    }
}

impl fmt::Display for HopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.component, self.instance, self.to)?;
        if self.rollback { write!(f, "/{ROLLBACK}") } else { Ok(()) }
    }
}

impl fmt::Debug for HopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

serde_as_text!(
    HopId,
    "a hop: COMPONENT/INSTANCE@VERSION",
    r"^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*@[0-9][a-z0-9.-]*(/rollback)?$"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(text: &str) -> HopId {
        text.parse().expect("a hop")
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for text in
            ["eks/prod@1.34", "deployment/web@2", "karpenter/a.b-c@1.8.8-rc.1", "eks/prod@1.33/rollback"]
        {
            assert_eq!(hop(text).to_string(), text);
        }
        for text in
            ["", "eks", "eks/prod", "eks/prod@", "eks/prod@v1.34", "eks/prod@1.34/x", "eks/a/b@1", "e@1/x"]
        {
            assert!(text.parse::<HopId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_version_is_written_in_one_way() {
        let of = |to: &str| {
            let name = Label::new("prod").expect("a name");
            HopId::new(ComponentName::new("eks").expect("a name"), name, &to.parse().expect("a version"))
        };
        assert_eq!(of("v1.34.2+eks-RC").to_string(), "eks/prod@1.34.2");
        assert_eq!(of("1.34.0-RC1").to_string(), "eks/prod@1.34.0-rc1");
        assert_eq!(of("1.34"), of("v1.34.0"));
    }

    #[test]
    fn steps_are_known_by_their_hop() {
        let forward = hop("eks/prod@1.34");
        let back = forward.rolled_back_to(Some(&"1.33".parse().expect("a version")));
        assert_eq!(back.to_string(), "eks/prod@1.33/rollback");
        assert!(back.moves_same(&forward) && back.is_rollback());
        let (one, other) = (forward.step("nodes/a/roll"), back.step("nodes/a/roll"));
        assert_eq!((one.as_str(), forward.part(&one)), ("eks/prod@1.34/nodes/a/roll", Some("nodes/a/roll")));
        assert_eq!((forward.part(&other), back.part(&other)), (None, Some("nodes/a/roll")));
        assert_eq!(hop("eks/prod@1.33").part(&other), None);
        assert_eq!(hop("eks/prod@1.3").part(&one), None);
        assert_eq!(HopId::of_step(&StepId::sanitized("a")), None);
        assert_eq!(HopId::of_step(&StepId::sanitized("eks/prod@1.34")), None);
    }
}
