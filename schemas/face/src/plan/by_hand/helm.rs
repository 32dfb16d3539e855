//! Helm releases by hand.

use serde_json::Value;
use switchback_schemas::{
    name::{ObjectName, ObjectRef},
    plan::{Chart, DETACHED, Handover, HelmEffect},
};

use super::{
    kube,
    word::{plain, quoted, words},
};

pub(super) fn commands(effect: &HelmEffect<Value>) -> Vec<String> {
    match effect {
        HelmEffect::Upgrade(upgrade) => {
            let (release, chart) = (&upgrade.release, &upgrade.chart);
            let line = with_chart("upgrade", release, chart);
            let values = quoted(&upgrade.set.to_string());
            let mut lines: Vec<String> = handed(effect, release);
            lines.push(format!("{line} --reset-then-reuse-values --values - <<<{values}"));
            lines.extend(unmarked(&upgrade.leaves));
            lines
        }
        HelmEffect::Install(install) => {
            let (release, chart) = (&install.release, &install.chart);
            let line = with_chart("install", release, chart);
            let values = quoted(&install.set.to_string());
            let mut lines: Vec<String> = handed(effect, release);
            lines.push(format!("{line} --values - <<<{values}"));
            lines
        }
        // helm asks no live object on uninstall, so where something stays, the release is detached instead.
        HelmEffect::Uninstall(uninstall) if !uninstall.leaves.is_empty() => {
            let release = &uninstall.release;
            let back = uninstall.leaves.iter().filter_map(|handed| Some((handed.other.as_ref()?, handed)));
            let mut lines: Vec<String> = back
                .flat_map(|(other, handed)| handed.objects.iter().flat_map(|o| owned(o, other)))
                .collect();
            lines.push(records(release, "helm", DETACHED));
            lines
        }
        HelmEffect::Uninstall(uninstall) => {
            let release = &uninstall.release;
            vec![format!("helm uninstall {}{}", quoted(&release.name), within(release))]
        }
        HelmEffect::Detach(detached) => vec![records(&detached.release, "helm", DETACHED)],
        HelmEffect::Attach(detached) => vec![records(&detached.release, DETACHED, "helm")],
        HelmEffect::Rollback(rollback) => {
            let mut lines: Vec<String> = rollback.keep_crds.iter().map(|crd| kube::keep_crd(crd)).collect();
            let release = &rollback.release;
            lines.extend(handed(effect, release));
            let name = quoted(&release.name);
            lines.push(format!("helm rollback {name} {}{}", plain(&rollback.to), within(release)));
            lines.extend(unmarked(&rollback.leaves));
            lines
        }
    }
}

/// A verb with a release and a chart.
fn with_chart(verb: &str, release: &ObjectName, chart: &Chart) -> String {
    let mut line = format!("helm {verb} {}", quoted(&release.name));
    for word in source(chart) {
        line.push(' ');
        line.push_str(&word);
    }
    line + &within(release)
}

/// What comes before helm, so that it takes over what it is to take over, and deletes nothing that stays.
fn handed(effect: &HelmEffect<Value>, release: &ObjectName) -> Vec<String> {
    let [takes, leaves] = effect.handovers();
    let takes = takes.iter().flat_map(|handed| &handed.objects).flat_map(|object| owned(object, release));
    let leaves = leaves.iter().flat_map(|handed| &handed.objects);
    takes.chain(leaves.map(|object| kube::annotated(object, &["helm.sh/resource-policy=keep"]))).collect()
}

fn unmarked(leaves: &[Handover]) -> Vec<String> {
    let objects = leaves.iter().flat_map(|handed| &handed.objects);
    objects.map(|object| kube::annotated(object, &["helm.sh/resource-policy-"])).collect()
}

/// An object as a release's.
fn owned(object: &ObjectRef, release: &ObjectName) -> Vec<String> {
    let name = format!("meta.helm.sh/release-name={}", release.name);
    let namespace =
        format!("meta.helm.sh/release-namespace={}", release.namespace.as_deref().unwrap_or("default"));
    let managed = "app.kubernetes.io/managed-by=Helm";
    vec![kube::annotated(object, &[&name, &namespace]), kube::labelled(object, managed)]
}

/// The records of a release, from one owner to another.
fn records(release: &ObjectName, from: &str, to: &str) -> String {
    let namespace = within(release);
    let selector = quoted(&format!("owner={from},name={}", release.name));
    format!("kubectl label secret --overwrite --selector {selector}{namespace} owner={to}")
}

pub(super) fn within(release: &ObjectName) -> String {
    release
        .namespace
        .as_ref()
        .map_or_else(String::new, |namespace| format!(" {}", words(["--namespace", namespace])))
}

/// A chart as helm takes it.
fn source(chart: &Chart) -> Vec<String> {
    let (name, version) = (chart.name.as_str(), chart.version.as_str());
    let repository = chart.repository.trim_end_matches('/');
    let said = match repository.split_once("://") {
        Some(("oci", _)) => vec![format!("{repository}/{name}"), "--version".into(), version.into()],
        Some(_) => vec![name.into(), "--repo".into(), repository.into(), "--version".into(), version.into()],
        // Without a mark of a path, helm takes the first part of one for the name of a repository.
        None if repository.starts_with(['/', '.']) => vec![format!("{repository}/{name}/{version}")],
        None => vec![format!("./{repository}/{name}/{version}")],
    };
    said.iter().map(|word| quoted(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_schemas::Digest;

    #[test]
    fn a_chart_is_named_as_helm_takes_it() {
        let of = |repository: &str| {
            source(&Chart {
                name: "web".into(),
                repository: repository.into(),
                version: "1.2.3".parse().expect("a version"),
                digest: Digest::of(""),
            })
            .join(" ")
        };
        assert_eq!(of("oci://r.example/charts"), "oci://r.example/charts/web --version 1.2.3");
        assert_eq!(of("https://r.example"), "web --repo https://r.example --version 1.2.3");
        assert_eq!(of("../charts"), "../charts/web/1.2.3");
        assert_eq!(of("charts/"), "./charts/web/1.2.3");
    }
}
