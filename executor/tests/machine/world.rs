//! A world that effects really change, and that answers by what is in it: the oracle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use switchback_executor::{
    machine::{Answer, Command, What},
    ports::{Failure, Look, Member},
};
use switchback_schemas::{
    ItemKey,
    journal::{Captured, Class, Evidence, Item, NodeClaimRef, Outcome, Verdict, WaitsFor, Way},
    plan::{Condition, Effect, KubeCondition, KubeEffect, Target, Test},
};

use super::plans::Random;

/// A node of a pool.
#[derive(Clone, Debug)]
pub struct Node {
    pub pool: String,
    pub key: String,
    pub new: bool,
    pub cordoned: bool,
    pub created: Timestamp,
}

/// One effect that the world accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Landed {
    pub what: String,
    pub token: String,
}

#[derive(Clone, Debug, Default)]
pub struct World {
    pub done: BTreeSet<String>,
    /// Which listing to come holds only so many nodes.
    pub partial: Option<(u64, usize)>,
    /// How often a node was asked after by its name.
    pub asked_after: u32,
    /// How many nodes every listing holds at most.
    pub short: Option<usize>,
    pub nodes: Vec<Node>,
    pub log: Vec<Landed>,
    pub born: u64,
    /// Outcomes of the next calls of an effect, before it is done.
    pub answers: BTreeMap<String, VecDeque<Outcome>>,
    /// Conditions that do not hold, by their words, and conditions that cannot be read.
    pub fails: BTreeSet<String>,
    pub dark: BTreeSet<String>,
    /// What stands on the platform: the next looks, and every later one.
    pub looks: VecDeque<Look>,
    pub look: Look,
    /// The same once a node was drained.
    pub drained: Option<Look>,
    /// Whether looks cannot be read.
    pub blind: bool,
    /// What has pods on every node.
    pub workloads: BTreeSet<String>,
}

/// How often things go wrong, in hundredths. All zero is a calm world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub faults: u64,
    pub unreadable: u64,
    pub unhealthy: u64,
    /// Nodes that vanish by themselves when somebody looks.
    pub vanishing: u64,
}

impl World {
    pub fn add_pool(&mut self, pool: &str, nodes: u64, created: Timestamp) {
        for _ in 0..nodes {
            self.add_node(pool, false, created);
        }
    }

    fn add_node(&mut self, pool: &str, new: bool, created: Timestamp) {
        self.born += 1;
        let key = format!("n{:03}", self.born);
        self.nodes.push(Node { pool: pool.to_owned(), key, new, cordoned: false, created });
    }

    fn node(&mut self, key: &str) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.key == key)
    }

    /// The effect happens.
    pub fn land(&mut self, command: &Command, effect: &Effect, now: Timestamp) {
        let key = command.at.item.as_ref().map(|item| item.key.to_string());
        let what = match effect {
            Effect::Command(run) => match run.argv[0].as_str() {
                "do" => {
                    self.done.insert(run.argv[1].clone());
                    run.argv.join(" ")
                }
                "undo" => {
                    self.done.remove(&run.argv[1]);
                    run.argv.join(" ")
                }
                other => panic!("unknown effect {other}"),
            },
            Effect::Kube(KubeEffect::Cordon(cordon)) => {
                let key = key.expect("a node");
                if let Some(node) = self.node(&key) {
                    node.cordoned = cordon.unschedulable;
                }
                format!("cordon {key} {}", cordon.unschedulable)
            }
            Effect::Kube(KubeEffect::Drain(_)) => {
                self.look = self.drained.take().unwrap_or_else(|| self.look.clone());
                format!("drain {}", key.expect("a node"))
            }
            Effect::Kube(KubeEffect::Delete(_)) => {
                let key = key.expect("a node");
                if let Some(gone) = self.node(&key).cloned() {
                    self.nodes.retain(|node| node.key != key);
                    self.add_node(&gone.pool, command.at.way == Way::Forward, now);
                }
                format!("delete {key}")
            }
            other => panic!("unknown effect {other:?}"),
        };
        self.log.push(Landed { what, token: command.token.clone() });
    }

    /// Answers a command.
    pub fn answer(
        &mut self,
        command: &Command,
        random: &mut Random,
        weather: Weather,
        now: Timestamp,
    ) -> Answer {
        let unreadable = || Failure { class: Class::Unreachable, evidence: Evidence::line("no answer") };
        let dark = random.percent(weather.unreadable);
        match &command.what {
            What::Claim => Answer::Claimed,
            What::Apply(effect) => Answer::Applied(self.apply(command, effect, random, weather, now)),
            What::Check(_) if dark => Answer::Checked(Verdict::unknown("no answer")),
            What::Check(condition) => {
                let sick = random.percent(weather.unhealthy);
                Answer::Checked(self.ask(command, condition, sick))
            }
            What::Capture(_) if dark => Answer::Captured(Err(unreadable())),
            What::Capture(_) => Answer::Captured(Ok(Captured::Scalar(serde_json::Value::from(7)))),
            What::Census if dark || self.blind => Answer::Census(Err(unreadable())),
            What::Census => Answer::Census(Ok(self.looks.pop_front().unwrap_or_else(|| self.look.clone()))),
            What::Members(_) if dark => Answer::Members(Err(unreadable())),
            What::Members(roll) if random.percent(weather.vanishing) => {
                let pool = roll.pool.as_str();
                let own: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].pool == pool).collect();
                // A pool below its min ready would wait for ever, and rightly so.
                if own.len() > 2 {
                    self.nodes.remove(*random.pick(&own));
                }
                Answer::Members(Ok(self.members(pool, command.at.way)))
            }
            What::Members(roll) => {
                let mut members = self.members(roll.pool.as_str(), command.at.way);
                if let Some(keep) = self.short {
                    members.truncate(keep);
                }
                if let Some((nth, keep)) = self.partial.take() {
                    match nth {
                        1 => members.truncate(keep),
                        _ => self.partial = Some((nth - 1, keep)),
                    }
                }
                Answer::Members(Ok(members))
            }
        }
    }

    fn apply(
        &mut self,
        command: &Command,
        effect: &Effect,
        random: &mut Random,
        weather: Weather,
        now: Timestamp,
    ) -> Outcome {
        let words = match effect {
            Effect::Command(run) => run.argv.join(" "),
            other => other.kind().clone(),
        };
        if let Some(outcome) = self.answers.get_mut(&words).and_then(VecDeque::pop_front) {
            if matches!(outcome, Outcome::Done { .. }) {
                self.land(command, effect, now);
            }
            return outcome;
        }
        let evidence = Evidence::line("the weather");
        if !random.percent(weather.faults) {
            self.land(command, effect, now);
            return Outcome::Done { evidence: Evidence::default() };
        }
        match random.below(7) {
            0 => Outcome::NotDone { class: Class::Throttled, evidence },
            1 => Outcome::NotDone { class: Class::Conflict, evidence },
            2 => Outcome::NotDone { class: Class::Refused, evidence },
            3 => Outcome::InDoubt { class: Class::Deadline, evidence },
            4 => {
                self.land(command, effect, now);
                Outcome::InDoubt { class: Class::Deadline, evidence }
            }
            5 => {
                Outcome::Blocked { waits_for: vec![WaitsFor::Capacity { message: "none today".to_owned() }] }
            }
            _ => {
                let message = format!("{} left", random.below(3));
                Outcome::Blocked { waits_for: vec![WaitsFor::Capacity { message }] }
            }
        }
    }

    fn ask(&mut self, command: &Command, condition: &Condition, sick: bool) -> Verdict {
        // What was captured is as it was captured.
        if let Condition::Kube(KubeCondition::Field { is: Test::Equals(_), .. }) = condition {
            return Verdict::holds("it is so");
        }
        if let Condition::Kube(KubeCondition::Field {
            object: Target::ItemNode {},
            is: Test::Absent {},
            ..
        }) = condition
        {
            self.asked_after += 1;
            if self.dark.contains("absent") {
                return Verdict::unknown("no answer");
            }
            let key = command.at.item.as_ref().map(|item| item.key.to_string());
            return match self.nodes.iter().find(|node| Some(&node.key) == key.as_ref()) {
                None => Verdict::holds("it does not exist"),
                Some(_) => Verdict::fails("it exists"),
            };
        }
        let Condition::Command(asked) = condition else { panic!("unknown condition") };
        let words: Vec<&str> = asked.argv.iter().map(String::as_str).collect();
        let key = command.at.item.as_ref().map(|item| item.key.to_string()).unwrap_or_default();
        let node = self.nodes.iter().find(|node| node.key == key);
        let drained = || {
            let last = self.log.iter().rposition(|landed| landed.what == format!("drain {key}"));
            let since = self.log.iter().rposition(|landed| landed.what == format!("cordon {key} false"));
            last.is_some() && last > since
        };
        let all = words.join(" ");
        if self.dark.contains(&all) {
            return Verdict::unknown("no answer");
        }
        let holds = match words[..] {
            _ if self.fails.contains(&all) => false,
            ["done", what] => self.done.contains(what),
            ["undone", what] => !self.done.contains(what),
            ["healthy" | "held" | "safe" | "steady", _] => !sick,
            ["cordoned"] => node.is_some_and(|node| node.cordoned),
            ["uncordoned"] => node.is_none_or(|node| !node.cordoned),
            ["drained"] => node.is_none() || drained(),
            ["deleted"] => node.is_none(),
            _ => panic!("unknown condition {words:?}"),
        };
        if holds { Verdict::holds("it is so") } else { Verdict::fails("it is not so") }
    }

    pub fn members(&self, pool: &str, way: Way) -> Vec<Member> {
        let nodes = self.nodes.iter().filter(|node| node.pool == pool);
        let member = |node: &Node| Member {
            item: Item { workloads: self.workloads.clone(), ..item(&node.key) },
            stale: node.new != (way == Way::Forward),
            available: !node.cordoned,
            created: node.created,
            pods: 0,
            protected: 0,
            gangs: Vec::new(),
        };
        nodes.map(member).collect()
    }

    /// What is done and how often it was done since it was last undone.
    pub fn times(&self) -> BTreeMap<String, u64> {
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        for landed in &self.log {
            if let Some(what) = landed.what.strip_prefix("do ") {
                *times.entry(what.to_owned()).or_default() += 1;
            } else if let Some(what) = landed.what.strip_prefix("undo ") {
                times.insert(what.to_owned(), 0);
            }
        }
        times
    }
}

pub fn item(key: &str) -> Item {
    Item {
        key: ItemKey::new(key).unwrap(),
        name: key.to_owned(),
        provider_id: None,
        node_claim: Some(NodeClaimRef { name: format!("claim-{key}"), uid: format!("uid-{key}") }),
        hardware: String::new(),
        zone: String::new(),
        workloads: BTreeSet::new(),
    }
}
