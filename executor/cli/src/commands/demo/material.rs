//! What the tour is made of: the example platform, embedded, so that it runs anywhere.

use std::path::Path;

use crate::{documents, error::Error};

const WORLD: &str = include_str!("../../../../../fixtures/worlds/gpu-ml-platform.yaml");
const INCLUDED: [(&str, &str); 2] = [
    ("charts.yaml", include_str!("../../../../../fixtures/worlds/charts.yaml")),
    ("eks.yaml", include_str!("../../../../../fixtures/worlds/eks.yaml")),
];
const MLFLOW: &str = include_str!("../../../../../plans/gpu-ml-platform/manifests/mlflow.yaml");
/// The other manifests.
const MANIFESTS: [(&str, &str); 7] = [
    ("platform.yaml", include_str!("../../../../../plans/gpu-ml-platform/manifests/platform.yaml")),
    ("argo.yaml", include_str!("../../../../../plans/gpu-ml-platform/manifests/argo.yaml")),
    ("eks.yaml", include_str!("../../../../../plans/gpu-ml-platform/manifests/eks.yaml")),
    ("gpu-operator.yaml", include_str!("../../../../../plans/gpu-ml-platform/manifests/gpu-operator.yaml")),
    ("karpenter.yaml", include_str!("../../../../../plans/gpu-ml-platform/manifests/karpenter.yaml")),
    ("kserve.yaml", include_str!("../../../../../plans/gpu-ml-platform/manifests/kserve.yaml")),
    ("verifications.yaml", include_str!("../../../../../plans/gpu-ml-platform/manifests/verifications.yaml")),
];

/// The image of the manifest, and what somebody made of it: a tag that the registry does not have.
const IMAGE: &str = "ghcr.io/mlflow/mlflow:v3.18.0";
const BROKEN: &str = "ghcr.io/mlflow/mlflow:3.18.0";

/// How the world includes other files, and how it does with one more, which holds settings.
const INCLUDE: &str = "include: [charts.yaml, eks.yaml]";
const INCLUDE_BROKEN: &str = "include: [charts.yaml, eks.yaml, broken.yaml]";

/// Writes everything that the tour begins with.
pub(super) fn write(dir: &Path) -> Result<(), Error> {
    let put = |name: &str, text: &str| documents::write(&dir.join(name), text.as_bytes());
    put("world.yaml", &WORLD.replace(INCLUDE, INCLUDE_BROKEN))?;
    for (name, text) in INCLUDED {
        put(name, text)?;
    }
    put("broken.yaml", &format!("brokenImages: [\"{BROKEN}\"]\n"))?;
    for (name, text) in MANIFESTS {
        put(&format!("manifests/{name}"), text)?;
    }
    Ok(put("manifests/mlflow.yaml", &MLFLOW.replace(IMAGE, BROKEN))?)
}

/// What a person does after the failure.
pub(super) fn mend(dir: &Path) -> Result<(), Error> {
    Ok(documents::write(&dir.join("manifests/mlflow.yaml"), MLFLOW.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_material_is_what_it_is_changed_from() {
        assert!(MLFLOW.contains(IMAGE));
        assert!(WORLD.contains(INCLUDE));
    }
}
