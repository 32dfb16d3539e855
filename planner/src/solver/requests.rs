//! Which manifests ask for which component of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{Diagnostic, Version, codes, manifest::VersionTarget};

use crate::manifest::{DocRef, Manifests};

/// What one document asks of the joint path, as its component says it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The component, by its name in the catalog.
    pub component: String,
    /// Where it is, if the document says so or names what the inventory shows.
    pub from: Option<Version>,
    /// Where it has to be.
    pub to: VersionTarget,
    /// The field that says what is moved, and so where it is.
    pub whence: &'static str,
    /// Whether the document could say where it is.
    pub may_say_from: bool,
    /// Whether facts are about one such thing by itself: a second one is no contradiction, and the first stands for all.
    pub stands_for_all: bool,
    /// Components of the catalog that move inside of its hops; its lowering holds them to it.
    pub carries: &'static [&'static str],
    /// Why it is not placed on the path, where the version that it moves to cannot be told: it moves, and no rule is checked.
    pub untold: Option<&'static str>,
}

impl Request {
    /// For a component that has to be at a version.
    pub fn exact(component: &str, from: Option<Version>, to: Version, whence: &'static str) -> Self {
        Self {
            component: component.to_owned(),
            from,
            to: VersionTarget::Exact(to),
            whence,
            may_say_from: false,
            stands_for_all: false,
            carries: &[],
            untold: None,
        }
    }
}

/// A request with the document that makes it.
#[derive(Clone, Debug)]
pub struct DocumentRequest {
    /// The manifest.
    pub doc: DocRef,
    /// Its name.
    pub name: String,
    /// What it asks.
    pub request: Request,
}

/// All that the manifests of components ask of the joint path.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Requests, in the order of components and then of names.
    pub asked: Vec<DocumentRequest>,
    /// How many documents move something of which the catalog does not know what it is.
    pub untold: usize,
    /// What such documents can move, in the plural.
    pub untold_kinds: Vec<&'static str>,
}

impl Requests {
    /// Adds those for components that only the catalog knows.
    pub(super) fn with_catalog(mut self, manifests: &Manifests) -> Self {
        self.asked.extend(manifests.components.iter().map(|doc| DocumentRequest {
            doc: doc.doc,
            name: doc.metadata.name.to_string(),
            request: Request {
                component: doc.spec.component.to_string(),
                from: doc.spec.from.clone(),
                to: doc.spec.to.clone(),
                whence: "/spec/component",
                may_say_from: true,
                stands_for_all: false,
                carries: &[],
                untold: None,
            },
        }));
        self
    }

    /// One for each component; a second one for the same is said and left out.
    pub(super) fn distinct(
        &self,
        manifests: &Manifests,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<&DocumentRequest> {
        let mut first: BTreeMap<&str, &DocumentRequest> = BTreeMap::new();
        let mut distinct = Vec::new();
        for asked in self.asked.iter().filter(|asked| asked.request.untold.is_none()) {
            let Some(other) = first.get(asked.request.component.as_str()) else {
                first.insert(&asked.request.component, asked);
                distinct.push(asked);
                continue;
            };
            if asked.request.stands_for_all && other.request.stands_for_all {
                continue;
            }
            let label = |doc, text: &str| manifests.label(doc, "/metadata/name", text);
            found.push(
                Diagnostic::error(
                    codes::MANIFEST_CONFLICT,
                    format!("{} is requested twice", asked.request.component),
                )
                .at(label(asked.doc, "requested here"))
                .at(label(other.doc, "and here"))
                .help("keep one of them"),
            );
        }
        distinct
    }

    /// Components that move to where nobody can tell, each with who moves it and why that is.
    pub(super) fn unplaced(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        let of = |asked: &'_ DocumentRequest| asked.request.untold;
        self.asked.iter().filter_map(move |asked| {
            Some((asked.request.component.as_str(), asked.name.as_str(), of(asked)?))
        })
    }

    /// Components that move inside of the hops of others.
    pub(super) fn carried(&self) -> BTreeSet<&'static str> {
        self.asked.iter().flat_map(|asked| asked.request.carries).copied().collect()
    }
}
