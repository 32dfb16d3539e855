//! What is asked of the API server.

use switchback_schemas::{
    name::{ObjectRef, group, plural},
    plan::{
        CaptureKind, CloudCapture, Find, HelmEffect, Identity, KubeCapture, KubeCondition, KubeEffect,
        Method, Operand, Target, WebCondition,
    },
};

use super::{Needs, On, Permission, Rbac};
use crate::service::Service;

/// Kinds of owners of pods that are always looked up, and pods themselves.
const OWNERS: [&str; 7] = ["Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"];

const CRDS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

/// Objects of a resource: all of them, those of a namespace, or one.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    group: String,
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl Place {
    /// Everywhere.
    pub(super) fn all(group: &str, resource: &str) -> Self {
        Self { group: group.to_owned(), resource: resource.to_owned(), ..Self::default() }
    }

    /// In a namespace, if there is one.
    pub(super) fn within(mut self, namespace: Option<&str>) -> Self {
        self.namespace = namespace.map(str::to_owned);
        self
    }

    /// One object.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The same, whatever its name: what is created has none yet.
    fn any(&self) -> Self {
        Self { name: None, ..self.clone() }
    }

    fn part(mut self, subresource: Option<&str>) -> Self {
        if let Some(subresource) = subresource {
            self.resource = format!("{}/{subresource}", self.resource);
        }
        self
    }

    fn object(object: &ObjectRef) -> Self {
        Self::all(object.group(), &plural(&object.kind))
            .within(object.namespace.as_deref())
            .named(&object.name)
    }

    /// An object; any node or its claim where only the run knows which.
    fn target(target: &Target) -> Self {
        match target {
            Target::Object(object) => Self::object(object),
            Target::ItemNode {} => Self::all("", "nodes"),
            Target::ItemNodeClaim {} => Self::all("karpenter.sh", "nodeclaims"),
        }
    }

    fn found(find: &Find) -> Self {
        Self::all(group(&find.api_version), &plural(&find.kind)).within(find.namespace.as_deref())
    }

    fn crd(name: &str) -> Self {
        Self::all(CRDS.0, CRDS.1).named(name)
    }
}

impl Needs<'_> {
    pub(super) fn rbac(&mut self, verbs: &[&str], place: &Place) {
        let Place { group, resource, namespace, name } = place;
        for verb in verbs {
            let on = On::Resource { group: group.clone(), resource: resource.clone(), name: name.clone() };
            let verb = (*verb).to_owned();
            self.found.insert(Permission::Rbac(Rbac { namespace: namespace.clone(), on, verb }));
        }
    }

    /// To prove which platform it is.
    pub(super) fn identity(&mut self) {
        for (target, identity) in &self.plan.platform.targets {
            if matches!(identity, Identity::Cluster { .. }) {
                self.rbac(&["get"], &Place::all("", "namespaces").named("kube-system"));
                // The claim on the platform, before any effect.
                let claims = Place::all("coordination.k8s.io", "leases").within(Some("kube-system"));
                self.rbac(&["create"], &claims);
                self.rbac(&["get", "update"], &claims.named("switchback"));
                self.census();
            }
            self.proof_at_aws(target, identity);
        }
    }

    pub(super) fn kube_effect(&mut self, effect: &KubeEffect) {
        match effect {
            KubeEffect::Apply(apply) => {
                let text = |pointer| apply.object.pointer(pointer).and_then(serde_json::Value::as_str);
                let (version, kind) = (text("/apiVersion"), text("/kind"));
                let resource = plural(kind.unwrap_or_default());
                let place = Place::all(group(version.unwrap_or_default()), &resource)
                    .within(text("/metadata/namespace"))
                    .named(text("/metadata/name").unwrap_or_default());
                self.rbac(&["patch"], &place);
                self.rbac(&["create"], &place.any());
            }
            KubeEffect::Admit(admit) => {
                let text = |pointer| admit.object.pointer(pointer).and_then(serde_json::Value::as_str);
                let resource = plural(text("/kind").unwrap_or_default());
                let place = Place::all(group(text("/apiVersion").unwrap_or_default()), &resource);
                self.rbac(&["create"], &place.within(text("/metadata/namespace")));
            }
            KubeEffect::Patch(patch) => {
                let place = Place::target(&patch.object);
                self.rbac(&["get"], &place);
                self.rbac(&["patch"], &place.part(patch.subresource.as_deref()));
            }
            KubeEffect::Restore(restore) => {
                let verbs: &[&str] = if restore.only_gone { &["get"] } else { &["get", "update"] };
                self.of_captured(&restore.objects, verbs);
            }
            KubeEffect::TryCreate(tried) => self.of_captured(&tried.objects, &[]),
            KubeEffect::TryUpdate(tried) => {
                for find in &tried.find {
                    self.rbac(&["get", "list", "update"], &Place::found(find));
                }
            }
            KubeEffect::Delete(delete) => self.rbac(&["get", "delete"], &Place::target(&delete.object)),
            KubeEffect::MigrateStorage(migrate) => {
                let (resource, group) = migrate.crd.split_once('.').unwrap_or((&migrate.crd, ""));
                self.rbac(&["get", "list", "update"], &Place::all(group, resource));
                self.rbac(&["get"], &Place::crd(&migrate.crd));
                self.rbac(&["patch"], &Place::crd(&migrate.crd).part(Some("status")));
            }
            KubeEffect::Cordon(cordon) => self.rbac(&["get", "patch"], &Place::target(&cordon.node)),
            KubeEffect::RestartPods(restart) => {
                self.rbac(&["get"], &Place::target(&restart.node));
                self.rbac(&["list"], &Place::all("", "pods"));
                self.rbac(&["delete"], &Place::all("", "pods").within(Some(&restart.pods.namespace)));
            }
            KubeEffect::NodeJob(job) => {
                self.rbac(&["get"], &Place::target(&job.node));
                let jobs = Place::all("batch", "jobs").within(Some(&job.namespace));
                self.rbac(&["create", "get", "patch", "delete"], &jobs);
                self.rbac(&["list"], &Place::all("", "pods"));
            }
            KubeEffect::Drain(drain) => {
                self.rbac(&["get"], &Place::target(&drain.node));
                self.rbac(&["create"], &Place::all("", "pods").part(Some("eviction")));
                self.rbac(&["list"], &Place::all("policy", "poddisruptionbudgets"));
                self.pods_and_owners();
            }
        }
    }

    pub(super) fn helm_effect(&mut self, effect: &HelmEffect) {
        match effect {
            HelmEffect::Detach(detached) | HelmEffect::Attach(detached) => {
                return self.records(&detached.release, &["get", "list", "patch"]);
            }
            other => self.release(other.release()),
        }
        if let HelmEffect::Rollback(rollback) = effect {
            for crd in &rollback.keep_crds {
                self.rbac(&["get", "patch"], &Place::crd(crd));
            }
        }
        for object in effect.handovers().into_iter().flatten().flat_map(|handed| &handed.objects) {
            self.rbac(&["get", "patch"], &Place::target(&Target::Object(object.clone())));
        }
    }

    /// What a roll looks at to choose nodes.
    pub(super) fn members(&mut self) {
        self.rbac(&["list"], &Place::all("", "nodes"));
        self.rbac(&["list"], &Place::all("karpenter.sh", "nodeclaims"));
        self.pods_and_owners();
    }

    /// What is counted before the run and compared with that: all that stands on the cluster.
    fn census(&mut self) {
        for resource in ["deployments", "statefulsets", "daemonsets"] {
            self.rbac(&["list"], &Place::all("apps", resource));
        }
        self.rbac(&["list"], &Place::all("batch", "jobs"));
        self.rbac(&["list"], &Place::all("", "nodes"));
        self.rbac(&["list"], &Place::all("", "services"));
        self.rbac(&["list"], &Place::all("discovery.k8s.io", "endpointslices"));
        self.rbac(&["list"], &Place::all("policy", "poddisruptionbudgets"));
        self.rbac(&["list"], &Place::all("serving.kserve.io", "inferenceservices"));
        for resource in ["nodepools", "nodeclaims"] {
            self.rbac(&["list"], &Place::all("karpenter.sh", resource));
        }
        self.rbac(&["get"], &Place::all("karpenter.k8s.aws", "ec2nodeclasses"));
        self.pods_and_owners();
    }

    /// Pods, and whose they are.
    fn pods_and_owners(&mut self) {
        self.rbac(&["list"], &Place::all("", "pods"));
        self.rbac(&["list"], &Place::all("apps", "replicasets"));
        for resource in ["replicasets", "deployments", "statefulsets", "daemonsets"] {
            self.rbac(&["get"], &Place::all("apps", resource));
        }
        for resource in ["jobs", "cronjobs"] {
            self.rbac(&["get"], &Place::all("batch", resource));
        }
        // Whose pods are is unknown while one of their owners cannot be read, and they hold their nodes then.
        let plan = self.plan;
        let standing = plan.standing.iter().flat_map(|standing| &standing.workloads);
        for owner in standing.flat_map(|one| one.through.iter().chain([&one.object])) {
            if owner.kind != "Node" && !OWNERS.contains(&owner.kind.as_str()) {
                self.rbac(&["get"], &Place::all(owner.group(), &plural(&owner.kind)));
            }
        }
        // Classes name kinds without their group.
        let kinds = plan.classes.iter().flat_map(|class| &class.select.owner_kinds);
        for kind in kinds.filter(|kind| !OWNERS.contains(&kind.as_str())) {
            self.rbac(&["get"], &Place::all("*", &plural(kind)));
        }
    }

    /// To create captured objects, and what else is done to each.
    fn of_captured(&mut self, objects: &Operand, verbs: &[&str]) {
        let Operand::Captured { step, name } = objects else { return };
        let plan = self.plan;
        let captures = plan.works().filter(|(id, _)| *id == step).flat_map(|(_, work)| &work.captures);
        for capture in captures.filter(|capture| capture.name == *name) {
            let places = match &capture.what {
                CaptureKind::Kube(KubeCapture::Objects(targets)) => {
                    targets.iter().map(Place::target).collect()
                }
                CaptureKind::Kube(KubeCapture::Found(find)) => vec![Place::found(find)],
                CaptureKind::Kube(KubeCapture::Kinds(finds)) => finds.iter().map(Place::found).collect(),
                CaptureKind::Kube(KubeCapture::Field { .. } | KubeCapture::Revision(_))
                | CaptureKind::Cloud(_)
                | CaptureKind::Prometheus(_) => Vec::new(),
            };
            for place in places {
                self.rbac(verbs, &place);
                self.rbac(&["create"], &place.any());
            }
        }
    }

    pub(super) fn capture(&mut self, what: &CaptureKind) {
        match what {
            CaptureKind::Kube(KubeCapture::Field { object, .. }) => {
                self.rbac(&["get"], &Place::target(object));
            }
            CaptureKind::Kube(KubeCapture::Revision(release)) => self.records(release, &["list"]),
            CaptureKind::Kube(KubeCapture::Objects(targets)) => {
                for target in targets {
                    self.rbac(&["get"], &Place::target(target));
                }
            }
            CaptureKind::Kube(KubeCapture::Found(find)) => self.rbac(&["list"], &Place::found(find)),
            CaptureKind::Kube(KubeCapture::Kinds(finds)) => {
                for find in finds {
                    self.rbac(&["list"], &Place::found(find));
                }
            }
            CaptureKind::Cloud(CloudCapture { of, .. }) => self.described(of),
            CaptureKind::Prometheus(query) => self.proxied(&query.url, "get"),
        }
    }

    pub(super) fn kube_condition(&mut self, condition: &KubeCondition) {
        match condition {
            KubeCondition::Field { object, .. } | KubeCondition::Rollout { object } => {
                self.rbac(&["get"], &Place::target(object));
            }
            KubeCondition::Count { find, .. } => self.rbac(&["list"], &Place::found(find)),
            KubeCondition::CountOfClass { find, .. } => {
                self.rbac(&["get", "list"], &Place::found(find));
                if find.kind == "Pod" {
                    self.pods_and_owners();
                }
            }
            // Everybody may ask about themselves.
            KubeCondition::Allowed { reviews } => {
                if reviews.iter().any(|review| review.account.is_some()) {
                    self.rbac(&["create"], &Place::all("authorization.k8s.io", "subjectaccessreviews"));
                }
            }
            KubeCondition::Release { release, .. } | KubeCondition::NoRelease { release } => {
                self.records(release, &["list"]);
            }
            KubeCondition::Drained { node }
            | KubeCondition::DaemonPods { node, .. }
            | KubeCondition::DevicesFree { node, .. } => {
                self.rbac(&["get"], &Place::target(node));
                self.rbac(&["list"], &Place::all("", "pods"));
            }
            KubeCondition::ConversionReady { crd } => {
                self.rbac(&["get"], &Place::crd(crd));
                // Which Service converts stands in the definition.
                self.rbac(&["get"], &Place::all("", "services"));
                self.rbac(&["list"], &Place::all("discovery.k8s.io", "endpointslices"));
            }
            KubeCondition::StoredAs { crd, .. } => self.rbac(&["get"], &Place::crd(crd)),
            KubeCondition::Logs { pods, .. } => {
                let of = |plural| Place::all("", plural).within(Some(&pods.namespace));
                self.rbac(&["list"], &of("pods"));
                self.rbac(&["get"], &of("pods/log"));
            }
            KubeCondition::NodesReady { .. } => self.rbac(&["list"], &Place::all("", "nodes")),
            KubeCondition::Offers { node, .. } => self.rbac(&["get"], &Place::target(node)),
            KubeCondition::KernelModule { node, .. } => {
                self.rbac(&["get"], &Place::target(node));
                self.rbac(&["get"], &Place::all("kmm.sigs.x-k8s.io", "nodemodulesconfigs"));
            }
        }
    }

    /// What is in the cluster is asked through its API server.
    pub(super) fn web_condition(&mut self, condition: &WebCondition) {
        let posts = matches!(condition, WebCondition::Http { request, .. } if request.method == Method::Post);
        // The API server takes a POST for the creation of something.
        self.proxied(condition.url(), if posts { "create" } else { "get" });
    }

    fn proxied(&mut self, url: &str, verb: &'static str) {
        if let Some(service) = Service::of_url(url) {
            let proxy = Place::all("", "services/proxy");
            self.rbac(&[verb], &proxy.within(Some(&service.namespace)).named(&service.name));
        }
    }
}
