//! Which manifests ask for which component of the catalog.

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::Inventory,
    manifest::VersionTarget,
    name::{ObjectName, ObjectRef},
};

use crate::manifest::{DocRef, Manifests};

/// A request of one manifest.
pub(super) struct Request<'a> {
    /// The manifest.
    pub(super) doc: DocRef,
    /// Its name.
    pub(super) name: &'a str,
    /// The component.
    pub(super) component: &'a str,
    /// Where it is, if the manifest says so or names what the inventory shows.
    pub(super) from: Option<Version>,
    /// Where it has to be.
    pub(super) to: VersionTarget,
    /// The field that says what is moved, and so where it is.
    pub(super) whence: &'static str,
    /// Whether the manifest could say where it is.
    pub(super) may_say_from: bool,
}

/// One request for each component; a second one for the same is said and left out.
pub(super) fn all<'a>(
    manifests: &'a Manifests,
    inventory: Option<&Inventory>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Request<'a>> {
    let mut requests: Vec<Request<'a>> = Vec::new();
    for request in every(manifests, inventory) {
        let label = |doc, text: &str| manifests.label(doc, "/metadata/name", text);
        match requests.iter().find(|other| other.component == request.component) {
            None => requests.push(request),
            Some(other) => found.push(
                Diagnostic::error(
                    codes::MANIFEST_CONFLICT,
                    format!("{} is asked for twice", request.component),
                )
                .at(label(request.doc, "asked for here"))
                .at(label(other.doc, "and here"))
                .help("keep one of them"),
            ),
        }
    }
    requests
}

fn every<'a>(manifests: &'a Manifests, inventory: Option<&Inventory>) -> Vec<Request<'a>> {
    let karpenter = manifests.karpenter.iter().map(|doc| Request {
        doc: doc.doc,
        name: doc.metadata.name.as_str(),
        component: "karpenter",
        from: inventory.and_then(|inventory| of_release(inventory, &doc.spec.release)),
        to: VersionTarget::Exact(doc.spec.to.clone()),
        whence: "/spec/release",
        may_say_from: false,
    });
    let eks = manifests.eks.iter().map(|doc| Request {
        doc: doc.doc,
        name: doc.metadata.name.as_str(),
        component: "eks",
        from: None,
        to: VersionTarget::Exact(doc.spec.to.minor_line()),
        whence: "/spec/target",
        may_say_from: false,
    });
    // Facts about MLflow are about one server by itself, so a second server is no contradiction; the first stands for them.
    let mlflow = manifests.mlflow.iter().take(1).map(|doc| Request {
        doc: doc.doc,
        name: doc.metadata.name.as_str(),
        component: "mlflow",
        from: inventory.and_then(|inventory| of_image(inventory, &doc.spec.deployment, &doc.spec.container)),
        to: VersionTarget::Exact(doc.spec.to.clone()),
        whence: "/spec/deployment",
        may_say_from: false,
    });
    let components = manifests.components.iter().map(|doc| Request {
        doc: doc.doc,
        name: doc.metadata.name.as_str(),
        component: doc.spec.component.as_str(),
        from: doc.spec.from.clone(),
        to: doc.spec.to.clone(),
        whence: "/spec/component",
        may_say_from: true,
    });
    karpenter.chain(eks).chain(mlflow).chain(components).collect()
}

/// The chart version of a release.
fn of_release(inventory: &Inventory, release: &ObjectName) -> Option<Version> {
    let found = inventory.releases.iter().find(|found| found.name == *release)?;
    Some(found.chart_version.clone())
}

/// The version that the tag of a container's image names.
fn of_image(inventory: &Inventory, deployment: &ObjectName, container: &str) -> Option<Version> {
    let object = ObjectRef::new("apps/v1", "Deployment", deployment);
    let workload = inventory.workloads.iter().find(|workload| workload.object == object)?;
    let image = &workload.containers.iter().find(|found| found.name == container)?.image;
    let (_, tag) = image.split('@').next()?.rsplit_once(':')?;
    // A port is no tag: `registry:5000/mlflow`.
    (!tag.contains('/')).then(|| tag.parse().ok()).flatten()
}
