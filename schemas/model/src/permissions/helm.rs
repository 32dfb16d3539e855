//! What helm asks of the API server for a release.

use switchback_schemas::{
    name::ObjectName,
    plan::{Objects, PolicyRule, RoleName},
};

use super::{Needs, On, Permission, Rbac, kube::Place};

const RBAC: &str = "rbac.authorization.k8s.io";

impl Needs<'_> {
    /// To upgrade a release or roll it back. What its templates look up while they are rendered nobody knows.
    pub(super) fn release(&mut self, release: &ObjectName) {
        self.records(release, &["get", "list", "create", "update", "delete"]);
        let plan = self.plan;
        for known in plan.releases.iter().filter(|known| known.release == *release) {
            known.objects.iter().for_each(|objects| self.written(objects));
            for hooks in &known.hooks {
                self.written(hooks);
                self.rbac(&["list", "watch"], &place(hooks));
            }
            for grant in &known.grants {
                grant.rules.iter().for_each(|rule| self.granted(grant.namespace.as_deref(), rule));
            }
            for RoleName { namespace, name } in &known.binds {
                let resource = if namespace.is_some() { "roles" } else { "clusterroles" };
                let role = Place::all(RBAC, resource).within(namespace.as_deref()).named(name);
                self.rbac(&["bind"], &role);
            }
        }
    }

    /// The Secrets in which helm keeps the revisions of a release. Their names are numbered on.
    pub(super) fn records(&mut self, release: &ObjectName, verbs: &[&str]) {
        self.rbac(verbs, &Place::all("", "secrets").within(release.namespace.as_deref()));
    }

    fn written(&mut self, objects: &Objects) {
        self.rbac(&["create"], &place(objects));
        for name in &objects.names {
            self.rbac(&["get", "patch", "delete"], &place(objects).named(name));
        }
    }

    /// A rule of a role that is written: one who does not have its permissions is refused.
    fn granted(&mut self, namespace: Option<&str>, rule: &PolicyRule) {
        let mut on = Vec::new();
        for (group, resource) in
            rule.api_groups.iter().flat_map(|group| rule.resources.iter().map(move |it| (group, it)))
        {
            let place = |name: Option<&String>| On::Resource {
                group: group.clone(),
                resource: resource.clone(),
                name: name.cloned(),
            };
            if rule.resource_names.is_empty() {
                on.push(place(None));
            }
            on.extend(rule.resource_names.iter().map(|name| place(Some(name))));
        }
        on.extend(rule.non_resource_urls.iter().cloned().map(On::Url));
        for (on, verb) in on.iter().flat_map(|on| rule.verbs.iter().map(move |verb| (on, verb))) {
            let namespace = namespace.map(str::to_owned);
            let permission = Rbac { namespace, on: on.clone(), verb: verb.clone() };
            self.found.insert(Permission::Rbac(permission));
        }
    }
}

fn place(objects: &Objects) -> Place {
    Place::all(&objects.group, &objects.resource).within(objects.namespace.as_deref())
}
