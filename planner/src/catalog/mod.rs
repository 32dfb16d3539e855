//! The catalog: facts about versions, with the source of each. Data, embedded; one file per component. README.md says what
//! a file holds and how to add one.

mod check;
mod facts;

use std::{collections::BTreeMap, sync::Arc};

use switchback_schemas::{Diagnostic, Digest, Label, codes};

pub use check::{Finding, check};
pub use facts::{
    Bad, Compatibility, ComponentFacts, Disruption, Down, Duration, Grade, Hops, Migration, NotDirectly,
    Note, Observed, OneAtATime, Release, Row, Skew, Source, Strength, Support, Way,
};

use crate::{
    components::{
        eks::facts::{EksFacts, RemovedApis},
        karpenter::facts::KarpenterFacts,
        mlflow::facts::MlflowFacts,
    },
    source::{self, Node},
};

const KARPENTER: &str = include_str!("../components/karpenter/catalog.yaml");
const MLFLOW: &str = include_str!("../components/mlflow/catalog.yaml");
const EKS: &str = include_str!("../components/eks/catalog.yaml");
const REMOVED_APIS: &str = include_str!("../components/eks/removed-apis.yaml");

/// The files of `data/`, by component.
const FILES: &[(&str, &str)] = &[
    ("argo-workflows", include_str!("data/argo-workflows.yaml")),
    ("coredns", include_str!("data/coredns.yaml")),
    ("eks", include_str!("data/eks.yaml")),
    ("gpu-operator", include_str!("data/gpu-operator.yaml")),
    ("karpenter", include_str!("data/karpenter.yaml")),
    ("kserve", include_str!("data/kserve.yaml")),
    ("kube-proxy", include_str!("data/kube-proxy.yaml")),
    ("mlflow", include_str!("data/mlflow.yaml")),
    ("node-images", include_str!("data/node-images.yaml")),
    ("nvsentinel", include_str!("data/nvsentinel.yaml")),
    ("openpai", include_str!("data/openpai.yaml")),
    ("terraform-aws-eks", include_str!("data/terraform-aws-eks.yaml")),
    ("terraform-provider-aws", include_str!("data/terraform-provider-aws.yaml")),
    ("vpc-cni", include_str!("data/vpc-cni.yaml")),
];

/// Facts of every component that has some.
#[derive(Debug)]
pub struct Catalog {
    /// What the lowering of Karpenter needs to know.
    pub karpenter: KarpenterFacts,
    /// What the lowering of MLflow needs to know.
    pub mlflow: MlflowFacts,
    /// What the lowering of EKS needs to know.
    pub eks: EksFacts,
    /// API versions that a minor of Kubernetes no longer serves.
    pub removed_apis: RemovedApis,
    /// Digest of the files that plans are compiled from.
    pub digest: Digest,
    /// What the path is solved from, by component.
    pub components: BTreeMap<String, ComponentFacts>,
    files: BTreeMap<String, Arc<Node>>,
}

impl Catalog {
    /// The catalog of this build. An error is a bug of this build.
    pub fn embedded() -> Result<Self, Diagnostic> {
        Self::of(FILES)
    }

    /// A catalog of other files, by component; what the lowering needs is this build's.
    pub fn of(files: &[(&str, &str)]) -> Result<Self, Diagnostic> {
        let (karpenter, _) = read("karpenter/catalog.yaml", KARPENTER)?;
        let (mlflow, _) = read("mlflow/catalog.yaml", MLFLOW)?;
        let (eks, _) = read("eks/catalog.yaml", EKS)?;
        let (removed_apis, _) = read("eks/removed-apis.yaml", REMOVED_APIS)?;
        let mut catalog = Self {
            karpenter,
            mlflow,
            eks,
            removed_apis,
            digest: digest(files),
            components: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for (name, text) in files {
            let (facts, root) = read::<ComponentFacts>(&file_name(name), text)?;
            if facts.component != *name {
                let message = format!("the catalog file of {name} says that it is of {}", facts.component);
                return Err(Diagnostic::error(codes::BUG, message));
            }
            catalog.components.insert((*name).to_owned(), facts);
            catalog.files.insert((*name).to_owned(), root);
        }
        Ok(catalog)
    }

    /// A label at a JSON pointer of a component's file.
    pub fn label(&self, component: &str, pointer: &str, text: &str) -> Option<Label> {
        let range = self.files.get(component)?.find(pointer).range();
        Some(Label::new(&file_name(component), range, text))
    }

    /// The files by the names that labels give them, for showing what a label points at.
    pub fn sources() -> impl Iterator<Item = (String, Vec<u8>)> {
        FILES.iter().map(|(name, text)| (file_name(name), text.as_bytes().to_vec()))
    }
}

/// Over everything that plans are compiled from: what lowerings need, and what the path is solved from.
fn digest(files: &[(&str, &str)]) -> Digest {
    let own = [KARPENTER, MLFLOW, EKS, REMOVED_APIS];
    Digest::of(own.into_iter().chain(files.iter().map(|(_, text)| *text)).collect::<String>())
}

fn file_name(component: &str) -> String {
    format!("catalog/{component}.yaml")
}

fn read<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<(T, Arc<Node>), Diagnostic> {
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
