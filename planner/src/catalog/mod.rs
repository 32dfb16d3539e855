//! The catalog: facts about versions, with the source of each. Data, embedded: one file for each component, in the component's
//! folder or, where there is no lowering yet, in `data/`. README.md says what a file holds and how to add one.

mod check;
mod facts;

use std::{any::Any, collections::BTreeMap, sync::Arc};

use switchback_schemas::{Diagnostic, Digest, Label, codes};

pub use check::{Finding, check};
pub use facts::{
    Bad, Compatibility, ComponentFacts, Disruption, Down, Duration, Grade, Hops, Migration, NotDirectly,
    Note, Observed, OneAtATime, Release, Row, Skew, Source, Strength, Support, Way,
};

use crate::source::{self, Node};

/// The files of `data/`, by component.
const FILES: &[(&str, &str)] = &[
    ("coredns", include_str!("data/coredns.yaml")),
    ("kube-proxy", include_str!("data/kube-proxy.yaml")),
    ("node-images", include_str!("data/node-images.yaml")),
    ("openpai", include_str!("data/openpai.yaml")),
    ("terraform-aws-eks", include_str!("data/terraform-aws-eks.yaml")),
    ("terraform-provider-aws", include_str!("data/terraform-provider-aws.yaml")),
    ("vpc-cni", include_str!("data/vpc-cni.yaml")),
];

/// The texts of a component's catalog files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts {
    /// What the joint path is solved from; without it the path does not know the component.
    pub versions: Option<&'static str>,
    /// What its lowering needs to know beside that.
    pub lowering: &'static [&'static str],
}

/// What one component adds to the catalog.
pub struct Contribution {
    /// The component.
    pub component: &'static str,
    /// The kind of the documents that move it.
    pub kind: &'static str,
    /// Its files.
    pub texts: Texts,
    /// What its lowering needs to know, in a type of its own.
    pub facts: Box<dyn Any + Send + Sync>,
}

/// Facts of every component that has some.
pub struct Catalog {
    /// Digest of the files that plans are compiled from.
    pub digest: Digest,
    /// What the path is solved from, by component.
    pub components: BTreeMap<String, ComponentFacts>,
    /// Kinds of the documents that move components.
    kinds: BTreeMap<&'static str, &'static str>,
    /// What lowerings need to know, by component.
    own: BTreeMap<&'static str, Box<dyn Any + Send + Sync>>,
    files: BTreeMap<String, (String, Arc<Node>)>,
}

impl Catalog {
    /// The catalog of components that can be moved and of those that only the path knows. An error is a bug of this build.
    pub fn new(contributions: Vec<Contribution>) -> Result<Self, Diagnostic> {
        let versions = contributions.iter().filter_map(|from| Some((from.component, from.texts.versions?)));
        let files: BTreeMap<&str, &str> = FILES.iter().copied().chain(versions).collect();
        let files: Vec<(&str, &str)> = files.into_iter().collect();
        let lowering = contributions.iter().flat_map(|from| from.texts.lowering).copied();
        let texts = lowering.chain(files.iter().map(|(_, text)| *text));
        let mut catalog = Self { digest: Digest::of(texts.collect::<String>()), ..Self::of(&files)? };
        catalog.kinds = contributions.iter().map(|from| (from.component, from.kind)).collect();
        catalog.own = contributions.into_iter().map(|from| (from.component, from.facts)).collect();
        Ok(catalog)
    }

    /// A catalog of files, by component, from which a path can be solved and nothing lowered.
    pub fn of(files: &[(&str, &str)]) -> Result<Self, Diagnostic> {
        let texts = files.iter().map(|(_, text)| *text);
        let mut catalog = Self {
            digest: Digest::of(texts.collect::<String>()),
            components: BTreeMap::new(),
            kinds: BTreeMap::new(),
            own: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for (name, text) in files {
            let (facts, root) = read_spanned::<ComponentFacts>(&file_name(name), text)?;
            if facts.component != *name {
                let message = format!("the catalog file of {name} says that it is of {}", facts.component);
                return Err(Diagnostic::error(codes::BUG, message));
            }
            catalog.components.insert((*name).to_owned(), facts);
            catalog.files.insert((*name).to_owned(), ((*text).to_owned(), root));
        }
        Ok(catalog)
    }

    /// The component that a chart is, or belongs to.
    pub fn of_chart(&self, chart: &str) -> Option<&ComponentFacts> {
        self.components
            .values()
            .find(|facts| facts.is_chart(chart) || facts.companions.iter().any(|one| one == chart))
    }

    /// The kind of the documents that move a component; none for one that only the path knows.
    pub fn kind_of(&self, component: &str) -> Option<&'static str> {
        self.kinds.get(component).copied()
    }

    /// What the lowering of a component needs to know.
    pub fn lowering<F: Any>(&self, component: &str) -> Option<&F> {
        self.own.get(component)?.downcast_ref()
    }

    /// A label at a JSON pointer of a component's file.
    pub fn label(&self, component: &str, pointer: &str, text: &str) -> Option<Label> {
        let (_, root) = self.files.get(component)?;
        Some(Label::new(&file_name(component), root.find(pointer).range(), text))
    }

    /// The files by the names that labels give them, for showing what a label points at.
    pub fn sources(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.files.iter().map(|(name, (text, _))| (file_name(name), text.as_bytes().to_vec()))
    }
}

fn file_name(component: &str) -> String {
    format!("catalog/{component}.yaml")
}

/// Reads a catalog file, named as a message would name it. An error is a bug of this build.
pub fn read<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Diagnostic> {
    read_spanned(name, text).map(|(facts, _)| facts)
}

fn read_spanned<T: serde::de::DeserializeOwned>(
    name: &str,
    text: &str,
) -> Result<(T, Arc<Node>), Diagnostic> {
    let bug = |what: String| {
        Diagnostic::error(codes::BUG, format!("the catalog file {name} cannot be read: {what}"))
    };
    let (file, faults) = source::read(name, text.as_bytes());
    if let Some(fault) = faults.into_iter().find(Diagnostic::is_error) {
        return Err(bug(fault.message));
    }
    let document = file.documents.first().ok_or_else(|| bug("it is empty".to_owned()))?;
    let value = serde_json::from_value(document.to_value()).map_err(|error| bug(error.to_string()))?;
    Ok((value, Arc::clone(document)))
}
