//! Texts that become arguments and addresses: names of objects, charts, images, URLs. What begins with `-` would be
//! read as an option, `..` leaves the directory, and credentials in an address end up in a plan.

use switchback_schemas::{
    codes,
    manifest::{ChartSource, Check},
    name::ObjectName,
};

use super::Faults;
use crate::manifest::DocRef;

pub(super) fn check(faults: &mut Faults<'_>) {
    let set = faults.set;
    for document in &set.karpenter {
        object(faults, document.doc, "/spec/release", &document.spec.release);
        object(faults, document.doc, "/spec/crdRelease", &document.spec.crd_release);
        charts(faults, document.doc, &document.spec.charts);
    }
    for document in &set.helm_releases {
        object(faults, document.doc, "/spec/release", &document.spec.release);
        charts(faults, document.doc, &document.spec.charts);
        if let Some(chart) = &document.spec.chart {
            word(faults, document.doc, "/spec/chart", "the name of a chart", chart, b"-_.");
        }
    }
    for document in &set.deployments {
        object(faults, document.doc, "/spec/deployment", &document.spec.deployment);
        word(
            faults,
            document.doc,
            "/spec/container",
            "the name of a container",
            &document.spec.container,
            b"-",
        );
        word(faults, document.doc, "/spec/image", "an image", &document.spec.image, b"-_.:/@");
    }
    for document in &set.mlflow {
        let (doc, spec) = (document.doc, &document.spec);
        object(faults, doc, "/spec/deployment", &spec.deployment);
        word(faults, doc, "/spec/container", "the name of a container", &spec.container, b"-");
        word(faults, doc, "/spec/image", "an image", &spec.image, b"-_.:/@");
        address(faults, doc, "/spec/url", &spec.url, &["http://", "https://"]);
        if let Some(variable) = &spec.uri_variable {
            word(faults, doc, "/spec/uriVariable", "the name of a variable", variable, b"_");
        }
        for (index, other) in spec.other_databases.iter().enumerate() {
            let at = format!("/spec/otherDatabases/{index}/name");
            word(faults, doc, &at, "the name of a database", &other.name, b"-_.");
        }
    }
    for document in &set.verifications {
        verification(faults, document.doc, &document.spec.check);
    }
}

fn verification(faults: &mut Faults<'_>, doc: DocRef, check: &Check) {
    match check {
        Check::Http { url, .. } => {
            address(faults, doc, "/spec/check/http/url", url, &["http://", "https://"]);
        }
        Check::Prometheus { url, .. } => {
            address(faults, doc, "/spec/check/prometheus/url", url, &["http://", "https://"]);
        }
        Check::Deployment(name) => object(faults, doc, "/spec/check/deployment", name),
        Check::Command { argv, .. } => {
            if argv.first().is_some_and(|program| program.is_empty() || program.starts_with('-')) {
                let message = "the first word of a command is not a program";
                let help = "write the program, then its arguments, each as an item of its own";
                let at = (doc, "/spec/check/command/argv/0");
                faults.error(codes::MANIFEST_BAD_VALUE, message, at, "not a program", help);
            }
        }
        Check::Pods { .. } | Check::Nodes { .. } => {}
    }
}

fn object(faults: &mut Faults<'_>, doc: DocRef, at: &str, object: &ObjectName) {
    word(faults, doc, &format!("{at}/name"), "the name of an object", &object.name, b"-.");
    match &object.namespace {
        Some(namespace) => {
            word(faults, doc, &format!("{at}/namespace"), "the name of a namespace", namespace, b"-");
        }
        // Every object that a manifest names lives in a namespace.
        None => faults.error(
            codes::MANIFEST_MISSING_FIELD,
            format!("`{}` has no namespace", object.name),
            (doc, at),
            "in which namespace is not said",
            "add `namespace:`",
        ),
    }
}

fn word(faults: &mut Faults<'_>, doc: DocRef, at: &str, what: &str, text: &str, extra: &[u8]) {
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts
        && text.len() <= 512
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
    {
        return;
    }
    let marks: Vec<String> = extra.iter().map(|byte| format!("'{}'", char::from(*byte))).collect();
    let help = format!("it has letters, digits and {}, and begins with a letter or digit", marks.join(" "));
    let message = format!("`{}` is not {what}", text.chars().take(80).collect::<String>());
    faults.error(codes::MANIFEST_BAD_VALUE, message, (doc, at), "not allowed here", help);
}

fn charts(faults: &mut Faults<'_>, doc: DocRef, source: &ChartSource) {
    match source {
        ChartSource::Oci(url) => address(faults, doc, "/spec/charts/oci", url, &["oci://"]),
        ChartSource::Https(url) => address(faults, doc, "/spec/charts/https", url, &["https://"]),
        ChartSource::Directory(path) => {
            let leaves = path.is_empty()
                || path.starts_with(['/', '-', '~'])
                || path.split('/').any(|part| part == "..");
            if leaves || path.chars().any(char::is_control) {
                faults.error(
                    codes::MANIFEST_BAD_VALUE,
                    "the charts lie outside of the directory that the command runs in",
                    (doc, "/spec/charts/directory"),
                    "not a path inside",
                    "write a relative path without `..`, such as charts",
                );
            }
        }
    }
}

fn address(faults: &mut Faults<'_>, doc: DocRef, at: &str, url: &str, schemes: &[&str]) {
    let Some(rest) = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        let message = format!("`{}` is not an address", url.chars().take(80).collect::<String>());
        let help = format!("it begins with {}", schemes.join(" or "));
        return faults.error(
            codes::MANIFEST_BAD_VALUE,
            message,
            (doc, at),
            "not an address of this kind",
            help,
        );
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        // The message does not repeat it: it may be a password.
        let help = "remove it; credentials come from the environment of the executor";
        let message = "the address holds credentials";
        return faults.error(
            codes::MANIFEST_BAD_VALUE,
            message,
            (doc, at),
            "credentials before the '@'",
            help,
        );
    }
    if host.is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let message = "the address has no host, or has blanks in it";
        let help = format!("write it like {}host/path", schemes.first().copied().unwrap_or_default());
        faults.error(codes::MANIFEST_BAD_VALUE, message, (doc, at), "not an address", help);
    }
}
