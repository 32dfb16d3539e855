//! States of a path that break a soft fact, and facts that somebody lets it cross.

use switchback_schemas::Version;

use super::{
    found::{Found, Reason},
    problem::{StateFact, Weight},
    result::{Crossed, Span},
};

impl Found<'_> {
    /// Every state of the sequence, the first and the last included.
    fn states(&self) -> Vec<Vec<usize>> {
        let mut state: Vec<usize> = self.reduced.problem.components.iter().map(|c| c.start).collect();
        let mut states = vec![state.clone()];
        for hop in self.moves {
            if let Some(value) = state.get_mut(hop.component) {
                *value = hop.to;
            }
            states.push(state.clone());
        }
        states
    }

    /// Facts that the sequence crosses, and that a waiver accepts.
    pub(super) fn crossed(&self) -> Vec<Crossed> {
        let states = self.states();
        let broken = |number: usize| {
            let of = self.reduced.problem.states.iter().filter(|fact| fact.fact == number);
            of.into_iter().any(|fact| states.iter().any(|state| breaks(fact, state)))
        };
        // What is said about versions, and not about states, is said about the target.
        let moves = |component: &str| {
            self.ask.components.iter().any(|asked| asked.component == component && asked.from != asked.to)
        };
        let facts = self.built.facts.iter().enumerate().filter(|(_, told)| told.waived);
        let facts =
            facts.filter(|(number, told)| broken(*number) || (told.with.is_none() && moves(&told.component)));
        let crossed = facts.filter_map(|(_, told)| {
            let (code, about) = told.waivable.clone()?;
            Some(Crossed { code, about, text: told.text.clone() })
        });
        crossed.collect()
    }

    /// Runs of states of the sequence that break soft facts of a weight.
    pub(super) fn spans(&self, weight: Weight) -> Vec<Span> {
        let states = self.states();
        let mut spans: Vec<(usize, Span)> = Vec::new();
        for fact in self.reduced.problem.states.iter().filter(|fact| fact.weight == weight) {
            let Some(told) = self.built.facts.get(fact.fact) else { continue };
            let mut begin = 0;
            while let Some(first) =
                states.iter().skip(begin).position(|state| breaks(fact, state)).map(|at| at + begin)
            {
                let length = states.iter().skip(first).take_while(|state| breaks(fact, state)).count();
                let end = first + length;
                let named = fact.parts.iter().filter_map(|(component, _)| {
                    let class = states.get(first)?.get(*component)?;
                    Some((*component, self.version(*component, *class)?))
                });
                let mut named: Vec<(usize, &Version)> = named.collect();
                // The component whose file says it stands first.
                named.sort_by_key(|(component, _)| self.name(*component) != told.component);
                let named = named
                    .iter()
                    .map(|(component, version)| format!("{} {}", self.title(*component), version.plain()));
                let concerned = self.moves.iter().enumerate().filter(|(number, hop)| {
                    // Hop N leads from state N to state N + 1.
                    *number + 1 >= first
                        && *number < end
                        && fact.parts.iter().any(|(component, _)| *component == hop.component)
                });
                let span = Span {
                    state: named.collect::<Vec<_>>().join(" with "),
                    fact: Reason::told(told),
                    enters: first.checked_sub(1).map(|hop| self.id(hop)),
                    leaves: (end < states.len()).then(|| self.id(end - 1)),
                    hops: concerned.count(),
                };
                spans.push((first, span));
                begin = end;
            }
        }
        spans.sort_by_key(|(first, _)| *first);
        spans.into_iter().map(|(_, span)| span).collect()
    }
}

fn breaks(fact: &StateFact, state: &[usize]) -> bool {
    fact.parts.iter().all(|(component, mask)| state.get(*component).is_some_and(|value| mask.has(*value)))
}
