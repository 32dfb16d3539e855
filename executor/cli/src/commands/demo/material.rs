//! What the tour is made of: the example platform, embedded, so that it runs anywhere.

use std::path::Path;

use crate::{documents, error::Error};

const WORLD: &str = include_str!("../../../../../fixtures/worlds/karpenter-small.yaml");
const CHARTS: &str = include_str!("../../../../../fixtures/worlds/charts.yaml");
const PLATFORM: &str = include_str!("../../../../../plans/karpenter-small/manifests/platform.yaml");
const KARPENTER: &str = include_str!("../../../../../plans/karpenter-small/manifests/karpenter.yaml");
const VERIFICATIONS: &str = include_str!("../../../../../plans/karpenter-small/manifests/verifications.yaml");
const WEB: &str = include_str!("../../../../../plans/karpenter-small/manifests/web.yaml");

/// The image of the manifest, and one that never becomes ready.
const IMAGE: &str = "example.invalid/web:2";
const BROKEN: &str = "example.invalid/web:2-broken";

/// Writes everything that the tour begins with.
pub(super) fn write(dir: &Path) -> Result<(), Error> {
    let put = |name: &str, text: &str| documents::write(&dir.join(name), text.as_bytes());
    // The world includes files that hold settings.
    put("world.yaml", &WORLD.replace("include: [charts.yaml]", "include: [charts.yaml, broken.yaml]"))?;
    put("charts.yaml", CHARTS)?;
    put("broken.yaml", &format!("brokenImages: [\"{BROKEN}\"]\n"))?;
    put("manifests/platform.yaml", PLATFORM)?;
    put("manifests/karpenter.yaml", KARPENTER)?;
    put("manifests/verifications.yaml", VERIFICATIONS)?;
    Ok(put("manifests/web.yaml", &WEB.replace(IMAGE, BROKEN))?)
}

/// What a person does after the failure.
pub(super) fn mend(dir: &Path) -> Result<(), Error> {
    Ok(documents::write(&dir.join("manifests/web.yaml"), WEB.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_material_is_what_it_is_changed_from() {
        assert!(WEB.contains(IMAGE) && WORLD.contains("include: [charts.yaml]"));
    }
}
