//! What the compiler has to say, and which of it somebody has accepted.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use switchback_schemas::{Diagnostic, Severity, codes::Code};

/// Names that a message holds before it counts the rest.
const LISTED: usize = 5;

/// Names for a message: the first of them, and how many more there are.
pub fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let rest = names.len().saturating_sub(LISTED);
    let shown = names.into_iter().take(LISTED).collect::<Vec<_>>().join(", ");
    if rest == 0 { shown } else { format!("{shown} and {rest} more") }
}

/// A finding that somebody accepts.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The finding's code.
    pub code: Code,
    /// What it is about.
    pub about: String,
    /// Who accepts it, and on which evidence; stands in the plan.
    pub because: String,
    /// When it stops counting.
    pub expires: Timestamp,
}

/// Collects diagnostics. An accepted finding becomes advice that names who accepted it.
#[derive(Debug)]
pub struct Findings {
    list: RefCell<Vec<Diagnostic>>,
    accepted: Vec<Accepted>,
    /// The first that accepts a code about a thing.
    by_finding: BTreeMap<(Code, String), usize>,
    used: RefCell<BTreeSet<usize>>,
    as_of: Timestamp,
}

impl Findings {
    /// An empty collection.
    pub fn new(accepted: Vec<Accepted>, as_of: Timestamp) -> Self {
        let mut by_finding = BTreeMap::new();
        for (number, accepted) in accepted.iter().enumerate() {
            by_finding.entry((accepted.code, accepted.about.clone())).or_insert(number);
        }
        Self { list: RefCell::default(), accepted, by_finding, used: RefCell::default(), as_of }
    }

    /// Says something that nobody can accept.
    pub fn say(&self, diagnostic: Diagnostic) {
        self.list.borrow_mut().push(diagnostic);
    }

    /// Says something about a named thing; a waiver for the same code and thing turns it into advice. Says whether it did.
    pub fn say_about(&self, about: &str, diagnostic: Diagnostic) -> bool {
        let found = self.by_finding.get(&(diagnostic.code, about.to_owned())).copied();
        let active =
            found.filter(|number| self.accepted.get(*number).is_some_and(|a| a.expires > self.as_of));
        let Some((number, accepted)) = active.and_then(|n| self.accepted.get(n).map(|a| (n, a))) else {
            let code = diagnostic.code;
            let offer = format!("a Waiver for finding {code} about {about:?} would accept it until a date");
            let help =
                diagnostic.help.as_ref().map_or_else(|| offer.clone(), |help| format!("{help}; {offer}"));
            self.say(diagnostic.help(help));
            return false;
        };
        self.used.borrow_mut().insert(number);
        let message =
            format!("{} (accepted until {}: {})", diagnostic.message, accepted.expires, accepted.because);
        self.say(Diagnostic { severity: Severity::Advice, message, ..diagnostic });
        true
    }

    /// Waivers that accepted nothing, by their position.
    pub fn unused(&self) -> Vec<usize> {
        let used = self.used.borrow();
        (0..self.accepted.len()).filter(|number| !used.contains(number)).collect()
    }

    /// Whether something forbids a plan.
    pub fn any_error(&self) -> bool {
        self.list.borrow().iter().any(Diagnostic::is_error)
    }

    /// Everything that was said, each thing once, in a stable order.
    pub fn into_list(self) -> Vec<Diagnostic> {
        let mut list = self.list.into_inner();
        let key = |d: &Diagnostic| (d.severity, d.labels.first().cloned(), d.code, d.message.clone());
        list.sort_by_cached_key(key);
        list.dedup();
        list
    }
}
