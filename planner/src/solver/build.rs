//! From what is asked and the catalog to a problem: versions become values, facts become boxes over them.

use jiff::civil::Date;
use switchback_schemas::{Version, codes, codes::Code, manifest::PathClass};

use super::{
    input::{Ask, Asked},
    problem::{Component, HopFact, Mask, Means, Problem, StateFact, Weight},
};
use crate::catalog::{Catalog, Compatibility, ComponentFacts, Release, Skew, Source, Strength};

/// A fact that the path stands on, as it is told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The component whose file says it.
    pub component: String,
    /// What it says: `Karpenter 1.0 requires EKS >=1.25 <1.32`.
    pub text: String,
    /// How strong it is; none where nothing is known.
    pub strength: Option<Strength>,
    /// Where it was read; none for what nobody says.
    pub source: Option<Source>,
    /// Where it stands in the component's file.
    pub pointer: String,
    /// The other component, if there is one.
    pub with: Option<String>,
    /// How a waiver names it: the code of the finding, and what it is about. None where nobody can accept that it is crossed.
    pub waivable: Option<(Code, String)>,
    /// Whether somebody does.
    pub waived: bool,
}

/// A problem with what its values and facts are.
#[derive(Clone, Debug)]
pub(super) struct Built {
    /// The problem.
    pub problem: Problem,
    /// Versions of each component, rising.
    pub versions: Vec<Vec<Version>>,
    /// Facts by their number.
    pub facts: Vec<Told>,
}

/// Builds the problem. Components of the ask without facts are left where they are.
pub(super) fn build(catalog: &Catalog, ask: &Ask) -> Built {
    let versions: Vec<Vec<Version>> =
        ask.components.iter().map(|asked| versions(catalog, asked, ask.as_of)).collect();
    let component = |(asked, versions): (&Asked, &Vec<Version>)| {
        let at = |wanted: &Version| versions.iter().position(|version| version == wanted).unwrap_or_default();
        Component { values: versions.len(), start: at(&asked.from), goal: at(&asked.to) }
    };
    let components = ask.components.iter().zip(&versions).map(component).collect();
    let problem = Problem { components, ..Problem::default() };
    let mut builder = Builder { catalog, ask, versions: &versions, problem, facts: Vec::new(), groups: 0 };
    for (number, asked) in ask.components.iter().enumerate() {
        if let Some(facts) = catalog.components.get(&asked.component) {
            builder.hops(number, facts);
            builder.compatibility(number, facts);
            for (row, skew) in facts.skew.iter().enumerate() {
                builder.skew(number, facts, row, skew);
            }
        }
    }
    let Builder { problem, facts, .. } = builder;
    Built { problem, versions, facts }
}

/// Known versions from where a component is to where it has to be, both ends included. Of a line on the way only what is out
/// on the day, or else what comes out first.
fn versions(catalog: &Catalog, asked: &Asked, as_of: Date) -> Vec<Version> {
    let known: Vec<&Release> = catalog
        .components
        .get(&asked.component)
        .into_iter()
        .flat_map(|facts| &facts.versions)
        .filter(|release| asked.from < release.version && release.version < asked.to)
        .collect();
    let out = |release: &Release| release.released.is_none_or(|day| day <= as_of);
    let line = |release: &Release| release.version.minor_line();
    let of_use = known.iter().filter(|release| {
        let mut others = known.iter().filter(|other| line(other) == line(release));
        out(release)
            || (!others.clone().any(|other| out(other))
                && others.all(|other| other.version >= release.version))
    });
    let between = of_use.map(|release| &release.version);
    let mut versions: Vec<Version> = between.chain([&asked.from, &asked.to]).cloned().collect();
    versions.sort();
    versions.dedup();
    versions
}

struct Builder<'a> {
    catalog: &'a Catalog,
    ask: &'a Ask,
    versions: &'a [Vec<Version>],
    problem: Problem,
    facts: Vec<Told>,
    groups: usize,
}

impl<'a> Builder<'a> {
    fn number(&self, component: &str) -> Option<usize> {
        self.ask.components.iter().position(|asked| asked.component == component)
    }

    fn title(&self, component: &str) -> &'a str {
        self.catalog.components.get(component).map_or("", |facts| facts.title.as_str())
    }

    fn mask(&self, component: usize, mut test: impl FnMut(&Version) -> bool) -> Mask {
        let versions = self.versions.get(component).map_or(&[][..], Vec::as_slice);
        Mask::of(versions.len(), |value| versions.get(value).is_some_and(&mut test))
    }

    fn tell(&mut self, told: Told) -> usize {
        self.facts.push(told);
        self.facts.len() - 1
    }

    fn told(facts: &ComponentFacts, pointer: String, source: &str, text: String) -> Told {
        Told {
            component: facts.component.clone(),
            text,
            strength: Some(Strength::Requires),
            source: facts.sources.get(source).cloned(),
            pointer,
            with: None,
            waivable: None,
            waived: false,
        }
    }

    /// A fact that a waiver may cross, and whether one does.
    fn waivable(&self, mut told: Told, code: Code, about: &str) -> Told {
        told.waivable = Some((code, about.to_owned()));
        if let Some(waiver) = self.ask.waiver(code, about) {
            told.waived = true;
            told.text = format!("{}; accepted by {}", told.text, waiver.because);
        }
        told
    }

    /// How a fact weighs: a waiver softens it, a policy hardens it.
    fn weight(&self, told: &Told) -> Weight {
        let refused = |class| self.ask.refuse.contains(&class) && !told.waived;
        let hard = match told.strength {
            Some(Strength::Breaks) => true,
            Some(Strength::Requires) => !told.waived,
            Some(Strength::Tested) => refused(PathClass::Tested),
            Some(Strength::Documented) => refused(PathClass::Documented),
            None => refused(PathClass::NoFact),
        };
        match (hard, told.strength) {
            (true, _) => Weight::Hard,
            (false, Some(_)) => Weight::Tested,
            (false, None) => Weight::Unknown,
        }
    }

    /// What speaks about hops of one component.
    fn hops(&mut self, number: usize, facts: &ComponentFacts) {
        let title = &facts.title;
        if let Some(rule) = &facts.hops.one_at_a_time {
            let text = format!("{title}: {}", rule.why);
            let fact = self.tell(Self::told(facts, "/hops/oneAtATime".to_owned(), &rule.source, text));
            let line = |version: &Version| match rule.lines.as_slice() {
                [] => Some((version.major(), version.minor())),
                lines => lines.iter().position(|line| version.is_of(line)).map(|line| (0, line as u64)),
            };
            for from in self.versions.get(number).into_iter().flatten() {
                let next = |to: &Version| match (line(from), line(to)) {
                    (Some((major, minor)), Some((to_major, to_minor))) => {
                        major == to_major && to_minor <= minor + 1
                    }
                    _ => false,
                };
                let to = self.mask(number, |to| !next(to));
                let from = self.mask(number, |version| version == from);
                self.forbid(number, from, to, fact);
            }
        }
        for (row, rule) in facts.hops.not_directly.iter().enumerate() {
            let text = format!("{title} {} to {} not directly: {}", rule.from, rule.to, rule.why);
            let fact = self.tell(Self::told(facts, format!("/hops/notDirectly/{row}"), &rule.source, text));
            let from = self.mask(number, |version| rule.from.contains(version));
            let to = self.mask(number, |version| rule.to.contains(version));
            self.forbid(number, from, to, fact);
        }
        for (row, bad) in facts.bad.iter().enumerate() {
            let text = format!("{title} {} is not to be moved to: {}", bad.versions, bad.why);
            let told = Self::told(facts, format!("/bad/{row}"), &bad.source, text);
            // Only the target itself can be accepted: what lies between is chosen here.
            let goal = self.ask.components.get(number).map(|asked| asked.to.clone());
            let goal = goal.filter(|goal| bad.versions.contains(goal));
            let told = match &goal {
                Some(goal) => {
                    let about = format!("{} {goal}", facts.component);
                    self.waivable(told, codes::PATH_BAD_VERSION, &about)
                }
                None => told,
            };
            let but = goal.filter(|_| told.waived);
            let fact = self.tell(told);
            let to =
                self.mask(number, |version| bad.versions.contains(version) && but.as_ref() != Some(version));
            self.forbid(number, self.mask(number, |_| true), to, fact);
        }
        for (row, support) in facts.support.iter().enumerate() {
            if support.until < self.ask.as_of {
                let text = format!("{title} {} cannot be moved to after {}", support.versions, support.until);
                let fact = self.tell(Self::told(facts, format!("/support/{row}"), &support.source, text));
                let to = self.mask(number, |version| support.versions.contains(version));
                self.forbid(number, self.mask(number, |_| true), to, fact);
            }
        }
        for (row, down) in facts.down.iter().enumerate() {
            if let Some(only) = &down.only {
                let text = format!("{title} {} rolls back to {only} only: {}", down.from, down.why);
                let fact = self.tell(Self::told(facts, format!("/down/{row}"), &down.source, text));
                let from = self.mask(number, |version| down.to.contains(version) && !only.contains(version));
                let to = self.mask(number, |version| down.from.contains(version));
                self.forbid(number, from, to, fact);
            }
        }
        for (row, disruption) in facts.disruption.iter().enumerate() {
            let text = format!("{title}: {}", disruption.why);
            let fact = self.tell(Self::told(facts, format!("/disruption/{row}"), &disruption.source, text));
            let below = |version: &Version| disruption.crossing.as_ref().is_none_or(|at| version < at);
            let above = |version: &Version| disruption.crossing.as_ref().is_none_or(|at| version >= at);
            let (from, to) = (self.mask(number, below), self.mask(number, above));
            let means = Means::Disturbs(disruption.grade as u16);
            self.problem.hops.push(HopFact { component: number, from, to, means, fact });
        }
    }

    fn forbid(&mut self, component: usize, from: Mask, to: Mask, fact: usize) {
        self.problem.hops.push(HopFact { component, from, to, means: Means::Forbidden, fact });
    }

    /// What speaks about this component together with others.
    fn compatibility(&mut self, number: usize, facts: &ComponentFacts) {
        let mut partners: Vec<&str> = Vec::new();
        for (place, matrix) in facts.compatibility.iter().enumerate() {
            let Some(other) = self.number(&matrix.with) else { continue };
            if matrix.strength != Strength::Breaks && !partners.contains(&matrix.with.as_str()) {
                partners.push(&matrix.with);
            }
            let group = self.group();
            for row in 0..matrix.rows.len() {
                self.row(number, other, facts, (place, matrix), row, group);
            }
        }
        // Where rows speak of some versions, silence about the others is a fact of its own. A list of failures is none.
        for partner in partners {
            let Some(other) = self.number(partner) else { continue };
            let rows = || facts.statements(partner);
            let silent = self.mask(number, |version| !rows().any(|row| row.when.contains(version)));
            if silent.is_empty() {
                continue;
            }
            let named = self.versions.get(number).into_iter().flatten().enumerate();
            let named: Vec<(usize, &Version)> = named.filter(|(value, _)| silent.has(*value)).collect();
            let named = match named.as_slice() {
                [(first, from), .., (last, to)] if last - first == named.len() - 1 => {
                    format!("{from} to {to}")
                }
                _ => named.iter().map(|(_, version)| version.to_string()).collect::<Vec<_>>().join(", "),
            };
            let with = self.title(partner);
            let text = format!("no source says with which {with} {} {named} works", facts.title);
            let told = Told {
                component: facts.component.clone(),
                text: text.clone(),
                strength: None,
                source: None,
                pointer: "/compatibility".to_owned(),
                with: Some(partner.to_owned()),
                waivable: None,
                waived: false,
            };
            let told = match self.ask.refuse.contains(&PathClass::NoFact) {
                true => self.waivable(told, codes::PATH_REQUIREMENT, &text),
                false => told,
            };
            let weight = self.weight(&told);
            let fact = self.tell(told);
            let all = self.mask(other, |_| true);
            let group = self.group();
            self.state(vec![(number, silent), (other, all)], weight, group, fact);
        }
    }

    fn row(
        &mut self,
        number: usize,
        other: usize,
        facts: &ComponentFacts,
        (place, matrix): (usize, &Compatibility),
        row_number: usize,
        group: usize,
    ) {
        let Some(row) = matrix.rows.get(row_number) else { return };
        let strength = matrix.strength;
        let verb = match strength {
            Strength::Breaks => "fails with",
            Strength::Requires => "requires",
            Strength::Tested => "is tested with",
            Strength::Documented => "is documented with",
        };
        let text = format!("{} {} {verb} {} {}", facts.title, row.when, self.title(&matrix.with), row.on);
        let when = self.mask(number, |version| row.when.contains(version));
        let on = self.mask(other, |version| row.on.contains(version) == (strength == Strength::Breaks));
        let mut parts = vec![(number, when), (other, on)];
        for (third, range) in &row.given {
            // Without the third component the row says nothing here.
            let Some(third) = self.number(third) else { return };
            parts.push((third, self.mask(third, |version| range.contains(version))));
        }
        let mut told =
            Self::told(facts, format!("/compatibility/{place}/rows/{row_number}"), &row.source, text);
        told.strength = Some(strength);
        told.with = Some(matrix.with.clone());
        let text = told.text.clone();
        if strength != Strength::Breaks {
            told = self.waivable(told, codes::PATH_REQUIREMENT, &text);
        }
        let weight = self.weight(&told);
        // Facts of one group weigh the same.
        let group = if told.waived { self.group() } else { group };
        let fact = self.tell(told);
        self.state(parts, weight, group, fact);
    }

    fn skew(&mut self, number: usize, facts: &ComponentFacts, row: usize, skew: &Skew) {
        let Some(other) = self.number(&skew.with) else { return };
        let mut told =
            Self::told(facts, format!("/skew/{row}"), &skew.source, format!("{}: {}", facts.title, skew.why));
        told.strength = Some(skew.strength);
        told.with = Some(skew.with.clone());
        let text = told.text.clone();
        if skew.strength != Strength::Breaks {
            told = self.waivable(told, codes::PATH_REQUIREMENT, &text);
        }
        let weight = self.weight(&told);
        let fact = self.tell(told);
        let group = self.group();
        for theirs in self.versions.get(other).into_iter().flatten() {
            let far = |ours: &Version| {
                ours.major() != theirs.major()
                    || ours.minor() > theirs.minor() + skew.ahead
                    || ours.minor() + skew.behind < theirs.minor()
            };
            let parts = vec![(number, self.mask(number, far)), (other, self.mask(other, |v| v == theirs))];
            self.state(parts, weight, group, fact);
        }
    }

    fn group(&mut self) -> usize {
        self.groups += 1;
        self.groups
    }

    /// Adds a fact. One that is broken from the start cannot be kept, so it may stay broken until one of its components moves,
    /// and is told; no other state may break it.
    fn state(&mut self, mut parts: Vec<(usize, Mask)>, weight: Weight, group: usize, fact: usize) {
        parts.sort_by_key(|(component, _)| *component);
        let start = |component: usize| self.problem.components.get(component).map_or(0, |c| c.start);
        let starts: Vec<(usize, usize)> =
            parts.iter().map(|(component, _)| (*component, start(*component))).collect();
        let already = parts.iter().zip(&starts).all(|((_, mask), (_, start))| mask.has(*start));
        if weight != Weight::Hard || !already {
            self.problem.states.push(StateFact { parts, weight, group, fact });
            return;
        }
        for (number, (component, start)) in starts.iter().enumerate() {
            let mut elsewhere = parts.clone();
            if let Some((_, mask)) = elsewhere.get_mut(number) {
                let values = self.versions.get(*component).map_or(0, Vec::len);
                *mask = Mask::of(values, |value| value != *start && mask.has(value));
            }
            self.problem.states.push(StateFact { parts: elsewhere, weight, group, fact });
        }
        let only = |(component, start): &(usize, usize)| {
            let values = self.versions.get(*component).map_or(0, Vec::len);
            (*component, Mask::of(values, |value| value == *start))
        };
        let parts = starts.iter().map(only).collect();
        let Some(mut told) = self.facts.get(fact).cloned() else { return };
        told.text = format!("broken already: {}", told.text);
        let fact = self.tell(told);
        let group = self.group();
        self.problem.states.push(StateFact { parts, weight: Weight::Tested, group, fact });
    }
}
