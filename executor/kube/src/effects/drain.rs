//! `node.drain`: empties a cordoned node by the eviction API, as the workload classes say.
//!
//! One call does what can be done now and answers what the rest waits for. What somebody objects to moving stays until a class
//! overrides it by name. Budgets are honoured always: there is no
//! deletion in this file. Nothing is evicted while two budgets cover one pod (the API server could never evict it), of a gang
//! either all pods on the node are evicted or none, and no pod is while that would end its Job as failed.

mod gone;
mod jobs;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use switchback_executor::{
    ports::{Call, Certainty, Classify as _, Failure},
    untrusted::text,
};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome, WaitsFor},
    plan::{BoundObject, NodeDrain, Objection, WorkloadClass},
};

use super::placed::{self, Placed};
use crate::{
    api::{Kinds, Query, Sought, Writer, another, object_path},
    classify::CallError,
    fields,
    nodes::{self, pods_query},
    pods::{
        self,
        budgets::Budget,
        filters::{Standing, standing},
        owners::Owner,
    },
    target::{self, There, done, refused, unconfirmed},
};

pub(super) async fn run(
    api: &Writer,
    call: &Call,
    effect: &NodeDrain<BoundObject>,
) -> Result<Outcome, CallError> {
    let kinds = Kinds::new(&api.read);
    let found = target::find(&api.read, &kinds, &effect.node).await?;
    let node = match &found.there {
        There::It(node) => node,
        There::Another(node) => return Err(another(&found.named.to_string(), node)),
        There::Nothing | There::Successor(_) => {
            return gone::of_node(&api.read, &kinds, call, &effect.node).await;
        }
    };
    if !nodes::is_cordoned(node) {
        return Ok(refused(format!("{} is schedulable: what leaves it could come back", found.named)));
    }
    let drain = Drain { api, kinds: &kinds, node: &found.named.name };
    let held = drain.survey(call, node).await?;
    let held = match held {
        Survey::Refused(lines) => {
            return Ok(Outcome::NotDone { class: Class::Refused, evidence: Evidence(lines) });
        }
        Survey::Decided(decided) => decided,
    };
    let mut waits = held.waits;
    for pod in &held.evict {
        match drain.evict(pod, &held.budgets).await {
            Evicted::Gone => {}
            Evicted::Waits(wait) => {
                waits.insert(wait);
            }
            Evicted::Ended(outcome) => return Ok(outcome),
        }
    }
    // Pods were evicted, so what cannot be read now is no longer "nothing happened".
    Ok(drain.end(call, waits).await.unwrap_or_else(|error| {
        let Failure { class, evidence } = error.failure();
        Outcome::InDoubt { class, evidence }
    }))
}

/// What is found on a node before anything is touched.
enum Survey {
    /// Nothing may be touched: two budgets cover one pod.
    Refused(Vec<String>),
    /// This is to be done.
    Decided(Decided),
}

/// A pod that may go.
struct Leaving {
    pod: Value,
    /// The UID of the gang that it belongs to.
    gang: Option<String>,
    /// Its controllers, nearest first.
    owners: Vec<Owner>,
    /// Its class.
    class: Option<WorkloadClass>,
}

impl Leaving {
    /// The gang with which it goes or stays.
    fn together(&self) -> Option<&String> {
        let in_parts = |class: &WorkloadClass| class.overrides.contains(&Objection::GangBudget);
        self.gang.as_ref().filter(|_| !self.class.as_ref().is_some_and(in_parts))
    }
}

/// What is to be done now, and what is waited for.
struct Decided {
    evict: Vec<Value>,
    waits: BTreeSet<WaitsFor>,
    budgets: Vec<Value>,
}

/// How the eviction of one pod ended.
enum Evicted {
    /// It is on its way, or gone.
    Gone,
    /// It has to wait.
    Waits(WaitsFor),
    /// The drain ends here.
    Ended(Outcome),
}

struct Drain<'call> {
    api: &'call Writer,
    kinds: &'call Kinds<'call>,
    node: &'call str,
}

impl Drain<'_> {
    async fn survey(&self, call: &Call, node: &Value) -> Result<Survey, CallError> {
        let placed = placed::on(&self.api.read, self.kinds, call, node).await?;
        let mut evict = Vec::new();
        // An empty node was asked about before it was cordoned.
        let held = placed::node_held(node, &placed).filter(|_| !placed.is_empty());
        let mut waits: BTreeSet<WaitsFor> = held.into_iter().collect();
        if !waits.is_empty() {
            return Ok(Survey::Decided(Decided { evict: Vec::new(), waits, budgets: Vec::new() }));
        }
        for one in placed {
            if let Some(held) = one.held(call, self.node) {
                waits.insert(held);
                continue;
            }
            let Placed { pod, chain, class, .. } = one;
            let gang = class.filter(|class| class.gang).and(chain.top()).map(|owner| owner.uid.clone());
            evict.push(Leaving { pod, gang, owners: chain.owners, class: class.cloned() });
        }
        let budgets = self.budgets(&evict).await?;
        let budgets_seen = Budget::all(&budgets);
        let twice = covered_twice(&evict, &budgets_seen);
        if !twice.is_empty() {
            return Ok(Survey::Refused(twice));
        }
        let evict = self.spare_jobs(evict, &mut waits).await?;
        let evict = hold_gangs(evict, &budgets_seen, &mut waits);
        Ok(Survey::Decided(Decided { evict, waits, budgets }))
    }

    async fn pods(&self) -> Result<Vec<Value>, CallError> {
        self.api.read.list(&nodes::pods()?, &pods_query(self.node)).await
    }

    async fn budgets(&self, evict: &[Leaving]) -> Result<Vec<Value>, CallError> {
        let namespaces: BTreeSet<&str> =
            evict.iter().map(|leaving| fields::text(&leaving.pod, "/metadata/namespace")).collect();
        let resource = nodes::built_in("policy/v1", "PodDisruptionBudget")?;
        let mut budgets = Vec::new();
        for namespace in namespaces {
            let query = Query { namespace: Some(namespace.to_owned()), ..Query::all() };
            match self.api.read.list(&resource, &query).await {
                Ok(found) => budgets.extend(found),
                // Without them the API server still honours budgets; only their names are missing beforehand.
                Err(error) if error.is_forbidden() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(budgets)
    }

    async fn evict(&self, pod: &Value, budgets: &[Value]) -> Evicted {
        let (namespace, name) =
            (fields::text(pod, "/metadata/namespace"), fields::text(pod, "/metadata/name"));
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": fields::text(pod, "/metadata/uid")}},
        });
        let requested = async {
            let kind = nodes::pods()?;
            let path = object_path(&kind, Some(namespace), Some(name), Some("eviction"))?;
            match self.api.evict(&path, &eviction).await {
                Err(error) if Sought::new(&kind, Some(namespace), name).is_gone(&error) => Ok(()),
                Err(error) if error.is_other_uid() => Ok(()),
                other => other,
            }
        };
        let Err(error) = requested.await else { return Evicted::Gone };
        let covering = || {
            let covering = Budget::all(budgets).into_iter().filter(|budget| budget.covers(pod));
            covering.map(|budget| budget.name()).collect::<Vec<_>>()
        };
        if let CallError::Refused(status) = &error {
            if let Some(cause) = status.cause("DisruptionBudget") {
                let budget = covering().into_iter().next().unwrap_or_else(|| cause.message.clone());
                return Evicted::Waits(WaitsFor::Budget { budget, pod: pods::name(pod) });
            }
            if status.cause("NamespaceTerminating").is_some() {
                return Evicted::Waits(WaitsFor::Terminating { pods: 1, node: self.node.to_owned() });
            }
            if status.message.contains("more than one PodDisruptionBudget") {
                let line = format!("pod {} is covered by {}", pods::name(pod), covering().join(" and "));
                return Evicted::Ended(refused(format!("{line}: the API server can never evict it")));
            }
        }
        let failed = error.classify();
        match (failed.certainty(), failed.class()) {
            // Somebody else evicts under the same budget at this moment.
            (Certainty::NotDone, Class::Conflict) => Evicted::Waits(WaitsFor::Unreadable {
                what: format!("whether pod {} may be evicted", pods::name(pod)),
                why: text::line(&error.to_string()),
            }),
            _ => Evicted::Ended(error.of_write()),
        }
    }

    /// Looks again at what is left.
    async fn end(&self, call: &Call, mut waits: BTreeSet<WaitsFor>) -> Result<Outcome, CallError> {
        let left = self.pods().await?;
        let terminating = left.iter().filter(|pod| standing(pod) == Standing::Terminating).count();
        let moving = left.iter().any(|pod| standing(pod) == Standing::Moves);
        waits.retain(|wait| !matches!(wait, WaitsFor::Terminating { .. }));
        if terminating > 0 || (moving && waits.is_empty()) {
            let pods = u64::try_from(terminating.max(1)).unwrap_or(u64::MAX);
            waits.insert(WaitsFor::Terminating { pods, node: self.node.to_owned() });
        }
        if waits.is_empty() {
            // A list that came back empty or in part looks the same.
            let nothing = format!("nothing is left to move on node {}", self.node);
            return Ok(unconfirmed(call, &nothing).unwrap_or_else(|| done(&nothing)));
        }
        Ok(Outcome::Blocked { waits_for: waits.into_iter().collect() })
    }
}

/// Pods that two budgets cover, in words.
fn covered_twice(evict: &[Leaving], budgets: &[Budget<'_>]) -> Vec<String> {
    let line = |pod: &Value| {
        let covering: Vec<String> =
            budgets.iter().filter(|budget| budget.covers(pod)).map(Budget::name).collect();
        (covering.len() > 1).then(|| {
            format!(
                "pod {} is covered by the PodDisruptionBudgets {}: the API server can never evict it; leave one of them",
                pods::name(pod),
                covering.join(" and ")
            )
        })
    };
    evict.iter().filter_map(|leaving| line(&leaving.pod)).map(|line| text::line(&line)).collect()
}

/// Takes out the pods of gangs that cannot be evicted as a whole now.
fn hold_gangs(evict: Vec<Leaving>, budgets: &[Budget<'_>], waits: &mut BTreeSet<WaitsFor>) -> Vec<Value> {
    let mut gangs: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for leaving in &evict {
        if let Some(gang) = leaving.together() {
            gangs.entry(gang.clone()).or_default().push(&leaving.pod);
        }
    }
    let mut held = BTreeSet::new();
    for (gang, members) in &gangs {
        for budget in budgets {
            let covered: Vec<_> = members.iter().filter(|pod| budget.covers(pod)).collect();
            if u64::try_from(covered.len()).unwrap_or(u64::MAX) > budget.allowed() {
                held.insert(gang.clone());
                waits.extend(
                    covered
                        .iter()
                        .map(|pod| WaitsFor::Budget { budget: budget.name(), pod: pods::name(pod) }),
                );
            }
        }
    }
    let free = |leaving: &Leaving| leaving.together().is_none_or(|gang| !held.contains(gang));
    evict.into_iter().filter(free).map(|leaving| leaving.pod).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> Value {
        json!({"metadata": {"namespace": "a", "name": name, "labels": {"app": "web"}}})
    }

    fn leaving(name: &str, gang: Option<&str>) -> Leaving {
        Leaving { pod: pod(name), gang: gang.map(str::to_owned), owners: Vec::new(), class: None }
    }

    fn budget(name: &str, allowed: u64) -> Value {
        json!({"metadata": {"namespace": "a", "name": name}, "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": allowed}})
    }

    #[test]
    fn p04_two_budgets_over_one_pod_are_named_before_anything_is_evicted() {
        let budgets = [budget("x", 1), budget("y", 1)];
        let lines = covered_twice(&[leaving("p", None)], &Budget::all(&budgets));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("a/p"), "{lines:?}");
        assert!(lines[0].contains("a/x and a/y"), "{lines:?}");
        assert!(covered_twice(&[leaving("p", None)], &Budget::all(&budgets[..1])).is_empty());
    }

    #[test]
    fn a_gang_is_evicted_whole_or_not_at_all() {
        let evict = || vec![leaving("p", Some("g")), leaving("q", Some("g")), leaving("r", None)];
        let mut waits = BTreeSet::new();
        let tight = [budget("x", 1)];
        let left = hold_gangs(evict(), &Budget::all(&tight), &mut waits);
        assert_eq!(left, [pod("r")]);
        assert_eq!(waits.len(), 2);
        let wide = [budget("x", 2)];
        assert_eq!(hold_gangs(evict(), &Budget::all(&wide), &mut BTreeSet::new()).len(), 3);
    }
}
