//! What stands on a node, in which class, and what holds it there.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_executor::{ports::Call, untrusted::text};
use switchback_schemas::{
    journal::WaitsFor,
    plan::{Objection, WorkloadClass},
};

use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    fields,
    nodes::{self, pods_query},
    pods::{
        self,
        classes::{self, PodTraits, Verdict},
        filters::{Standing, standing},
        gpus, objections,
        owners::{Chain, Owners},
    },
};

/// A pod that has to move.
pub(super) struct Placed<'plan> {
    /// The pod.
    pub(super) pod: Value,
    /// Its controllers.
    pub(super) chain: Chain,
    /// Its class.
    pub(super) class: Option<&'plan WorkloadClass>,
    /// Whether it stands on a node with GPUs, or holds one.
    on_gpu_node: bool,
}

/// The pods of a node that have to move.
pub(super) async fn on<'plan>(
    api: &Reader,
    kinds: &Kinds<'_>,
    call: &'plan Call,
    node: &Value,
) -> Result<Vec<Placed<'plan>>, CallError> {
    let gpus = nodes::has_gpus(node, &call.fleet.pools);
    let mut owners = Owners::new(api, kinds);
    let mut found = Vec::new();
    for pod in api.list(&nodes::pods()?, &pods_query(fields::text(node, "/metadata/name"))).await? {
        if standing(&pod) != Standing::Moves {
            continue;
        }
        let chain = owners.chain(&pod).await?;
        let on_gpu_node = gpus || gpus::held_by(&pod);
        let seen = PodTraits { pod: &pod, owner_kinds: chain.kinds(), on_gpu_node };
        let class = classes::class_of(&call.fleet.classes, &seen);
        found.push(Placed { pod, chain, class, on_gpu_node });
    }
    Ok(found)
}

impl Placed<'_> {
    /// Its workload, in words.
    pub(super) fn workload(&self) -> String {
        let top = self.chain.top();
        text::line(
            &top.map_or_else(|| format!("Pod {}", pods::name(&self.pod)), |top| top.object.to_string()),
        )
    }

    /// What it waits for on its node after its workloads have been waited for so long; `None` where it may go now.
    ///
    /// Whose it is has to be known: an owner that cannot be read may be of the class that protects it.
    pub(super) fn held(&self, call: &Call, node: &str) -> Option<WaitsFor> {
        let seen =
            PodTraits { pod: &self.pod, owner_kinds: self.chain.kinds(), on_gpu_node: self.on_gpu_node };
        let undecided = WorkloadClass::unresolved(self.class, &objections::of_pod(&self.pod));
        let why = match &self.chain.unread {
            Some(unread) => Some(format!("whose it is, is unknown: {unread}")),
            None if !undecided.is_empty() => Some(needs_a_decision(&undecided)),
            None => None,
        };
        if why.is_none() && classes::decide(self.class, &seen, call.waited) == Verdict::Evict {
            return None;
        }
        Some(WaitsFor::Workload {
            workload: self.workload(),
            class: self.class.map(|class| class.name.to_string()),
            node: node.to_owned(),
            why: why.map(|why| text::line(&why)),
        })
    }
}

fn needs_a_decision(undecided: &BTreeSet<Objection>) -> String {
    let says: Vec<&str> = undecided.iter().map(|objection| objection.says()).collect();
    format!(
        "it needs a decision: {}; a workload class that says `{}` would let it move",
        says.join("; "),
        Objection::line(undecided)
    )
}

/// What a node waits for that somebody said no to: a class that overrides it, for all that stands there. Nothing resolves it for a
/// node on which nothing stands.
pub(super) fn node_held(node: &Value, placed: &[Placed<'_>]) -> Option<WaitsFor> {
    let objections = nodes::objections(node);
    let overridden = |objection: &Objection| {
        !placed.is_empty()
            && placed.iter().all(|one| one.class.is_some_and(|class| class.overrides.contains(objection)))
    };
    let undecided: BTreeSet<Objection> =
        objections.into_iter().filter(|objection| !overridden(objection)).collect();
    if undecided.is_empty() {
        return None;
    }
    let name = fields::text(node, "/metadata/name");
    let says: Vec<&str> = undecided.iter().map(|objection| objection.says()).collect();
    let resolve = if placed.is_empty() {
        "nothing stands on it: uncordon it, take the annotation away, or delete the node".to_owned()
    } else {
        format!("the class of all that stands on it has to say `{}`", Objection::line(&undecided))
    };
    Some(WaitsFor::Workload {
        workload: text::line(&format!("Node {name}")),
        class: None,
        node: name.to_owned(),
        why: Some(text::line(&format!("it needs a decision: {}; {resolve}", says.join("; ")))),
    })
}
