//! Which services are restarted by a hop, why, and how many GPUs that takes beside those that they hold.
//!
//! The controller writes the pods of every service anew when it starts, all at once: nothing holds it back. Only what follows from a
//! change of the service itself can come one after the other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_schemas::{
    Diagnostic, Severity, Version, codes,
    inventory::{Inventory, kserve::InferenceService},
};

use super::{facts::KserveFacts, modes::Renamed, road::Road};
use crate::{findings::listed, objects};

/// A service that the controller restarts when it starts.
pub(super) struct Restarted<'a> {
    pub(super) service: &'a InferenceService,
    /// Why, each reason once.
    pub(super) why: BTreeSet<String>,
}

/// What changes that pods of services are made from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Why every service is restarted.
    all: BTreeSet<String>,
    /// Why those are that fetch their model.
    fetching: BTreeSet<String>,
    /// Why those are that use a runtime, by its name.
    runtimes: BTreeMap<String, String>,
}

impl Changed {
    /// From the objects of all releases before a hop and after it.
    pub(super) fn between(
        facts: &KserveFacts,
        (from, to): (&Version, &Version),
        (before, after): (&[Value], &[Value]),
    ) -> Self {
        let mut changed = Self::default();
        let crossed = facts.restarts.iter().filter(|row| *from < row.crossing && row.crossing <= *to);
        changed.all.extend(crossed.map(|row| row.why.clone()));
        for key in &facts.images.fetching {
            let (old, new) = (image(facts, before, key), image(facts, after, key));
            if let Some(new) = new.filter(|new| old.as_ref() != Some(new)) {
                let old = old.unwrap_or_else(|| "none".to_owned());
                changed.fetching.insert(format!("the image that fetches models changes from {old} to {new}"));
            }
        }
        for runtime in after.iter().filter(|object| is_runtime(object)) {
            let Some(name) = objects::name(runtime) else { continue };
            let same = |object: &&Value| is_runtime(object) && objects::name(object) == Some(name);
            let was = before.iter().find(same).and_then(|object| object.get("spec"));
            if was.is_some() && was != runtime.get("spec") {
                changed.runtimes.insert(name.to_owned(), format!("ClusterServingRuntime {name} changes"));
            }
        }
        changed
    }

    /// Services that are restarted, each with why.
    pub(super) fn restarted<'a>(&self, services: &'a [InferenceService]) -> Vec<Restarted<'a>> {
        let of = |service: &'a InferenceService| {
            let mut why = self.all.clone();
            if service.fetches {
                why.extend(self.fetching.iter().cloned());
            }
            why.extend(service.runtime.as_ref().and_then(|runtime| self.runtimes.get(runtime)).cloned());
            Restarted { service, why }
        };
        services.iter().map(of).filter(|restarted| !restarted.why.is_empty()).collect()
    }
}

fn is_runtime(object: &Value) -> bool {
    objects::text(object, "/kind") == Some("ClusterServingRuntime")
}

/// An image that the controller's configuration names: its value is JSON in a text.
fn image(facts: &KserveFacts, objects: &[Value], key: &str) -> Option<String> {
    let is = |object: &&Value| {
        objects::text(object, "/kind") == Some("ConfigMap")
            && objects::name(object) == Some(facts.images.config_map.as_str())
    };
    let text = objects.iter().find(is)?.pointer("/data")?.get(key)?.as_str()?;
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("image")?.as_str().map(str::to_owned)
}

/// GPUs that a service takes beside its own while its pods roll.
pub(super) fn surge(service: &InferenceService) -> u64 {
    service.predictors.iter().map(|predictor| predictor.surge.min(predictor.replicas) * predictor.gpus).sum()
}

/// GPUs of ready nodes that no pod holds.
pub(super) fn free(inventory: &Inventory) -> u64 {
    let nodes = inventory.nodes.iter().filter(|node| node.ready && node.schedulable);
    let of = |node: &switchback_schemas::inventory::Node| {
        let held = |resource: &str| -> u64 {
            let pods = inventory.pods.iter().filter(|pod| pod.node == node.name);
            pods.filter_map(|pod| pod.needs.as_ref()?.requests.get(resource)).sum()
        };
        node.gpus.iter().map(|(resource, count)| count.saturating_sub(held(resource))).sum::<u64>()
    };
    nodes.map(of).sum()
}

impl Road<'_> {
    /// Says what is restarted, at once and one after the other, and whether the GPUs for it are there.
    pub(super) fn say_restarts(&self, at_once: &[Restarted<'_>], annotated: &[&Renamed<'_>]) {
        let total: u64 = at_once.iter().map(|restarted| surge(restarted.service)).sum();
        let single = at_once.iter().map(|restarted| restarted.service);
        let single = single.chain(annotated.iter().map(|renamed| renamed.service()));
        let largest = single.map(|service| (surge(service), service)).max_by_key(|(gpus, _)| *gpus);
        if !at_once.is_empty() {
            let why: BTreeSet<&str> =
                at_once.iter().flat_map(|restarted| &restarted.why).map(String::as_str).collect();
            let names = listed(at_once.iter().map(|restarted| restarted.service.name.to_string()));
            let message = format!(
                "the controller of KServe {} restarts {} of {} InferenceServices when it starts ({names}){}: {}",
                self.hop.to,
                at_once.len(),
                self.section.services.len(),
                taking(total),
                why.into_iter().collect::<Vec<_>>().join("; ")
            );
            self.notice(
                codes::PLAN_HOOK,
                message,
                "it does so at once and takes no batches; each keeps its old pods until new ones are Ready",
            );
        }
        if !annotated.is_empty() {
            let names = listed(annotated.iter().map(|renamed| renamed.service().name.to_string()));
            let most = annotated.iter().map(|renamed| surge(renamed.service())).max().unwrap_or(0);
            let message = format!(
                "the new word of their mode rolls the pods of {} InferenceServices, one after the other ({names}){}",
                annotated.len(),
                taking(most)
            );
            self.notice(codes::PLAN_HOOK, message, "annotations of a service are copied to its pods");
        }
        let free = free(self.inventory);
        if let Some((gpus, service)) = largest.filter(|(gpus, _)| *gpus > free) {
            let message = format!(
                "InferenceService {} takes {gpus} more GPUs while its pods roll, and {free} are free: its new pods would wait",
                service.name
            );
            let help = "free GPUs before, or let a node come for them; its old pods go on serving, and the run parks until the roll ends";
            self.capacity(&service.name.to_string(), message, help);
        } else if total > free {
            let message = format!(
                "the restarts take {total} more GPUs at once, and {free} are free: services roll as GPUs become free"
            );
            let help = "the old pods go on serving meanwhile; the roll takes longer";
            self.capacity("the restarts", message, help);
        }
    }

    fn notice(&self, code: codes::Code, message: String, help: &str) {
        let place = self.label(self.doc.doc, "/spec/to", "restarts models");
        self.findings.say(
            Diagnostic { severity: Severity::Warning, ..Diagnostic::warning(code, message) }
                .at(place)
                .help(help),
        );
    }

    fn capacity(&self, about: &str, message: String, help: &str) {
        let place = self.label(self.doc.doc, "/spec/to", "restarts models");
        let lacking = Diagnostic::warning(codes::PLAN_CAPACITY, message).at(place).help(help);
        self.findings.say_about(about, lacking);
    }
}

fn taking(gpus: u64) -> String {
    match gpus {
        0 => String::new(),
        1 => ", which takes 1 more GPU meanwhile".to_owned(),
        gpus => format!(", which takes {gpus} more GPUs meanwhile"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{component::Component as _, components::kserve::Kserve};

    fn between(from: &str, to: &str, before: &[Value], after: &[Value]) -> Changed {
        let version = |text: &str| text.parse().expect(text);
        let facts = Kserve.facts().expect("the catalog");
        Changed::between(&facts, (&version(from), &version(to)), (before, after))
    }

    /// Every predictor gets a variable at 0.17.0, and rolls by it.
    #[test]
    fn a_new_variable_restarts_every_service_once() {
        assert_eq!(between("0.16.0", "0.17.1", &[], &[]).all.len(), 1);
        assert_eq!(between("0.17.1", "0.18.1", &[], &[]), Changed::default());
        assert_eq!(between("0.15.2", "0.16.0", &[], &[]), Changed::default());
    }

    #[test]
    fn a_runtime_that_is_new_restarts_nobody_and_one_that_changes_those_that_use_it() {
        let runtime = |name: &str, image: &str| json!({"kind": "ClusterServingRuntime", "metadata": {"name": name}, "spec": {"image": image}});
        let before = [runtime("a", "1"), runtime("b", "1")];
        let after = [runtime("a", "1"), runtime("b", "2"), runtime("c", "1")];
        let changed = between("0.17.1", "0.18.1", &before, &after);
        assert_eq!(changed.runtimes.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn the_image_that_fetches_models_stands_in_a_text() {
        let config = |image: &str| {
            let text = json!({"image": image, "cpuRequest": "100m"}).to_string();
            json!({"kind": "ConfigMap", "metadata": {"name": "inferenceservice-config"}, "data": {"storageInitializer": text}})
        };
        let same = between("0.17.1", "0.18.1", &[config("i:1")], &[config("i:1")]);
        assert_eq!(same, Changed::default());
        let changed = between("0.17.1", "0.18.1", &[config("i:1")], &[config("i:2")]);
        assert_eq!(
            changed.fetching.into_iter().collect::<Vec<_>>(),
            ["the image that fetches models changes from i:1 to i:2"]
        );
    }
}
