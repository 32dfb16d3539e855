//! Who would notice: workloads that log to the server, and whoever else lives on its instance.

use switchback_schemas::{
    Diagnostic, Severity, codes,
    inventory::servers::{DatabaseUser, Logger, MlflowSection, Server},
    name::ObjectRef,
};

use super::{Doc, site::Site};
use crate::{context::Cx, findings::listed};

/// What a workload is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// This server.
    This,
    /// Something that may be it.
    Maybe,
    /// Something else.
    Other,
}

/// Checks that somebody accepts that the server is away, where anybody may be logging to it.
pub(super) fn outage(cx: &Cx<'_>, doc: &Doc, server: &Server, section: &MlflowSection) {
    let spec = &doc.spec;
    let own = ObjectRef::new("apps/v1", "Deployment", &spec.deployment);
    let others = section.loggers.iter().filter(|logger| logger.workload != own);
    let counted: Vec<(&Logger, Told)> = others
        .map(|logger| (logger, told(logger, server, &spec.url)))
        .filter(|(_, told)| *told != Told::Other)
        .collect();
    if counted.is_empty() {
        return;
    }
    let pods: u64 = counted.iter().map(|(logger, _)| logger.pods).sum();
    let names = counted.iter().map(|(logger, told)| {
        let maybe = if *told == Told::Maybe { ", perhaps" } else { "" };
        format!("{} ({}{maybe})", logger.workload, plural(logger.pods, "pod"))
    });
    let message = format!(
        "{} ({}) may be logging to {own}, and no call reaches it during the outage: {}",
        plural(counted.len() as u64, "workload"),
        plural(pods, "pod"),
        listed(names)
    );
    let diagnostic = match &spec.outage {
        None => Diagnostic::error(codes::PLAN_OUTAGE, message)
            .at(cx.label(doc.doc, "/spec/deployment", "is scaled to 0"))
            .help(
                "a training loop that logs ends with an error unless it catches it: wait until they have ended, or \
                 write `outage: {because: WHO ACCEPTS IT}`",
            ),
        Some(accepted) => Diagnostic {
            severity: Severity::Advice,
            ..Diagnostic::warning(codes::PLAN_OUTAGE, format!("{message} (accepted: {})", accepted.because))
        }
        .at(cx.label(doc.doc, "/spec/outage", "accepted here")),
    };
    cx.findings.say(diagnostic);
}

fn told(logger: &Logger, server: &Server, url: &str) -> Told {
    if logger.server.is_empty() {
        return Told::Maybe;
    }
    let Some(host) = host(&logger.server) else { return Told::Other };
    let at_server = |service: String| server.services.contains(&service);
    let parts: Vec<&str> = host.split('.').collect();
    let namespace = logger.workload.namespace.as_deref().unwrap_or_default();
    match parts.as_slice() {
        [name] if at_server(format!("{name}.{namespace}")) => Told::This,
        [name, namespace] | [name, namespace, "svc", ..] if at_server(format!("{name}.{namespace}")) => {
            Told::This
        }
        // A name inside of the cluster that is not one of the server's leads elsewhere; any other name may lead anywhere.
        [_] | [_, _, "svc", ..] => Told::Other,
        _ if self::host(url).is_some_and(|own| own == host) => Told::This,
        _ => Told::Maybe,
    }
}

/// The host of an address over HTTP; `None` for anything else, such as `databricks` or a path.
pub(super) fn host(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then_some(host)
}

/// Checks that everything that is known to live on the instance beside MLflow is accepted by name.
pub(super) fn others(cx: &Cx<'_>, doc: &Doc, site: &Site, section: &MlflowSection) {
    for user in section.databases.iter().filter(|user| is_on(user, site)) {
        let name = if user.database.is_empty() { &user.workload.name } else { &user.database };
        let accepted = doc.spec.other_databases.iter().find(|other| other.name == *name);
        let what = match user.database.as_str() {
            "" => format!("a database that {} uses", user.workload),
            database => format!("database {database}, which {} uses", user.workload),
        };
        let message = format!(
            "instance {} also holds {what}: a rollback restores the instance, and rewinds that, too",
            site.instance.arn.name()
        );
        cx.findings.say(match accepted {
            None => Diagnostic::error(codes::PLAN_SHARED_DATABASE, message)
                .at(cx.label(doc.doc, "/spec/database", "restored as a whole"))
                .help(format!(
                    "move it to an instance of its own, or write `otherDatabases: [{{name: {name}, because: WHO ACCEPTS IT}}]`"
                )),
            Some(other) => Diagnostic {
                severity: Severity::Advice,
                ..Diagnostic::warning(
                    codes::PLAN_SHARED_DATABASE,
                    format!("{message} (accepted: {})", other.because),
                )
            }
            .at(cx.label(doc.doc, "/spec/otherDatabases", "accepted here")),
        });
    }
}

fn is_on(user: &DatabaseUser, site: &Site) -> bool {
    user.host.eq_ignore_ascii_case(site.host()) && user.workload != site.object
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_schemas::name::ObjectName;

    #[test]
    fn a_server_is_known_by_the_names_of_its_services() {
        let server = Server {
            deployment: ObjectName::namespaced("mlops", "mlflow"),
            strategy: "RollingUpdate".to_owned(),
            service_account: None,
            containers: std::collections::BTreeMap::new(),
            services: vec!["mlflow.mlops".to_owned()],
            autoscalers: Vec::new(),
            pods: switchback_schemas::inventory::servers::PodMake::default(),
        };
        let told_in = |namespace: &str, address: &str| {
            let workload = ObjectRef::new("batch/v1", "Job", &ObjectName::namespaced(namespace, "train"));
            let logger = Logger { workload, pods: 1, server: address.to_owned() };
            told(&logger, &server, "https://mlflow.example.com")
        };
        for address in [
            "http://mlflow.mlops:5000",
            "http://mlflow.mlops.svc:5000/",
            "http://mlflow.mlops.svc.cluster.local:5000",
            "https://mlflow.example.com/api",
        ] {
            assert_eq!(told_in("ml", address), Told::This, "{address}");
        }
        assert_eq!(told_in("mlops", "http://mlflow:5000"), Told::This);
        assert_eq!(told_in("ml", "http://mlflow:5000"), Told::Other, "the Service of its own namespace");
        assert_eq!(told_in("ml", "http://mlflow.dev.svc:5000"), Told::Other);
        assert_eq!(told_in("ml", "databricks"), Told::Other);
        assert_eq!(told_in("ml", "https://tracking.example.org"), Told::Maybe);
        assert_eq!(told_in("ml", ""), Told::Maybe, "a Secret says it");
    }
}
