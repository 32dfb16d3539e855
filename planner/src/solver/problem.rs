//! What the search works on: components as lists of values, facts as boxes over them. It knows nothing of versions, so that
//! tests and benchmarks can make problems of their own.
//!
//! Values of a component rise; a hop goes from one value to any later one unless a hop fact forbids it.

/// A set of values of one component, by position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mask(Vec<bool>);

impl Mask {
    /// The values for which a test holds.
    pub fn of(values: usize, test: impl FnMut(usize) -> bool) -> Self {
        Self((0..values).map(test).collect())
    }

    /// Whether a value belongs to it.
    pub fn has(&self, value: usize) -> bool {
        self.0.get(value).copied().unwrap_or(false)
    }

    /// Whether no value belongs to it.
    pub fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// How many values it has.
    pub values: usize,
    /// Where it is.
    pub start: usize,
    /// Where it has to be; not before `start`.
    pub goal: usize,
}

/// How a fact weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// No state may break it.
    Hard,
    /// A hop that begins or ends in a state that breaks it is a hop outside of what was tested.
    Tested,
    /// A hop that begins or ends in such a state is a hop of which nothing is known.
    Unknown,
}

/// A combination of values that breaks a fact: every component of `parts` is in its mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFact {
    /// Components, rising and each once, with the values that break the fact together.
    pub parts: Vec<(usize, Mask)>,
    /// How it weighs.
    pub weight: Weight,
    /// Facts of one group count once for a hop; of one group all have the same components and weight.
    pub group: usize,
    /// What it is, for the caller.
    pub fact: usize,
}

/// Something about hops of one component that begin in `from` and end in `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopFact {
    /// The component.
    pub component: usize,
    /// Where such hops begin.
    pub from: Mask,
    /// Where they end.
    pub to: Mask,
    /// What it means for them.
    pub means: Means,
    /// What it is, for the caller.
    pub fact: usize,
}

/// What a fact means for a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Means {
    /// There is no such hop.
    Forbidden,
    /// It disturbs so much; of several the most counts.
    Disturbs(u16),
}

/// What is to be solved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// Components.
    pub components: Vec<Component>,
    /// Facts about states.
    pub states: Vec<StateFact>,
    /// Facts about hops.
    pub hops: Vec<HopFact>,
}

impl Problem {
    /// What a hop disturbs; `None` when there is no such hop.
    pub fn hop(&self, component: usize, from: usize, to: usize) -> Option<u16> {
        let facts = self
            .hops
            .iter()
            .filter(|fact| fact.component == component && fact.from.has(from) && fact.to.has(to));
        facts.map(|fact| fact.means).try_fold(0, |most, means| match means {
            Means::Forbidden => None,
            Means::Disturbs(much) => Some(most.max(much)),
        })
    }

    /// The same problem with hard facts and forbidden hops of some facts only, and without soft ones.
    #[must_use]
    pub fn only(&self, keep: &[usize]) -> Self {
        let states =
            self.states.iter().filter(|fact| fact.weight == Weight::Hard && keep.contains(&fact.fact));
        let hops =
            self.hops.iter().filter(|fact| fact.means == Means::Forbidden && keep.contains(&fact.fact));
        Self {
            components: self.components.clone(),
            states: states.cloned().collect(),
            hops: hops.cloned().collect(),
        }
    }

    /// The hard facts, rising.
    pub fn hard_facts(&self) -> Vec<usize> {
        let states = self.states.iter().filter(|fact| fact.weight == Weight::Hard).map(|fact| fact.fact);
        let hops = self.hops.iter().filter(|fact| fact.means == Means::Forbidden).map(|fact| fact.fact);
        let mut all: Vec<usize> = states.chain(hops).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What a path costs, in the order in which it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Hops outside of what was tested, once for each matrix.
    pub outside: u64,
    /// Hops of which nothing is known where something is known of others, once for each matrix.
    pub unknown: u64,
    /// Hops.
    pub hops: u64,
    /// What they disturb, added up.
    pub disruption: u64,
}

impl Cost {
    /// Bits of each part when packed: sums of packed costs compare as costs do while no part overflows.
    const BITS: u32 = 16;

    /// As one number; what does not fit is as much as fits.
    pub(super) fn pack(self) -> u64 {
        let part = |value: u64| value.min((1 << Self::BITS) - 1);
        [self.outside, self.unknown, self.hops, self.disruption]
            .into_iter()
            .fold(0, |packed, value| (packed << Self::BITS) | part(value))
    }

    pub(super) fn unpack(packed: u64) -> Self {
        let part = |number: u32| (packed >> (Self::BITS * number)) & ((1 << Self::BITS) - 1);
        Self { outside: part(3), unknown: part(2), hops: part(1), disruption: part(0) }
    }
}

/// One hop of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Move {
    /// The component.
    pub component: usize,
    /// The value before.
    pub from: usize,
    /// The value after.
    pub to: usize,
}
