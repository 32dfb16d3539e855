//! Permissions of a plan: to read, as roles of a cluster, and as a policy of IAM.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::Serialize;
use serde_json::json;
use switchback_model::permissions::{On, Permission, Statement, policy, roles};
use switchback_schemas::{
    StepId,
    plan::{Effect, Plan, PolicyRule},
};

use crate::{
    Look,
    table::{Column, render},
};

/// What the credentials must allow, with the steps that need it.
pub type Permissions = BTreeMap<Permission, BTreeSet<StepId>>;

/// Roles as a person reads them, then what is allowed at AWS, then what is not known.
pub fn text(plan: &Plan, permissions: &Permissions, look: Look) -> String {
    let mut text = String::new();
    let columns = [Column::text("resources"), Column::text("verbs"), Column::text("names")];
    for (namespace, rules) in roles(permissions.keys()) {
        let place = namespace.map_or_else(|| "everywhere".to_owned(), |name| format!("in namespace {name}"));
        let _ = writeln!(text, "Kubernetes, {place}:");
        text += &render(&columns, rules.iter().map(row), look);
        text.push('\n');
    }
    let statements = policy(permissions.keys());
    if !statements.is_empty() {
        let _ = writeln!(text, "AWS:");
        let columns = [Column::text("actions"), Column::text("resources")];
        text +=
            &render(&columns, statements.iter().map(|it| [spaced(&it.action), spaced(&it.resource)]), look);
        text.push('\n');
    }
    for unknown in unknown(plan) {
        let _ = writeln!(text, "Not listed: {unknown}");
    }
    text
}

fn row(rule: &PolicyRule) -> [String; 3] {
    let group = rule.api_groups.iter().find(|group| !group.is_empty());
    let group = group.map_or_else(String::new, |group| format!(".{group}"));
    let resources = rule.resources.iter().map(|resource| format!("{resource}{group}"));
    let resources: BTreeSet<String> = resources.chain(rule.non_resource_urls.iter().cloned()).collect();
    [spaced(&resources), spaced(&rule.verbs), spaced(&rule.resource_names)]
}

fn spaced(texts: &BTreeSet<String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What is called beside, and nobody can list from the plan.
fn unknown(plan: &Plan) -> Vec<String> {
    let mut unknown = Vec::new();
    for release in &plan.releases {
        unknown.push(format!("what the chart of release {} looks up while helm renders it", release.release));
    }
    let effects = || plan.works().flat_map(|(_, work)| work.effects());
    if effects().any(|effect| matches!(effect, Effect::Command(_))) {
        unknown.push("what commands of the plan call by themselves".to_owned());
    }
    unknown
}

/// One permission, in short.
pub fn line(permission: &Permission) -> String {
    match permission {
        Permission::Iam(iam) => format!("{} on {}", iam.action, iam.resource),
        Permission::Rbac(rbac) => {
            let on = match &rbac.on {
                On::Url(url) => url.clone(),
                On::Resource { group, resource, name } => {
                    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
                    let name = name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
                    format!("{resource}{group}{name}")
                }
            };
            let place = rbac.namespace.as_ref().map_or_else(String::new, |name| format!(" in {name}"));
            format!("{} {on}{place}", rbac.verb)
        }
    }
}

/// A cluster role, a role in each namespace, and a binding of each, as `kubectl apply` takes them. Who is bound is left to the reader
/// unless it is given.
pub fn rbac(plan: &Plan, permissions: &Permissions, subject: Option<&Subject>) -> String {
    let name = format!("switchback-{}", plan.platform.name);
    let mut documents = Vec::new();
    for (namespace, rules) in roles(permissions.keys()) {
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        documents.push(role(kind, &name, namespace.as_deref(), &rules));
        documents.push(binding(kind, &name, namespace.as_deref(), subject));
    }
    documents.join("---\n")
}

fn head(kind: &str, name: &str, namespace: Option<&str>) -> String {
    let mut text =
        format!("apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n");
    if let Some(namespace) = namespace {
        let _ = writeln!(text, "  namespace: {}", json!(namespace));
    }
    text
}

fn role(kind: &str, name: &str, namespace: Option<&str>, rules: &[PolicyRule]) -> String {
    let mut text = head(kind, name, namespace);
    text += "rules:\n";
    for rule in rules {
        let fields = [
            ("apiGroups", &rule.api_groups),
            ("resources", &rule.resources),
            ("resourceNames", &rule.resource_names),
            ("nonResourceURLs", &rule.non_resource_urls),
            ("verbs", &rule.verbs),
        ];
        for (number, (field, values)) in fields.iter().filter(|(_, values)| !values.is_empty()).enumerate() {
            let dash = if number == 0 { "- " } else { "  " };
            let _ = writeln!(text, "  {dash}{field}: {}", json!(values));
        }
    }
    text
}

fn binding(role: &str, name: &str, namespace: Option<&str>, subject: Option<&Subject>) -> String {
    let mut text = head(&format!("{role}Binding"), name, namespace);
    let _ = writeln!(text, "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {role}\n  name: {name}");
    match subject {
        None => text += "subjects: []  # who runs switchback-exec\n",
        Some(Subject::ServiceAccount { namespace, name }) => {
            let _ = writeln!(
                text,
                "subjects:\n  - kind: ServiceAccount\n    namespace: {}\n    name: {}",
                json!(namespace),
                json!(name)
            );
        }
        Some(Subject::User(user)) => text += &subject_of("User", user),
        Some(Subject::Group(group)) => text += &subject_of("Group", group),
    }
    text
}

fn subject_of(kind: &str, name: &str) -> String {
    format!(
        "subjects:\n  - apiGroup: rbac.authorization.k8s.io\n    kind: {kind}\n    name: {}\n",
        json!(name)
    )
}

/// Who gets the roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `user:NAME`
    User(String),
    /// `group:NAME`
    Group(String),
    /// `serviceaccount:NAMESPACE/NAME`
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// A text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME")]
pub struct NoSubject;

impl std::str::FromStr for Subject {
    type Err = NoSubject;

    fn from_str(text: &str) -> Result<Self, NoSubject> {
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or(NoSubject)?;
        match kind {
            "user" => Ok(Self::User(name.to_owned())),
            "group" => Ok(Self::Group(name.to_owned())),
            "serviceaccount" => {
                let (namespace, name) = name.split_once('/').ok_or(NoSubject)?;
                Ok(Self::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(NoSubject),
        }
    }
}

/// A policy of IAM, as AWS takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

/// What IAM has to allow.
pub fn iam(permissions: &Permissions) -> Policy {
    Policy { version: "2012-10-17", statement: policy(permissions.keys()) }
}

/// A permission as data, with the steps that need it; no step for what every run needs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row<'a> {
    permission: &'a Permission,
    steps: &'a BTreeSet<StepId>,
}

/// All of them as data.
pub fn rows(permissions: &Permissions) -> Vec<Row<'_>> {
    permissions.iter().map(|(permission, steps)| Row { permission, steps }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_the_roles_is_one_of_three_kinds() {
        assert_eq!("user:ada".parse(), Ok(Subject::User("ada".to_owned())));
        assert_eq!("group:system:x".parse(), Ok(Subject::Group("system:x".to_owned())));
        let account = Subject::ServiceAccount { namespace: "ci".to_owned(), name: "runner".to_owned() };
        assert_eq!("serviceaccount:ci/runner".parse(), Ok(account));
        for bad in ["", "ada", "user:", "serviceaccount:runner", "robot:x"] {
            assert_eq!(bad.parse::<Subject>(), Err(NoSubject), "{bad}");
        }
    }
}
