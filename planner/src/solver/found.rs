//! Everything that an answer is made of, and facts in words.

use serde::Serialize;
use switchback_schemas::Version;

use super::{
    build::{Built, Told},
    input::Ask,
    problem::Move,
    reduce::Reduced,
};
use crate::catalog::{Catalog, ComponentFacts, Source, Strength};

/// A fact in words, with where it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// What it says.
    pub text: String,
    /// How strong it is; absent where it is about one component only, or where nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
    /// Where it was read; absent for what nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Reason {
    pub(super) fn of(facts: &ComponentFacts, text: String, source: &str) -> Self {
        Self { text, strength: None, source: facts.sources.get(source).cloned() }
    }

    pub(super) fn told(told: &Told) -> Self {
        Self { text: told.text.clone(), strength: told.strength, source: told.source.clone() }
    }
}

/// Everything that an answer is made of.
pub(super) struct Found<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) ask: &'a Ask,
    pub(super) built: &'a Built,
    pub(super) reduced: &'a Reduced,
    pub(super) moves: &'a [Move],
}

impl Found<'_> {
    pub(super) fn version(&self, component: usize, class: usize) -> Option<&Version> {
        let value = self.reduced.stand_for.get(component)?.get(class)?;
        self.built.versions.get(component)?.get(*value)
    }

    pub(super) fn name(&self, component: usize) -> &str {
        self.ask.components.get(component).map_or("", |asked| asked.component.as_str())
    }

    pub(super) fn title(&self, component: usize) -> &str {
        self.facts(component).map_or("", |facts| facts.title.as_str())
    }

    pub(super) fn facts(&self, component: usize) -> Option<&ComponentFacts> {
        self.catalog.components.get(self.name(component))
    }

    pub(super) fn id(&self, hop: usize) -> String {
        let Some(hop) = self.moves.get(hop) else { return String::new() };
        let version = self.version(hop.component, hop.to).map_or("", Version::plain);
        format!("{}@{version}", self.name(hop.component))
    }
}
