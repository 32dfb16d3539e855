//! The DAG of a plan, indexed. petgraph lives here and in memory only; ids are what goes over the wire.

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;
use petgraph::{
    Direction,
    algo::{tarjan_scc, toposort},
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};
use switchback_schemas::{
    StepId,
    plan::{Plan, Savepoint, Step},
};

/// Why steps do not make a DAG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two steps have one id.
    #[error("two steps are called {0}")]
    Duplicate(StepId),
    /// A step needs one that is not there.
    #[error("{step} needs {need}, which is not in the plan")]
    Unknown {
        /// The step.
        step: StepId,
        /// What it needs.
        need: StepId,
    },
    /// Steps wait for each other in a circle.
    #[error("dependency cycle: {}", circle(.0))]
    Cycle(Vec<Wait>),
}

/// One edge of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The step that waits.
    pub step: StepId,
    /// What it waits for.
    pub needs: StepId,
    /// Why.
    pub why: String,
}

/// Steps of a circle that are told from its begin, before the rest are counted.
const TOLD: usize = 20;

fn circle(waits: &[Wait]) -> String {
    let (told, rest) = waits.split_at(waits.len().min(TOLD));
    let told = told.iter().map(|w| format!("{} needs {} ({})", w.step, w.needs, w.why));
    let rest = (!rest.is_empty()).then(|| format!("and {} more, back to the first", rest.len()));
    told.chain(rest).collect::<Vec<_>>().join("; ")
}

/// The steps of a plan by number. Numbers are positions in `plan.steps`.
#[derive(Debug, Clone)]
pub struct Graph {
    edges: DiGraph<(), String>,
    numbers: BTreeMap<StepId, usize>,
    order: Vec<usize>,
    positions: Vec<usize>,
}

impl Graph {
    /// Indexes a plan's steps. An edge goes from what is needed to what needs it.
    pub fn of(plan: &Plan) -> Result<Self, GraphError> {
        Self::of_steps(&plan.steps)
    }

    /// Indexes steps that are not a plan yet.
    pub fn of_steps(steps: &[Step]) -> Result<Self, GraphError> {
        let mut graph = DiGraph::with_capacity(steps.len(), steps.len() * 2);
        let mut numbers = BTreeMap::new();
        for (number, step) in steps.iter().enumerate() {
            graph.add_node(());
            if numbers.insert(step.id.clone(), number).is_some() {
                return Err(GraphError::Duplicate(step.id.clone()));
            }
        }
        for (number, step) in steps.iter().enumerate() {
            for need in &step.needs {
                let unknown = || GraphError::Unknown { step: step.id.clone(), need: need.step.clone() };
                let needed = numbers.get(&need.step).ok_or_else(unknown)?;
                graph.add_edge(NodeIndex::new(*needed), NodeIndex::new(number), need.why.clone());
            }
        }
        let order: Vec<usize> = match toposort(&graph, None) {
            Ok(order) => order.into_iter().map(NodeIndex::index).collect(),
            Err(_) => return Err(GraphError::Cycle(find_circle(&graph, steps))),
        };
        let mut positions = vec![0; steps.len()];
        for (position, number) in order.iter().enumerate() {
            if let Some(slot) = positions.get_mut(*number) {
                *slot = position;
            }
        }
        Ok(Self { edges: graph, numbers, order, positions })
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The number of a step.
    pub fn number(&self, id: &StepId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// Numbers in an order in which every step comes after what it needs.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Some steps, each after what it needs.
    pub fn sorted(&self, steps: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut steps: Vec<usize> = steps.into_iter().collect();
        steps.sort_by_key(|number| self.positions.get(*number));
        steps
    }

    /// What a step needs.
    pub fn needs(&self, number: usize) -> impl Iterator<Item = usize> + '_ {
        self.edges.neighbors_directed(NodeIndex::new(number), Direction::Incoming).map(NodeIndex::index)
    }

    /// What needs a step.
    pub fn dependants(&self, number: usize) -> impl Iterator<Item = usize> + '_ {
        self.edges.neighbors_directed(NodeIndex::new(number), Direction::Outgoing).map(NodeIndex::index)
    }

    /// The steps of a savepoint: its frontier and everything that the frontier needs. Ids that are not in the plan
    /// are left out; `lint` names them.
    pub fn members(&self, savepoint: &Savepoint) -> BTreeSet<usize> {
        let frontier = savepoint.frontier.iter().filter_map(|id| self.number(id));
        self.closure(frontier, Direction::Incoming)
    }

    /// Everything that needs a step, directly or not, without the step itself.
    pub fn descendants(&self, number: usize) -> BTreeSet<usize> {
        let mut found = self.closure([number], Direction::Outgoing);
        found.remove(&number);
        found
    }

    /// Who comes after whom, for every pair: 1.25 kB a step at the 10,000 steps that a plan may hold.
    pub fn reach(&self) -> Reach {
        let mut after: Vec<FixedBitSet> = vec![FixedBitSet::with_capacity(self.len()); self.len()];
        for number in self.order.iter().rev().copied() {
            let mut own = FixedBitSet::with_capacity(self.len());
            for next in self.dependants(number) {
                own.insert(next);
                if let Some(further) = after.get(next) {
                    own.union_with(further);
                }
            }
            if let Some(slot) = after.get_mut(number) {
                *slot = own;
            }
        }
        Reach { after }
    }

    fn closure(&self, from: impl IntoIterator<Item = usize>, way: Direction) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<usize> = from.into_iter().collect();
        while let Some(number) = open.pop() {
            if found.insert(number) {
                open.extend(self.edges.neighbors_directed(NodeIndex::new(number), way).map(NodeIndex::index));
            }
        }
        found
    }
}

/// Who comes after whom.
#[derive(Debug, Clone)]
pub struct Reach {
    after: Vec<FixedBitSet>,
}

impl Reach {
    /// Whether one step comes before another, directly or not. No step comes before itself.
    pub fn before(&self, one: usize, other: usize) -> bool {
        self.after.get(one).is_some_and(|after| after.contains(other))
    }
}

/// The shortest walk from a step of a strongly connected part back to itself.
fn find_circle(graph: &DiGraph<(), String>, steps: &[Step]) -> Vec<Wait> {
    let part = tarjan_scc(graph).into_iter().find(|part| {
        part.len() > 1 || part.first().is_some_and(|only| graph.find_edge(*only, *only).is_some())
    });
    let Some(part) = part else { return Vec::new() };
    let inside: BTreeSet<NodeIndex> = part.iter().copied().collect();
    let Some(start) = inside.first().copied() else { return Vec::new() };
    // Breadth first over what is needed, until the start is needed again.
    let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        for edge in graph.edges_directed(node, Direction::Incoming) {
            let needed = edge.source();
            if needed == start {
                came_from.insert(start, node);
                open.clear();
                break;
            }
            if inside.contains(&needed) && !came_from.contains_key(&needed) {
                came_from.insert(needed, node);
                open.push_back(needed);
            }
        }
    }
    let mut walk = vec![start];
    let mut at = start;
    while let Some(before) = came_from.get(&at) {
        walk.push(*before);
        at = *before;
        if at == start {
            break;
        }
    }
    walk.reverse();
    let id = |node: NodeIndex| steps.get(node.index()).map(|step| step.id.clone());
    let wait = |pair: &[NodeIndex]| {
        let [step, needs] = pair else { return None };
        let why = graph.find_edge(*needs, *step).and_then(|edge| graph.edge_weight(edge)).cloned();
        Some(Wait { step: id(*step)?, needs: id(*needs)?, why: why.unwrap_or_default() })
    };
    walk.windows(2).filter_map(wait).collect()
}
