//! What the tour is made of: the example platform, embedded, so that it runs anywhere.

use std::path::Path;

use crate::{documents, error::Error};

const WORLD: &str = include_str!("../../../../../fixtures/worlds/mlops-platform.yaml");
const CHARTS: &str = include_str!("../../../../../fixtures/worlds/charts.yaml");
const EKS_WORLD: &str = include_str!("../../../../../fixtures/worlds/eks.yaml");
const PLATFORM: &str = include_str!("../../../../../plans/mlops-platform/manifests/platform.yaml");
const EKS: &str = include_str!("../../../../../plans/mlops-platform/manifests/eks.yaml");
const KARPENTER: &str = include_str!("../../../../../plans/mlops-platform/manifests/karpenter.yaml");
const MLFLOW: &str = include_str!("../../../../../plans/mlops-platform/manifests/mlflow.yaml");
const VERIFICATIONS: &str = include_str!("../../../../../plans/mlops-platform/manifests/verifications.yaml");

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
    put("charts.yaml", CHARTS)?;
    put("eks.yaml", EKS_WORLD)?;
    put("broken.yaml", &format!("brokenImages: [\"{BROKEN}\"]\n"))?;
    put("manifests/platform.yaml", PLATFORM)?;
    put("manifests/eks.yaml", EKS)?;
    put("manifests/karpenter.yaml", KARPENTER)?;
    put("manifests/verifications.yaml", VERIFICATIONS)?;
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
