//! Helm releases by hand.

use serde_json::Value;
use switchback_schemas::{
    name::ObjectName,
    plan::{Chart, HelmEffect},
};

use super::{
    kube,
    word::{plain, quoted, words},
};

pub(super) fn commands(effect: &HelmEffect<Value>) -> Vec<String> {
    match effect {
        HelmEffect::Upgrade(upgrade) => {
            let (release, chart) = (&upgrade.release, &upgrade.chart);
            let mut line = format!("helm upgrade {}", quoted(&release.name));
            for word in source(chart) {
                line.push(' ');
                line.push_str(&word);
            }
            let values = upgrade.set.to_string();
            vec![format!(
                "{line}{} --reset-then-reuse-values --values - <<<{}",
                within(release),
                quoted(&values)
            )]
        }
        HelmEffect::Rollback(rollback) => {
            let mut lines: Vec<String> = rollback.keep_crds.iter().map(|crd| kube::keep_crd(crd)).collect();
            let release = &rollback.release;
            let name = quoted(&release.name);
            lines.push(format!("helm rollback {name} {}{}", plain(&rollback.to), within(release)));
            lines
        }
    }
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
