//! Finds the server, its settings and its instance. What is not as it has to be is refused here, all of it at once.

use std::rc::Rc;

use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::{
        Workload,
        rds::{RdsInstance, RdsSection},
        servers::{MlflowSection, Server, Settings, VariableFrom},
    },
};

use super::{Doc, Mlflow, consumers, site::Site};
use crate::{component::DocCx, context::Cx};

/// The variable of MLflow's own command line.
const VARIABLE: &str = "MLFLOW_BACKEND_STORE_URI";
/// The option that outranks it.
const OPTION: &str = "backend-store-uri";

/// Finds the site, and says everything that is wrong with it.
pub(super) fn find(at: &DocCx<'_, Mlflow>, workload: &Workload, from: Option<&Version>) -> Option<Site> {
    let (cx, doc, spec) = (at.cx, at.doc, &at.doc.spec);
    let section: Rc<MlflowSection> = said(cx, doc, "/spec/deployment", "mlflow", "the server")?;
    let server = section.servers.iter().find(|server| server.deployment == spec.deployment);
    let settings = server.and_then(|server| server.containers.get(&spec.container));
    let (Some(server), Some(settings)) = (server, settings) else {
        let message = format!("the inventory does not say how {} gets its settings", workload.object);
        missing(cx, doc, "/spec/deployment", message, "observe again");
        return None;
    };
    let target = at.facts.head(&spec.to);
    let before = from.and_then(|from| at.facts.head(from));
    let migrates =
        target.is_none() || before.is_none_or(|before| target.is_some_and(|to| to.head != before.head));
    let variable = address(cx, doc, settings);
    let instance = instance(cx, doc);
    if target.is_none() {
        unknown_head(at);
    }
    if migrates {
        autoscalers(cx, doc, server);
        consumers::outage(cx, doc, server, &section);
        if workload.replicas == 0 {
            let message = format!("{} is scaled to 0 already", workload.object);
            let help = "scale it up, so that the plan knows how many replicas to restore, or finish what scaled it down";
            refuse(cx, doc, "/spec/deployment", codes::PLAN_NOT_READY, message, help);
        }
    }
    service(cx, doc, server);
    let site = Site {
        object: workload.object.clone(),
        replicas: workload.replicas,
        server: server.clone(),
        settings: settings.clone(),
        instance: instance?,
        variable: variable?,
        migrates,
        head: target?.head.clone(),
    };
    consumers::others(cx, doc, &site, &section);
    Some(site)
}

fn said<T: serde::de::DeserializeOwned + 'static>(
    cx: &Cx<'_>,
    doc: &Doc,
    at: &str,
    name: &'static str,
    what: &str,
) -> Option<Rc<T>> {
    match cx.sections.get(name) {
        Ok(Some(section)) => Some(section),
        Ok(None) => {
            let message = format!("the inventory says nothing about {what}");
            missing(
                cx,
                doc,
                at,
                message,
                "observe again with this Platform and credentials that may read it",
            );
            None
        }
        Err(error) => {
            refuse(cx, doc, at, codes::PLAN_UNREADABLE, error, "observe again");
            None
        }
    }
}

fn refuse(cx: &Cx<'_>, doc: &Doc, at: &str, code: codes::Code, message: String, help: &str) {
    let label = cx.label(doc.doc, at, "not upgradable as it is");
    cx.findings.say(Diagnostic::error(code, message).at(label).help(help));
}

fn missing(cx: &Cx<'_>, doc: &Doc, at: &str, message: String, help: &str) {
    refuse(cx, doc, at, codes::PLAN_INVENTORY_MISSING, message, help);
}

fn unknown_head(at: &DocCx<'_, Mlflow>) {
    let (cx, doc, facts) = (at.cx, at.doc, at.facts);
    let to = &doc.spec.to;
    let newest = facts.newest().map(ToString::to_string).unwrap_or_default();
    let message = format!("the catalog does not know which database revision MLflow {to} demands");
    let neighbours = || {
        let below = facts.heads.iter().rfind(|row| row.version < *to)?;
        let above = facts.heads.iter().find(|row| row.version > *to)?;
        Some(format!(
            "{} and {} demand different ones, and {to} lies between them",
            below.version, above.version
        ))
    };
    let help =
        neighbours().unwrap_or_else(|| format!("it knows releases up to {newest}, read {}", facts.read_on));
    refuse(cx, doc, "/spec/to", codes::PATH_UNKNOWN_VERSION, message, &help);
}

/// The variable that holds the address, if a Secret does.
fn address(cx: &Cx<'_>, doc: &Doc, settings: &Settings) -> Option<String> {
    let spec = &doc.spec;
    let variable = spec.uri_variable.as_deref().unwrap_or(VARIABLE);
    let container = &spec.container;
    let plain = |message: String| {
        let help = "put the address into a Secret and name it by `valueFrom.secretKeyRef`: a plan holds no secret, and a Job \
                    of the new image needs the same address";
        refuse(cx, doc, "/spec/container", codes::MANIFEST_NOT_BUILT, message, help);
        None
    };
    if let Some(told) = settings.options.get(OPTION) {
        match told.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')) {
            Some(named) if named == variable => {}
            Some(named) => {
                let message = format!(
                    "container {container} takes its database from ${named}, and not from ${variable}"
                );
                let help = format!("write `uriVariable: {named}`");
                let at = if spec.uri_variable.is_some() { "/spec/uriVariable" } else { "/spec/container" };
                refuse(cx, doc, at, codes::MANIFEST_CONFLICT, message, &help);
                return None;
            }
            None => {
                return plain(format!(
                    "container {container} is told its database by --{OPTION} on its command line"
                ));
            }
        }
    }
    match settings.env.get(variable) {
        Some(VariableFrom::Secret { .. }) => Some(variable.to_owned()),
        Some(VariableFrom::ConfigMap { name, .. }) => plain(format!(
            "${variable} of container {container} comes from ConfigMap {name} and not from a Secret"
        )),
        Some(VariableFrom::Text(_) | VariableFrom::Other {}) => plain(format!(
            "${variable} of container {container} stands in the Deployment and not in a Secret"
        )),
        None if !settings.env_from_secrets.is_empty() => Some(variable.to_owned()),
        None => {
            let secret = |(name, from): (&String, &VariableFrom)| {
                matches!(from, VariableFrom::Secret { .. }).then(|| name.clone())
            };
            let known: Vec<String> = settings.env.iter().filter_map(secret).collect();
            let help = if known.is_empty() {
                "no variable of it comes from a Secret; name its address by `valueFrom.secretKeyRef`"
                    .to_owned()
            } else {
                format!("write `uriVariable:`; variables from Secrets: {}", known.join(", "))
            };
            let message = format!("container {container} has no variable {variable}");
            missing(cx, doc, "/spec/container", message, &help);
            None
        }
    }
}

/// At 0 replicas an autoscaler stops, unless it may scale from 0, or something above it does (source: hpa).
fn autoscalers(cx: &Cx<'_>, doc: &Doc, server: &Server) {
    for autoscaler in &server.autoscalers {
        let (why, help) = match &autoscaler.controller {
            Some(above) => (
                format!("{above} is above it and may scale the server up in the middle of the migration"),
                "pause it before; KEDA has the annotation autoscaling.keda.sh/paused for that",
            ),
            None if autoscaler.min == 0 => (
                "it may have 0 replicas, so it does not stop when there are none".to_owned(),
                "raise its minReplicas to 1 for the upgrade",
            ),
            None => continue,
        };
        let message =
            format!("HorizontalPodAutoscaler {} owns the replicas of the server: {why}", autoscaler.name);
        refuse(cx, doc, "/spec/deployment", codes::MANIFEST_NOT_BUILT, message, help);
    }
}

/// Probes must ask the server that is moved.
fn service(cx: &Cx<'_>, doc: &Doc, server: &Server) {
    let host = consumers::host(&doc.spec.url).unwrap_or_default();
    let parts: Vec<&str> = host.split('.').collect();
    let [name, namespace, "svc", ..] = parts.as_slice() else { return };
    if !server.services.iter().any(|service| *service == format!("{name}.{namespace}")) {
        let message = format!("Service {namespace}/{name} of `url` does not lead to pods of the server");
        let help = match server.services.as_slice() {
            [] => "no Service selects them".to_owned(),
            services => format!("Services that do, as NAME.NAMESPACE: {}", services.join(", ")),
        };
        missing(cx, doc, "/spec/url", message, &help);
    }
}

fn instance(cx: &Cx<'_>, doc: &Doc) -> Option<RdsInstance> {
    let at = "/spec/database";
    let database = &doc.spec.database;
    let section: Rc<RdsSection> = said(cx, doc, at, "rds", "databases")?;
    let Some(instance) = section.0.get(database).cloned() else {
        let message = format!("the inventory holds no instance for the database {database}");
        missing(
            cx,
            doc,
            at,
            message,
            "observe again with this Platform, and credentials of the instance's account",
        );
        return None;
    };
    let name = instance.arn.name();
    if let Some(cluster) = &instance.cluster {
        let message = format!(
            "instance {name} is a member of the Aurora cluster {cluster}, whose snapshots are the cluster's"
        );
        refuse(
            cx,
            doc,
            at,
            codes::MANIFEST_NOT_BUILT,
            message,
            "snapshots and restores of Aurora clusters are not built yet",
        );
        return None;
    }
    // A snapshot is taken in these states only (source: rds).
    if !["available", "storage-optimization"].contains(&instance.status.as_str()) {
        let message =
            format!("instance {name} is {}, and a snapshot needs it to be available", instance.status);
        refuse(cx, doc, at, codes::PLAN_NOT_READY, message, "let what is under way end, then observe again");
        return None;
    }
    Some(instance)
}
