//! Whether a pod that is evicted can stand somewhere else: *cannot*, *fits*, or *unknown*.
//!
//! It is no scheduler. It asks which kinds of nodes there will be, and whether one could take the pod: whether one is free, and
//! whether a cloud has one, is not asked. *Cannot* is said only where no node that stays and none that could be made would take it,
//! so what is not known is never a reason for it.

use std::collections::{BTreeMap, BTreeSet};

use switchback_schemas::{
    inventory::{
        Inventory, Node, NodeOperator, NodeRequirement, NodeTemplate, PodNeeds, Taint, karpenter::Karpenter,
    },
    plan::Refit,
};

use super::{NODE_GROUP, NODE_POOL};

const HOSTNAME: &str = "kubernetes.io/hostname";
/// How a term names the node itself.
const NAME: &str = "metadata.name";
const ZONE: &str = "topology.kubernetes.io/zone";
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// Other names of the zone, which volumes have.
const ZONES: [&str; 2] = ["failure-domain.beta.kubernetes.io/zone", "topology.ebs.csi.aws.com/zone"];
/// Labels that Karpenter gives a node by the instance that it chooses.
const CHOSEN: [&str; 5] = [
    "kubernetes.io/arch",
    "kubernetes.io/os",
    INSTANCE_TYPE,
    "karpenter.k8s.aws/",
    "node.kubernetes.io/windows",
];

/// Whether something holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    Unknown(String),
    No(String),
}

impl Answer {
    /// Both.
    fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No(_) => self,
            Self::Yes => other(),
            Self::Unknown(_) => match other() {
                Self::No(why) => Self::No(why),
                _ => self,
            },
        }
    }

    /// One of them; the first reason where none holds.
    fn any(answers: impl IntoIterator<Item = Self>) -> Self {
        let mut worst = None;
        for answer in answers {
            match (&worst, &answer) {
                (_, Self::Yes) => return Self::Yes,
                (Some(Self::Unknown(_)), _) | (Some(Self::No(_)), Self::No(_)) => {}
                _ => worst = Some(answer),
            }
        }
        worst.unwrap_or_else(|| Self::No("there is no other node".to_owned()))
    }

    fn of(holds: bool, why: impl FnOnce() -> String) -> Self {
        if holds { Self::Yes } else { Self::No(why()) }
    }
}

/// What a node has, by resource.
type Amounts = BTreeMap<String, u64>;

/// A kind of node that there will be.
enum Kind<'a> {
    /// One that is there and stays.
    Stays(&'a Node),
    /// What a NodePool makes.
    Made { name: &'a str, template: &'a NodeTemplate, seen: Vec<&'a Node> },
    /// What takes the place of a node that another than Karpenter made.
    Like(&'a Node),
    /// Something of which nothing is known but that it is new.
    New,
}

/// Kinds of nodes that there will be when some have left.
pub struct Fleet<'a> {
    kinds: Vec<Kind<'a>>,
    /// Names of all nodes: a new one has another.
    taken: BTreeSet<&'a str>,
    /// What nodes have, by instance type.
    types: BTreeMap<&'a str, Vec<&'a Amounts>>,
}

impl<'a> Fleet<'a> {
    /// The kinds of nodes that there will be when those that `leave` have left.
    pub fn new(inventory: &'a Inventory, karpenter: Option<&'a Karpenter>, leave: &BTreeSet<&str>) -> Self {
        let nodes = &inventory.nodes;
        let mut types: BTreeMap<&str, Vec<&Amounts>> = BTreeMap::new();
        for node in nodes.iter().filter(|node| !node.capacity.is_empty()) {
            let all = types.entry(label(node, INSTANCE_TYPE).unwrap_or_default()).or_default();
            if !all.contains(&&node.capacity) {
                all.push(&node.capacity);
            }
        }
        let mut kinds: Vec<Kind<'_>> = Vec::new();
        let mut blind = karpenter.is_none();
        for pool in karpenter.iter().flat_map(|section| &section.node_pools) {
            let Some(template) = &pool.template else {
                blind = true;
                continue;
            };
            let seen = nodes.iter().filter(|node| label(node, NODE_POOL) == Some(&pool.name)).collect();
            kinds.push(Kind::Made { name: &pool.name, template, seen });
        }
        let made = |node: &Node| {
            let pool = label(node, NODE_POOL);
            karpenter.is_some_and(|section| section.node_pools.iter().any(|p| Some(p.name.as_str()) == pool))
        };
        let mut like: Vec<(BTreeMap<&str, &str>, &Vec<Taint>, &Amounts)> = Vec::new();
        for node in nodes {
            if !leave.contains(node.name.as_str()) {
                kinds.push(Kind::Stays(node));
            } else if !made(node) {
                let own = |key: &str| key == HOSTNAME;
                let labels = node.labels.iter().filter(|(key, _)| !own(key));
                let shape = (
                    labels.map(|(key, value)| (key.as_str(), value.as_str())).collect(),
                    &node.taints,
                    &node.capacity,
                );
                if !like.contains(&shape) {
                    like.push(shape);
                    kinds.push(Kind::Like(node));
                }
            }
        }
        // Groups that are empty now can make nodes, too.
        let grouped = nodes.iter().any(|node| node.labels.contains_key(NODE_GROUP));
        let scaled = inventory.workloads.iter().any(|one| one.object.name.contains("cluster-autoscaler"));
        if blind || grouped || scaled || inventory.components.keys().any(|name| name.as_str() == "eks") {
            kinds.push(Kind::New);
        }
        let hostnames = nodes.iter().filter_map(|node| label(node, HOSTNAME));
        let taken = nodes.iter().map(|node| node.name.as_str()).chain(hostnames).collect();
        Self { kinds, taken, types }
    }

    /// Whether a pod that needs this fits one of them.
    pub fn refit(&self, needs: Option<&PodNeeds>) -> Refit {
        let Some(needs) = needs else { return Refit::Unknown("what it needs was not observed".to_owned()) };
        match Answer::any(self.kinds.iter().map(|kind| self.takes(kind, needs))) {
            Answer::No(why) => Refit::Cannot(why),
            Answer::Unknown(why) => Refit::Unknown(why),
            Answer::Yes if needs.unknown.is_empty() => Refit::Fits {},
            Answer::Yes => Refit::Unknown(needs.unknown.join(", ")),
        }
    }

    fn takes(&self, kind: &Kind<'a>, needs: &PodNeeds) -> Answer {
        let selected = needs.node_selector.iter().map(|(key, value)| NodeRequirement {
            key: key.clone(),
            operator: NodeOperator::In,
            values: vec![value.clone()],
        });
        let mut answer = self.all(kind, &selected.collect::<Vec<_>>());
        for terms in [&needs.affinity]
            .into_iter()
            .chain(needs.volumes.iter().map(|volume| &volume.terms))
            .filter(|t| !t.is_empty())
        {
            answer = answer.and(|| Answer::any(terms.iter().map(|term| self.all(kind, term))));
        }
        answer.and(|| tolerated(kind, needs)).and(|| self.holds(kind, needs))
    }

    fn all(&self, kind: &Kind<'a>, requirements: &[NodeRequirement]) -> Answer {
        requirements.iter().fold(Answer::Yes, |answer, one| answer.and(|| self.has(kind, one)))
    }

    /// Whether a label of a kind of node is as it has to be.
    fn has(&self, kind: &Kind<'a>, wanted: &NodeRequirement) -> Answer {
        let key = if ZONES.contains(&wanted.key.as_str()) { ZONE } else { wanted.key.as_str() };
        let no = || format!("no node has {}", words(wanted));
        let unknown = || Answer::Unknown(format!("whether a new node has {}", words(wanted)));
        if wanted.operator == NodeOperator::Other {
            return unknown();
        }
        let own = key == HOSTNAME || key == NAME;
        match kind {
            Kind::Stays(node) if key == NAME => Answer::of(meets(wanted, Some(&node.name)), no),
            Kind::Stays(node) => Answer::of(meets(wanted, zoned(node, key)), no),
            // A new node has a name of its own.
            _ if own => match wanted.operator {
                NodeOperator::In if wanted.values.iter().all(|name| self.taken.contains(name.as_str())) => {
                    Answer::No(no())
                }
                NodeOperator::NotIn | NodeOperator::Exists => Answer::Yes,
                NodeOperator::DoesNotExist => Answer::No(no()),
                _ => unknown(),
            },
            Kind::Like(node) if meets(wanted, zoned(node, key)) => Answer::Yes,
            Kind::Like(_) | Kind::New => unknown(),
            Kind::Made { name, .. } if key == NODE_POOL => Answer::of(meets(wanted, Some(name)), no),
            Kind::Made { template, seen, .. } => {
                made(template, seen, (key, wanted)).map_or_else(unknown, |has| Answer::of(has, no))
            }
        }
    }

    /// Whether it is large enough.
    fn holds(&self, kind: &Kind<'a>, needs: &PodNeeds) -> Answer {
        let of_types = |types: &[&str]| {
            let sizes = types.iter().filter_map(|name| self.types.get(name)).flatten();
            let fits = sizes.map(|size| too_large(needs, size)).reduce(Option::and);
            match fits {
                Some(None) => Answer::Yes,
                Some(Some(what)) if types.iter().all(|name| self.types.contains_key(name)) => {
                    Answer::No(format!("no kind of node has {what}"))
                }
                _ => Answer::Unknown("how large new nodes are".to_owned()),
            }
        };
        let typed = |node: &'a Node| label(node, INSTANCE_TYPE).filter(|name| !name.is_empty());
        match kind {
            Kind::Stays(node) if node.capacity.is_empty() => {
                Answer::Unknown(format!("how large node {} is", node.name))
            }
            Kind::Stays(node) => match (too_large(needs, &node.capacity), typed(node)) {
                (None, _) => Answer::Yes,
                // Devices are counted when their plugin runs.
                (Some(_), Some(name)) => of_types(&[name]),
                (Some(what), None) => Answer::No(format!("no kind of node has {what}")),
            },
            Kind::Like(node) => match too_large(needs, &node.capacity) {
                None => Answer::Yes,
                Some(what) => Answer::Unknown(format!("whether a new node has {what}")),
            },
            Kind::Made { template, seen, .. } => {
                let listed = template.requirements.iter().find(|requirement| {
                    requirement.key == INSTANCE_TYPE && requirement.operator == NodeOperator::In
                });
                if seen
                    .iter()
                    .any(|node| !node.capacity.is_empty() && too_large(needs, &node.capacity).is_none())
                {
                    return Answer::Yes;
                }
                match listed {
                    Some(listed) => of_types(&listed.values.iter().map(String::as_str).collect::<Vec<_>>()),
                    None => Answer::Unknown("how large new nodes are".to_owned()),
                }
            }
            Kind::New => Answer::Unknown("how large new nodes are".to_owned()),
        }
    }
}

/// Whether taints are tolerated that nodes keep.
fn tolerated(kind: &Kind<'_>, needs: &PodNeeds) -> Answer {
    let (taints, kept): (&[Taint], bool) = match kind {
        Kind::Stays(node) => (&node.taints, true),
        Kind::Made { template, .. } => (&template.taints, true),
        Kind::Like(node) => (&node.taints, false),
        Kind::New => return Answer::Unknown("which taints a new node has".to_owned()),
    };
    let stands = |taint: &&Taint| {
        matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
            && !needs.tolerations.iter().any(|toleration| toleration.covers(taint))
    };
    match taints.iter().find(stands) {
        None => Answer::Yes,
        Some(taint) if kept => Answer::No(format!("it does not tolerate the taint {}", taint.key)),
        Some(taint) => Answer::Unknown(format!("whether a new node has the taint {}", taint.key)),
    }
}

/// Whether the nodes of a NodePool have a label as it has to be; `None` where only the run can know.
fn made(template: &NodeTemplate, seen: &[&Node], (key, wanted): (&str, &NodeRequirement)) -> Option<bool> {
    if let Some(value) = template.labels.get(key) {
        return Some(meets(wanted, Some(value)));
    }
    let of_key = || template.requirements.iter().filter(|requirement| requirement.key == key);
    if of_key().next().is_some() {
        let allowed = |value: &&String| of_key().all(|requirement| meets(requirement, Some(value)));
        let listed = of_key().find(|requirement| requirement.operator == NodeOperator::In);
        let values = match (listed, wanted.operator) {
            (Some(listed), _) => &listed.values,
            (None, NodeOperator::In) => &wanted.values,
            (None, _) => return None,
        };
        let possible = values.iter().filter(allowed).any(|value| meets(wanted, Some(value)));
        let chosen = of_key().any(|requirement| requirement.operator != NodeOperator::DoesNotExist);
        return match (listed, possible) {
            (_, false) if chosen => Some(false),
            (Some(_), true) => Some(true),
            // Not excluded; that there is such an instance is likely for what Karpenter chooses by itself.
            (None, true) => is_chosen(key).then_some(true),
            _ => None,
        };
    }
    if is_chosen(key) && !matches!(wanted.operator, NodeOperator::DoesNotExist) {
        return Some(true);
    }
    seen.iter().any(|node| key == ZONE && meets(wanted, label(node, ZONE))).then_some(true)
}

fn is_chosen(key: &str) -> bool {
    CHOSEN.iter().any(|start| key.starts_with(start))
}

fn label<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.labels.get(key).map(String::as_str)
}

fn zoned<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    let other = || ZONES.iter().filter(|_| key == ZONE).find_map(|key| label(node, key));
    label(node, key).or_else(other)
}

/// Whether a value meets a requirement; `None` for a label that is not there.
fn meets(wanted: &NodeRequirement, value: Option<&str>) -> bool {
    let listed = |value: &str| wanted.values.iter().any(|one| one == value);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = || wanted.values.first().and_then(|value| number(value));
    match wanted.operator {
        NodeOperator::In => value.is_some_and(listed),
        NodeOperator::NotIn => value.is_none_or(|value| !listed(value)),
        NodeOperator::Exists => value.is_some(),
        NodeOperator::DoesNotExist => value.is_none(),
        NodeOperator::Gt => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value > bound),
        NodeOperator::Lt => value.and_then(number).zip(bound()).is_some_and(|(value, bound)| value < bound),
        NodeOperator::Other => false,
    }
}

fn words(wanted: &NodeRequirement) -> String {
    let (key, values) = (&wanted.key, wanted.values.join(", "));
    match wanted.operator {
        NodeOperator::In if wanted.values.len() == 1 => format!("{key} {values}"),
        NodeOperator::In => format!("{key} of {values}"),
        NodeOperator::NotIn => format!("another {key} than {values}"),
        NodeOperator::Exists => key.clone(),
        NodeOperator::DoesNotExist => format!("no {key}"),
        NodeOperator::Gt => format!("{key} above {values}"),
        NodeOperator::Lt => format!("{key} below {values}"),
        NodeOperator::Other => format!("{key} as it has to be"),
    }
}

/// What a pod asks for that a node of this size does not have. Of memory a node of the same type may have a little more.
fn too_large(needs: &PodNeeds, size: &Amounts) -> Option<String> {
    let lacks = |(name, asked): &(&String, &u64)| {
        let has = size.get(*name).copied().unwrap_or(0);
        let has = if *name == "cpu" { has } else { has.saturating_add(has / 20) };
        **asked > has
    };
    needs.requests.iter().find(lacks).map(|(name, asked)| match name.as_str() {
        "cpu" => format!("{} CPUs", asked.div_ceil(1000)),
        "memory" => format!("{} GiB of memory", asked.div_ceil(1 << 30)),
        _ => format!("{asked} {name}"),
    })
}
