//! Manifests: what a person wrote, checked as a whole.
//!
//! Four looks at the same tree, each with its own faults and none repeating another's: the text as YAML
//! ([`crate::source`]), the shape of each document against the schema of its kind, the typed read, and what the
//! documents mean together. All faults of all files come out at once.

mod envelope;
mod finding;
mod meaning;
mod nearest;
mod place;
mod schema;
mod shape;

use std::ops::Deref;

use serde::Serialize;
use switchback_schemas::{
    Diagnostic, Digest, Label, codes,
    manifest::{
        ComponentUpgrade, DeploymentUpgrade, Document, EksUpgrade, HelmReleaseUpgrade, KarpenterUpgrade,
        Kind, MlflowUpgrade, Platform, Upgrade, Verification, Waiver,
    },
    name::Label as Name,
};

use self::place::Place;
use crate::source;

/// A document among those that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocRef(usize);

/// A document that knows where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// Where it was written, for [`Manifests::label`].
    pub doc: DocRef,
    /// What it says.
    pub value: T,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Documents of one kind.
pub type Documents<S> = Vec<Spanned<Document<S>>>;

/// An upgrade of any kind, as it was written.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Where.
    pub doc: DocRef,
    /// The document's name.
    pub name: &'a Name,
    /// What it says.
    pub spec: &'a dyn Upgrade,
}

impl<'a> Asked<'a> {
    fn of<S: Upgrade>(document: &'a Spanned<Document<S>>) -> Self {
        Self { doc: document.doc, name: &document.metadata.name, spec: &document.spec }
    }
}

/// The upgrades of all kinds, wherever there is a field for each.
macro_rules! upgrades {
    ($all:expr) => {
        ($all.karpenter.iter().map(Asked::of))
            .chain($all.deployments.iter().map(Asked::of))
            .chain($all.helm_releases.iter().map(Asked::of))
            .chain($all.eks.iter().map(Asked::of))
            .chain($all.mlflow.iter().map(Asked::of))
    };
}

/// A set of manifests that is whole and without contradiction. Documents of one kind are sorted by name, so that
/// neither the names nor the order of files matter to what is made of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifests {
    /// The platform.
    pub platform: Spanned<Document<Platform>>,
    /// Upgrades of Karpenter.
    pub karpenter: Documents<KarpenterUpgrade>,
    /// Upgrades of Deployments.
    pub deployments: Documents<DeploymentUpgrade>,
    /// Upgrades of Helm releases.
    pub helm_releases: Documents<HelmReleaseUpgrade>,
    /// Upgrades of EKS clusters.
    pub eks: Documents<EksUpgrade>,
    /// Upgrades of MLflow tracking servers.
    pub mlflow: Documents<MlflowUpgrade>,
    /// Upgrades of components that only the catalog knows.
    pub components: Documents<ComponentUpgrade>,
    /// Verifications that upgrades name.
    pub verifications: Documents<Verification>,
    /// Findings that somebody accepts.
    pub waivers: Documents<Waiver>,
    /// Digest of what the documents say, whatever their files, order, comments and quoting.
    pub digest: Digest,
    places: Vec<Place>,
}

impl Manifests {
    /// A label at a JSON pointer of a document, such as `/spec/to`. A pointer that leads past what is written labels
    /// the last part of it that is; the empty pointer labels the first field.
    pub fn label(&self, doc: DocRef, pointer: &str, text: impl Into<String>) -> Label {
        self.places
            .get(doc.0)
            .map_or_else(|| Label::new("", 0..0, ""), |place| place.label(pointer, text.into()))
    }

    /// Every upgrade that a plan can be made from.
    pub fn upgrades(&self) -> impl Iterator<Item = Asked<'_>> {
        upgrades!(self)
    }

    /// The file that a document stands in.
    pub fn file(&self, doc: DocRef) -> &str {
        self.places.get(doc.0).map_or("", |place| &place.file)
    }
}

/// Reads manifests from files given by name and content. Without any error among the diagnostics there are manifests.
/// The order of the files changes nothing.
pub fn read<N, B>(files: impl IntoIterator<Item = (N, B)>) -> (Option<Manifests>, Vec<Diagnostic>)
where
    N: Into<String>,
    B: AsRef<[u8]>,
{
    let mut files: Vec<(String, B)> = files.into_iter().map(|(name, bytes)| (name.into(), bytes)).collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut set = Set::default();
    let mut diagnostics = Vec::new();
    for (name, bytes) in &files {
        let (source, faults) = source::read(name, bytes.as_ref());
        set.whole &= !source.lost;
        diagnostics.extend(faults);
        for root in source.documents {
            diagnostics.extend(set.add(Place { file: name.clone(), root }));
        }
    }
    set.sort();
    diagnostics.extend(meaning::check(&set));
    diagnostics.sort_by(|a, b| order(a).cmp(&order(b)));
    diagnostics.dedup();
    let mut diagnostics = source::first(diagnostics);
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    (if failed { None } else { set.finish(&mut diagnostics) }, diagnostics)
}

/// Diagnostics come in the order of the text, those of no place first.
fn order(diagnostic: &Diagnostic) -> (Option<(&str, usize)>, &str, &str) {
    let place = diagnostic.labels.first().map(|label| (label.file.as_str(), label.start));
    (place, diagnostic.code.as_str(), &diagnostic.message)
}

/// What was read, before it is known to be whole.
struct Set {
    /// Whether every document could be read far enough to know its kind and name.
    whole: bool,
    platforms: Documents<Platform>,
    karpenter: Documents<KarpenterUpgrade>,
    deployments: Documents<DeploymentUpgrade>,
    helm_releases: Documents<HelmReleaseUpgrade>,
    eks: Documents<EksUpgrade>,
    mlflow: Documents<MlflowUpgrade>,
    components: Documents<ComponentUpgrade>,
    verifications: Documents<Verification>,
    waivers: Documents<Waiver>,
    /// Kind and name of every document, also of those whose spec is wrong.
    names: Vec<(Kind, String, DocRef)>,
    places: Vec<Place>,
}

impl Default for Set {
    fn default() -> Self {
        Self {
            whole: true,
            platforms: Vec::new(),
            karpenter: Vec::new(),
            deployments: Vec::new(),
            helm_releases: Vec::new(),
            eks: Vec::new(),
            mlflow: Vec::new(),
            components: Vec::new(),
            verifications: Vec::new(),
            waivers: Vec::new(),
            names: Vec::new(),
            places: Vec::new(),
        }
    }
}

impl Set {
    fn upgrades(&self) -> impl Iterator<Item = Asked<'_>> {
        upgrades!(self)
    }

    fn place(&self, doc: DocRef) -> Option<&Place> {
        self.places.get(doc.0)
    }

    /// Takes one document and says what is wrong with it alone.
    fn add(&mut self, place: Place) -> Vec<Diagnostic> {
        let kind = match envelope::kind(&place) {
            Ok(kind) => kind,
            Err(diagnostics) => {
                self.whole = false;
                return diagnostics;
            }
        };
        let doc = DocRef(self.places.len());
        match place.name() {
            Some(name) => self.names.push((kind, name.to_owned(), doc)),
            None => self.whole = false,
        }
        let value = place.root.to_value();
        let mut diagnostics = shape::check(kind, &value, &place);
        if diagnostics.is_empty() && !place.root.damaged() {
            let typed = self.typed(kind, doc, value);
            diagnostics.extend(typed.err().map(|error| {
                let message =
                    format!("the schema of {} admits what its type does not: {error}", kind.as_str());
                Diagnostic::error(codes::BUG, message)
                    .at(place.label("/kind", "this document".to_owned()))
                    .help("please report this with the document")
            }));
        }
        self.places.push(place);
        diagnostics
    }

    fn typed(&mut self, kind: Kind, doc: DocRef, value: serde_json::Value) -> Result<(), serde_json::Error> {
        fn spanned<S: serde::de::DeserializeOwned>(
            doc: DocRef,
            value: serde_json::Value,
        ) -> Result<Spanned<Document<S>>, serde_json::Error> {
            Ok(Spanned { doc, value: serde_json::from_value(value)? })
        }
        match kind {
            Kind::Platform => self.platforms.push(spanned(doc, value)?),
            Kind::KarpenterUpgrade => self.karpenter.push(spanned(doc, value)?),
            Kind::DeploymentUpgrade => self.deployments.push(spanned(doc, value)?),
            Kind::HelmReleaseUpgrade => self.helm_releases.push(spanned(doc, value)?),
            Kind::EksUpgrade => self.eks.push(spanned(doc, value)?),
            Kind::MlflowUpgrade => self.mlflow.push(spanned(doc, value)?),
            Kind::ComponentUpgrade => self.components.push(spanned(doc, value)?),
            Kind::Verification => self.verifications.push(spanned(doc, value)?),
            Kind::Waiver => self.waivers.push(spanned(doc, value)?),
        }
        Ok(())
    }

    fn sort(&mut self) {
        fn by_name<S>(documents: &mut Documents<S>) {
            documents.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        }
        by_name(&mut self.platforms);
        by_name(&mut self.karpenter);
        by_name(&mut self.deployments);
        by_name(&mut self.helm_releases);
        by_name(&mut self.eks);
        by_name(&mut self.mlflow);
        by_name(&mut self.components);
        by_name(&mut self.verifications);
        by_name(&mut self.waivers);
    }

    fn finish(mut self, diagnostics: &mut Vec<Diagnostic>) -> Option<Manifests> {
        let platform = self.platforms.pop()?;
        let said = Said {
            platform: &platform.value,
            karpenter: values(&self.karpenter),
            deployments: values(&self.deployments),
            helm_releases: values(&self.helm_releases),
            eks: values(&self.eks),
            mlflow: values(&self.mlflow),
            components: values(&self.components),
            verifications: values(&self.verifications),
            waivers: values(&self.waivers),
        };
        let digest = match Digest::of_json(&said) {
            Ok(digest) => digest,
            Err(error) => {
                diagnostics
                    .push(Diagnostic::error(codes::BUG, format!("the manifests have no digest: {error}")));
                return None;
            }
        };
        Some(Manifests {
            platform,
            karpenter: self.karpenter,
            deployments: self.deployments,
            helm_releases: self.helm_releases,
            eks: self.eks,
            mlflow: self.mlflow,
            components: self.components,
            verifications: self.verifications,
            waivers: self.waivers,
            digest,
            places: self.places,
        })
    }
}

/// What the digest is taken over.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    platform: &'a Document<Platform>,
    karpenter: Vec<&'a Document<KarpenterUpgrade>>,
    deployments: Vec<&'a Document<DeploymentUpgrade>>,
    helm_releases: Vec<&'a Document<HelmReleaseUpgrade>>,
    // Left out when empty: digests of sets without them stay as they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    eks: Vec<&'a Document<EksUpgrade>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mlflow: Vec<&'a Document<MlflowUpgrade>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<&'a Document<ComponentUpgrade>>,
    verifications: Vec<&'a Document<Verification>>,
    waivers: Vec<&'a Document<Waiver>>,
}

fn values<S>(documents: &Documents<S>) -> Vec<&Document<S>> {
    documents.iter().map(|document| &document.value).collect()
}
