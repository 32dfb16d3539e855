//! The platform of the written procedures: its manifests, and how its runs are carried through.

use super::{
    bins::root,
    manifests::borrowed,
    scene::{Out, Scene},
};

const PLATFORM: &str = "platform.yaml";
const FILES: [&str; 5] = [PLATFORM, "eks.yaml", "karpenter.yaml", "mlflow.yaml", "verifications.yaml"];

/// Manifests by file name.
pub(crate) type Manifests = Vec<(&'static str, String)>;

/// The example's own manifests: two minors of EKS, with Karpenter and MLflow between.
pub(crate) fn all() -> Manifests {
    let directory = root().join("plans/mlops-platform/manifests");
    let read = |name: &str| {
        let path = directory.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    FILES.map(|name| (name, read(name))).into()
}

/// Some of the upgrades alone.
pub(crate) fn only(manifests: Manifests, upgrades: &[&str]) -> Manifests {
    let kept = |name: &str| name == PLATFORM || name == "verifications.yaml" || upgrades.contains(&name);
    manifests.into_iter().filter(|(name, _)| kept(name)).collect()
}

/// A place with the twin of this platform.
pub(crate) fn scene(manifests: &Manifests) -> Scene {
    Scene::on_world("mlops-platform.yaml", &borrowed(manifests), |world| world)
}

/// Applies the plan; whenever it parks for an approval, gives it. What it ended with.
pub(crate) fn carried_through(scene: &Scene) -> Out {
    for _ in 0..12 {
        let out = scene.apply();
        match parked_for(&out) {
            Some(line) => approve(scene, &line),
            None => return out,
        }
    }
    panic!("the run never comes to its end");
}

/// The point of no return that a run parked before, if that is why it ended.
pub(crate) fn parked_for(out: &Out) -> Option<String> {
    let (_, rest) = out.stdout.rsplit_once("switchback approve --point ").filter(|_| out.code == Some(3))?;
    let end = rest.find([';', ' ', '\n', '`']).unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}

/// Approves a line.
pub(crate) fn approve(scene: &Scene, line: &str) {
    scene.on_store(&format!("approve --point {line} --reason reviewed")).exits(0);
}
