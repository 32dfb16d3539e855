//! What a Verification names, and texts of it that become arguments and addresses.

use std::collections::BTreeMap;

use regex::Regex;
use switchback_model::service::Service;
use switchback_schemas::{
    codes,
    manifest::Check,
    plan::{EnvValue, Method},
};

use crate::manifest::{Checks, faults::Faults, set::Set};

/// What an address of a check begins with.
const HTTP: [&str; 2] = ["http://", "https://"];

pub(super) fn check(set: &Set<'_>, faults: &mut Faults<'_>) {
    for document in &set.verifications {
        one(&mut Checks::new(faults, document.doc), &document.spec.check);
    }
}

fn one(checks: &mut Checks<'_, '_>, check: &Check) {
    match check {
        Check::Http { url, method, headers, body, .. } => {
            checks.address("/spec/check/http/url", url, &HTTP);
            sent(checks, "/spec/check/http/headers", url, headers);
            if body.is_some() && method.is_some_and(|method| method != Method::Post) {
                let at = ("/spec/check/http/body", "sent by POST alone");
                let help = "leave `method` out, or remove the body";
                checks.error(codes::MANIFEST_CONFLICT, "a request that only reads has no body", at, help);
            }
        }
        Check::Inference { url, model, input, headers, .. } => {
            checks.address("/spec/check/inference/url", url, &HTTP);
            checks.word("/spec/check/inference/model", "the name of a model", model, b"-_.:/@");
            sent(checks, "/spec/check/inference/headers", url, headers);
            if input.is_empty() {
                let at = ("/spec/check/inference/input", "empty");
                let help =
                    "write what a client would send: `instances` of v1, `inputs` of v2, `messages` of openai";
                checks.error(codes::MANIFEST_MISSING_FIELD, "the model is asked nothing", at, help);
            }
        }
        Check::Prometheus { url, threshold, baseline, .. } => {
            checks.address("/spec/check/prometheus/url", url, &HTTP);
            let help = "write `threshold: \"0.01\"`, or `baseline: {tolerancePercent: 10}`";
            match (threshold, baseline) {
                (Some(_), None) | (None, Some(_)) => {}
                (None, None) => {
                    let at = ("/spec/check/prometheus", "with what is not said");
                    checks.error(
                        codes::MANIFEST_MISSING_FIELD,
                        "the query is compared with nothing",
                        at,
                        help,
                    );
                }
                (Some(_), Some(_)) => {
                    let at = ("/spec/check/prometheus/baseline", "and with a threshold");
                    checks.error(codes::MANIFEST_CONFLICT, "the query is compared with two things", at, help);
                }
            }
        }
        Check::Logs { namespace, container, pattern, at_least, at_most, .. } => {
            logs(checks, namespace, container.as_deref(), pattern);
            let message = match (at_least, at_most) {
                (None, None) => "any number of lines passes",
                (Some(least), Some(most)) if least > most => "no number of lines passes",
                _ => return,
            };
            let help =
                "write `atMost: 0` for lines that must not be there, or `atLeast: 1` for one that must";
            checks.error(codes::MANIFEST_BAD_VALUE, message, ("/spec/check/logs", "checks nothing"), help);
        }
        Check::Condition { object, .. } => {
            let at = "/spec/check/condition/object";
            checks.word(&format!("{at}/name"), "the name of an object", &object.name, b"-.:");
            if let Some(namespace) = &object.namespace {
                checks.word(&format!("{at}/namespace"), "the name of a namespace", namespace, b"-");
            }
        }
        Check::Deployment(name) => checks.object("/spec/check/deployment", name),
        Check::Command { argv, .. } => {
            if argv.first().is_some_and(|program| program.is_empty() || program.starts_with('-')) {
                let message = "the first word of a command is not a program";
                let help = "write the program, then its arguments, each as an item of its own";
                let at = ("/spec/check/command/argv/0", "not a program");
                checks.error(codes::MANIFEST_BAD_VALUE, message, at, help);
            }
        }
        Check::Nodes { pool, .. } => checks.pool("/spec/check/nodes/pool", pool),
        Check::Devices { pool, resource, .. } => {
            checks.pool("/spec/check/devices/pool", pool);
            checks.word("/spec/check/devices/resource", "a resource", resource, b"-_./");
        }
        Check::Pods { .. } => {}
    }
}

/// Headers of a request.
fn sent(checks: &mut Checks<'_, '_>, at: &str, url: &str, headers: &BTreeMap<String, EnvValue>) {
    for name in headers.keys() {
        checks.word(at, "the name of a header", name, b"-_");
        // The API server takes it for its own, and takes it off (kubernetes.io, "Accessing clusters", proxies).
        if name.eq_ignore_ascii_case("authorization") && Service::of_url(url).is_some() {
            let message = "the API server does not hand the header Authorization on to a Service";
            let help = "use an address from outside of the cluster, or a `command`";
            checks.error(codes::MANIFEST_BAD_VALUE, message, (at, "never arrives"), help);
        }
    }
}

fn logs(checks: &mut Checks<'_, '_>, namespace: &str, container: Option<&str>, pattern: &str) {
    checks.word("/spec/check/logs/namespace", "the name of a namespace", namespace, b"-");
    if let Some(container) = container {
        checks.container("/spec/check/logs/container", container);
    }
    if let Err(error) = Regex::new(pattern) {
        let error = error.to_string();
        let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let at = ("/spec/check/logs/pattern", "not a regular expression");
        checks.error(
            codes::MANIFEST_BAD_VALUE,
            format!("the pattern cannot be read: {why}"),
            at,
            "escape what is meant as it is: `\\[ERROR\\]`",
        );
    }
}
