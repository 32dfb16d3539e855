//! The state of the platform: objects, clock, and what is going to happen.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kinds::{self, Kind, crd};

mod actor;
mod clock;
mod delete;
mod error;
pub(crate) mod key;
mod log;
mod requests;
mod settings;
mod snapshot;
mod write;

pub(crate) use actor::{Actor, Cast, Part, Wakes};
pub use delete::{DeleteOptions, Propagation};
pub use error::WorldError;
pub use key::Key;
pub use log::LogEntry;
pub(crate) use requests::{Requests, amount, requests};
pub use settings::{Assign, Chart, CloudTimings, Converter, Settings, Timings};
pub(crate) use write::labels;

use clock::Work;
use key::{list, text};

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It came.
    Added,
    /// It changed.
    Modified,
    /// It went.
    Deleted,
}

/// One entry of the history that watches read.
#[derive(Debug, Clone)]
pub struct Change {
    /// The resourceVersion it made.
    pub rv: u64,
    /// What happened.
    pub kind: ChangeKind,
    /// To which object.
    pub key: Key,
    /// The object after it, for a deletion before it.
    pub object: Arc<Value>,
    /// The object before it.
    pub before: Option<Arc<Value>>,
}

/// How many changes the history keeps, as the watch cache of a server does.
const HISTORY: usize = 20_000;

/// The state of the platform. Cloning shares structure and takes no time.
#[derive(Debug, Clone)]
pub struct World {
    objects: OrdMap<Key, Arc<Value>>,
    by_owner: OrdSet<(Arc<str>, Key)>,
    by_node: OrdSet<(Arc<str>, Key)>,
    /// What the pods of each node ask of it that are not over.
    requested: OrdMap<Arc<str>, Requests>,
    custom: OrdMap<Arc<str>, Arc<Vec<Arc<Kind>>>>,
    history: Vector<Change>,
    floor: u64,
    agenda: OrdSet<Work>,
    log: Vector<LogEntry>,
    settings: Arc<Settings>,
    cast: Cast,
    /// What is kept beside objects, by type: each an `Arc` of it.
    parts: http::Extensions,
    now: Timestamp,
    rv: u64,
    counter: u64,
}

impl World {
    /// An empty cluster: the namespaces that every cluster has, nothing else.
    pub(crate) fn empty(start: Timestamp, settings: Settings, cast: Cast) -> Self {
        let mut world = Self {
            objects: OrdMap::new(),
            by_owner: OrdSet::new(),
            by_node: OrdSet::new(),
            requested: OrdMap::new(),
            custom: OrdMap::new(),
            history: Vector::new(),
            floor: 0,
            agenda: OrdSet::new(),
            log: Vector::new(),
            settings: Arc::new(settings),
            cast,
            parts: http::Extensions::new(),
            now: start,
            rv: 1,
            counter: 0,
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            world.add_namespace(name);
        }
        let admin = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "cluster-admin"},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
        });
        world.create(Key::new("rbac.authorization.k8s.io", "clusterroles", "", "cluster-admin"), admin);
        world
    }

    fn add_namespace(&mut self, name: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        });
        self.create(Key::core("namespaces", "", name), object);
    }

    /// The instant it is here.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The instant as objects print it: whole seconds.
    pub fn stamp(&self) -> String {
        stamp(self.now)
    }

    /// The latest resourceVersion.
    pub fn resource_version(&self) -> u64 {
        self.rv
    }

    /// Declared behaviour.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes declared behaviour.
    pub fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }

    /// What is kept of a type, where it is.
    pub(crate) fn part<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.parts.get::<Arc<T>>().map(|part| &**part)
    }

    /// What is kept of a type, to change it; the default where nothing was.
    pub(crate) fn part_mut<T: Default + Clone + Send + Sync + 'static>(&mut self) -> &mut T {
        Arc::make_mut(self.parts.get_or_insert_default::<Arc<T>>())
    }

    /// An object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// All objects, in key order.
    pub fn objects(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Objects of a resource, of all namespaces where `namespace` is `None`.
    pub fn list<'a>(
        &'a self,
        group: &'a str,
        resource: &'a str,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let from = Key::new(group, resource, namespace.unwrap_or_default(), "");
        self.objects.range(from..).take_while(move |(key, _)| {
            key.is(group, resource) && namespace.is_none_or(|n| &*key.namespace == n)
        })
    }

    /// Pods bound to a node.
    pub fn pods_on(&self, node: &str) -> Vec<(Key, Arc<Value>)> {
        self.indexed(&self.by_node, node)
    }

    /// What the pods of a node ask of it.
    pub(crate) fn requested(&self, node: &str) -> &Requests {
        static NOTHING: Requests = Requests::new();
        self.requested.get(node).unwrap_or(&NOTHING)
    }

    /// Objects owned by a uid.
    pub fn owned_by(&self, uid: &str) -> Vec<(Key, Arc<Value>)> {
        self.indexed(&self.by_owner, uid)
    }

    fn indexed(&self, index: &OrdSet<(Arc<str>, Key)>, of: &str) -> Vec<(Key, Arc<Value>)> {
        index
            .range((of.into(), Key::new("", "", "", ""))..)
            .take_while(|(owner, _)| &**owner == of)
            .filter_map(|(_, key)| self.objects.get(key).map(|o| (key.clone(), o.clone())))
            .collect()
    }

    /// The kind served under a group, version and resource.
    pub(crate) fn kind(&self, group: &str, version: &str, resource: &str) -> Option<Arc<Kind>> {
        self.kinds().find(|k| k.group == group && k.version == version && k.resource == resource)
    }

    /// The kind of an object, by its apiVersion and kind.
    pub(crate) fn kind_of(&self, object: &Value) -> Option<Arc<Kind>> {
        let (group, version) = kinds::split_api_version(text(object, "/apiVersion"));
        let kind = text(object, "/kind");
        self.kinds().find(|k| k.group == group && k.version == version && k.kind == kind)
    }

    /// The kind under which the objects of a key are stored.
    pub(crate) fn stored_kind(&self, key: &Key) -> Option<Arc<Kind>> {
        let mut found = None;
        for kind in self.kinds().filter(|k| k.group == *key.group && k.resource == *key.resource) {
            let storage = kind.custom.as_ref().is_none_or(|c| c.storage == kind.version);
            if storage || found.is_none() {
                found = Some(kind);
            }
        }
        found
    }

    /// All served kinds.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Arc<Kind>> {
        kinds::builtin().iter().cloned().chain(self.custom.values().flat_map(|k| k.iter().cloned()))
    }

    /// The history after a resourceVersion; `None` where that is forgotten.
    pub fn since(&self, rv: u64) -> Option<impl Iterator<Item = &Change>> {
        if rv < self.floor {
            return None;
        }
        let from = match self.history.binary_search_by(|c| c.rv.cmp(&rv)) {
            Ok(at) => at + 1,
            Err(at) => at,
        };
        Some(self.history.iter().skip(from))
    }

    /// Forgets the history.
    pub fn compact(&mut self) {
        self.history.clear();
        self.floor = self.rv;
    }

    /// The next number for names and uids.
    pub fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A suffix for a generated name.
    pub fn suffix(&mut self) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let base = ALPHABET.len() as u64;
        // Spread neighbouring counts, so that names do not sort by age.
        let mut n = self.count().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        (0..5)
            .map(|_| {
                let digit = usize::try_from(n % base).unwrap_or_default();
                n /= base;
                ALPHABET.get(digit).copied().map_or('x', char::from)
            })
            .collect()
    }

    /// Stores an object as it is, under a new resourceVersion, and tells the actors.
    pub(crate) fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        self.rv += 1;
        key::set(&mut object, &["metadata", "resourceVersion"], self.rv.to_string().into());
        let object = Arc::new(object);
        let before = self.objects.insert(key.clone(), object.clone());
        if let Some(before) = &before {
            self.unindex(&key, before);
        }
        self.index(&key, &object);
        let kind = if before.is_some() { ChangeKind::Modified } else { ChangeKind::Added };
        self.record(Change { rv: self.rv, kind, key, object: object.clone(), before });
        object
    }

    /// Takes an object out and tells the actors.
    pub(crate) fn take(&mut self, key: &Key) -> Option<Arc<Value>> {
        let before = self.objects.remove(key)?;
        self.unindex(key, &before);
        self.rv += 1;
        let mut last = (*before).clone();
        key::set(&mut last, &["metadata", "resourceVersion"], self.rv.to_string().into());
        let object = Arc::new(last);
        self.record(Change {
            rv: self.rv,
            kind: ChangeKind::Deleted,
            key: key.clone(),
            object: object.clone(),
            before: Some(before),
        });
        Some(object)
    }

    fn record(&mut self, change: Change) {
        self.tell(&change);
        self.history.push_back(change);
        if self.history.len() > HISTORY
            && let Some(gone) = self.history.pop_front()
        {
            self.floor = gone.rv;
        }
    }

    fn index(&mut self, key: &Key, object: &Arc<Value>) {
        for owner in list(object, "/metadata/ownerReferences") {
            self.by_owner.insert((text(owner, "/uid").into(), key.clone()));
        }
        if key.is("", "pods") && !text(object, "/spec/nodeName").is_empty() {
            self.by_node.insert((text(object, "/spec/nodeName").into(), key.clone()));
            self.request(object, i64::wrapping_add);
        }
        if &*key.resource == "customresourcedefinitions" {
            let kinds = crd::kinds(object).into_iter().map(Arc::new).collect();
            self.custom.insert(key.name.clone(), Arc::new(kinds));
        }
    }

    fn unindex(&mut self, key: &Key, object: &Arc<Value>) {
        for owner in list(object, "/metadata/ownerReferences") {
            self.by_owner.remove(&(text(owner, "/uid").into(), key.clone()));
        }
        if key.is("", "pods") {
            self.by_node.remove(&(text(object, "/spec/nodeName").into(), key.clone()));
            self.request(object, i64::wrapping_sub);
        }
        if &*key.resource == "customresourcedefinitions" {
            self.custom.remove(&key.name);
        }
    }

    /// Counts what a pod asks of its node, or does so no more.
    fn request(&mut self, pod: &Value, count: fn(i64, i64) -> i64) {
        if !requests::takes(pod) {
            return;
        }
        let node = text(pod, "/spec/nodeName");
        let mut all = self.requested.remove(node).unwrap_or_default();
        for (name, amount) in requests(pod) {
            let sum = all.entry(name).or_default();
            *sum = count(*sum, amount);
        }
        all.retain(|_, sum| *sum != 0);
        if !all.is_empty() {
            self.requested.insert(node.into(), all);
        }
    }

    /// Accepted effects so far.
    pub fn log(&self) -> Vec<LogEntry> {
        self.log.iter().cloned().collect()
    }

    /// How many effects were accepted so far.
    pub fn log_len(&self) -> usize {
        self.log.len()
    }

    pub(crate) fn note(&mut self, entry: LogEntry) {
        self.log.push_back(entry);
    }

    /// Forgets the accepted effects so far.
    pub(crate) fn forget_log(&mut self) {
        self.log = Vector::new();
    }
}

/// An instant as objects print it: whole seconds.
pub(crate) fn stamp(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
