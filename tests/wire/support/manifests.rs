//! Manifests of the tests.

use super::bins::root;

/// A manifest of the example platform.
pub(crate) fn example(name: &str) -> String {
    let path = root().join("plans/karpenter-small/manifests").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The example platform's own manifests.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    ["platform.yaml", "karpenter.yaml", "verifications.yaml", "web.yaml"]
        .map(|name| (name, example(name)))
        .into()
}

/// The upgrades of the example without moving nodes: what rolls back as a whole.
pub(crate) fn without_nodes() -> Vec<(&'static str, String)> {
    changed(all(), "karpenter.yaml", |text| {
        // How they move stands between that they move and what is verified.
        let (head, rest) = text.split_once("  nodes: all").expect("nodes");
        let (_, tail) = rest.split_once("\n  verify:").expect("verify");
        format!("{head}  nodes: none\n  verify:{tail}")
    })
}

/// The example's Deployment alone: a plan of one step.
pub(crate) fn web_only() -> Vec<(&'static str, String)> {
    all().into_iter().filter(|(name, _)| *name != "karpenter.yaml").collect()
}

/// As a scene takes them.
pub(crate) fn borrowed<'a>(manifests: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    manifests.iter().map(|(name, text)| (*name, text.as_str())).collect()
}

/// Changes one manifest.
pub(crate) fn changed(
    manifests: Vec<(&'static str, String)>,
    name: &str,
    change: impl Fn(String) -> String,
) -> Vec<(&'static str, String)> {
    let one = |(known, text): (&'static str, String)| {
        if known == name {
            let changed = change(text.clone());
            assert_ne!(changed, text, "{name} was not changed");
            (known, changed)
        } else {
            (known, text)
        }
    };
    manifests.into_iter().map(one).collect()
}

/// A world in which the image that the example moves to never becomes ready.
pub(crate) fn broken_web(world: &str) -> String {
    let broken = world.replace("settings:\n", "settings:\n  brokenImages: [\"example.invalid/web:2\"]\n");
    assert_ne!(broken, world, "the world has settings");
    broken
}

/// The example's Deployment, whose failure a person decides about.
pub(crate) fn holding(manifests: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    changed(manifests, "web.yaml", |text| text.replace("onFailure: rollback-hop", "onFailure: hold"))
}
