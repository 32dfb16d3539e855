//! The section `nvsentinel`: whether it cordons nodes, by which rule sets, its circuit breaker, and nodes that have GPUs.
//!
//! Rule sets are read from the ConfigMap that fault-quarantine runs with, and not from values of a release: those may say nothing.

use serde::Deserialize;
use serde_json::Value;
use switchback_schemas::inventory::nvsentinel::{Breaker, EventStore, Nvsentinel, RuleSet, WatchedNode};

use super::{found::Found, lists::Lists};
use crate::{
    api::{Kinds, Query, Reader},
    fields::{number, text, texts},
};

/// The Deployment that cordons nodes, and the ConfigMap that it runs with.
const QUARANTINE: &str = "fault-quarantine";
/// The key of its settings.
const SETTINGS: &str = "config.toml";
/// The ConfigMap of its circuit breaker, and the argument by which that is switched off.
const BREAKER: (&str, &str) = ("circuit-breaker", "--circuit-breaker-enabled=false");
/// The argument that says at which share of nodes it trips.
const PERCENT: &str = "--circuit-breaker-percentage=";
/// Labels of a node that a rule set may honour.
const OPT_OUTS: [&str; 2] = ["k8saas.nvidia.com/ManagedByNVSentinel", "nvsentinel.dgxc.nvidia.com/managed"];
/// The label of nodes that have GPUs.
const PRESENT: &str = "nvidia.com/gpu.present";
/// The annotation of a node that it has quarantined.
const QUARANTINED: &str = "quarantineHealthEvent";

/// The section, under its component's name; nothing where there is no fault-quarantine.
pub(super) async fn read(lists: &mut Lists, reader: &Reader, kinds: &Kinds<'_>) -> Option<Found> {
    let deployment = lists.workloads.iter().find(|object| is_quarantine(object))?.clone();
    let namespace = text(&deployment, "/metadata/namespace").to_owned();
    let query = Query { namespace: Some(namespace.clone()), ..Query::all() };
    let maps = lists.list(reader, kinds, ("v1", "ConfigMap"), &query).await;
    let data = |name: &str, key: &str| {
        let map = maps.iter().find(|map| text(map, "/metadata/name") == name)?;
        map.pointer("/data")?.get(key)?.as_str()
    };
    let breaker = data(BREAKER.0, "status").map(|status| Breaker {
        config_map: BREAKER.0.to_owned(),
        enabled: !arguments(&deployment).any(|argument| argument == BREAKER.1),
        status: status.to_owned(),
        percent: arguments(&deployment).find_map(|argument| argument.strip_prefix(PERCENT)?.parse().ok()),
    });
    let mut nodes: Vec<WatchedNode> = lists.nodes.iter().filter_map(node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let section = Nvsentinel {
        quarantines: number(&deployment, "/spec/replicas") > 0,
        rule_sets: data(QUARANTINE, SETTINGS).and_then(rule_sets),
        breaker,
        nodes,
        database: database(&lists.workloads, &namespace),
        namespace,
    };
    Found::new("nvsentinel", serde_json::to_value(section), Vec::new())
}

fn is_quarantine(object: &Value) -> bool {
    text(object, "/kind") == "Deployment"
        && text(object, "/metadata/name").ends_with(QUARANTINE)
        && containers(object).any(|container| text(container, "/image").contains(QUARANTINE))
}

fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten()
}

fn arguments(object: &Value) -> impl Iterator<Item = &str> {
    let lists = containers(object).flat_map(|container| [container.get("command"), container.get("args")]);
    lists.flatten().filter_map(Value::as_array).flatten().filter_map(Value::as_str)
}

fn node(object: &Value) -> Option<WatchedNode> {
    let labels = texts(object, "/metadata/labels");
    labels.get(PRESENT).filter(|value| *value == "true")?;
    let annotations = object.pointer("/metadata/annotations");
    Some(WatchedNode {
        name: text(object, "/metadata/name").to_owned(),
        quarantined: annotations.is_some_and(|all| all.get(QUARANTINED).is_some()),
        opt_out: labels.into_iter().filter(|(key, _)| OPT_OUTS.contains(&key.as_str())).collect(),
    })
}

/// The database of events: one of Percona is run by its operator, so its StatefulSets have an owner.
fn database(workloads: &[Value], namespace: &str) -> Option<EventStore> {
    let mut sets = workloads.iter().filter(|object| {
        text(object, "/kind") == "StatefulSet" && text(object, "/metadata/namespace") == namespace
    });
    sets.find_map(|set| {
        let owned = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let percona = owned.into_iter().flatten().any(|owner| text(owner, "/kind") == "PerconaServerMongoDB");
        let name = text(set, "/metadata/name");
        match percona {
            true => Some(EventStore::PerconaMongodb),
            false if name.contains("mongodb") => Some(EventStore::BitnamiMongodb),
            false if name.contains("postgresql") => Some(EventStore::Postgresql),
            false => None,
        }
    })
}

/// Rule sets that are enabled, with the labels that each honours; `None` where the settings are no TOML or name no rule sets: what
/// decides then is not known.
fn rule_sets(settings: &str) -> Option<Vec<RuleSet>> {
    let settings: Settings = toml::from_str(settings).ok()?;
    Some(settings.rule_sets?.into_iter().filter(|rules| rules.enabled).map(Rules::honoured).collect())
}

/// The settings of fault-quarantine, as far as they say which nodes it cordons.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    rule_sets: Option<Vec<Rules>>,
}

/// A rule set.
#[derive(Deserialize)]
struct Rules {
    #[serde(default)]
    name: String,
    #[serde(default = "enabled")]
    enabled: bool,
    #[serde(default)]
    r#match: Match,
}

fn enabled() -> bool {
    true
}

#[derive(Default, Deserialize)]
struct Match {
    /// Clauses that have to hold, each. Of those of which one is enough, none decides.
    #[serde(default)]
    all: Vec<Clause>,
}

#[derive(Deserialize)]
struct Clause {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    expression: String,
}

impl Rules {
    fn honoured(self) -> RuleSet {
        let of_nodes = self.r#match.all.iter().filter(|clause| clause.kind == "Node");
        let terms: Vec<String> = of_nodes.flat_map(|clause| terms(&clause.expression)).collect();
        let opt_out = OPT_OUTS.iter().filter(|label| terms.iter().any(|term| opts_out(term, label)));
        RuleSet { name: self.name, opt_out: opt_out.map(|label| (*label).to_owned()).collect() }
    }
}

/// The negated groups of an expression that stand beside each other, joined by `&&` alone. One beside an `||` does not decide.
fn terms(expression: &str) -> Vec<String> {
    let text: String = expression.chars().filter(|c| !c.is_whitespace()).collect();
    let (mut terms, mut depth, mut start) = (Vec::new(), 0_u32, 0_usize);
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => return Vec::new(),
            b'&' if depth == 0 => {
                terms.extend(text.get(start..at).filter(|term| !term.is_empty()).map(str::to_owned));
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.extend(text.get(start..).filter(|term| !term.is_empty()).map(str::to_owned));
    terms
}

/// Whether a term is false for a node whose label says `false`: `!('L' in node.metadata.labels && node.metadata.labels['L'] == "false")`.
fn opts_out(term: &str, label: &str) -> bool {
    let plain = term.replace('\'', "\"").replace("has(node.metadata.labels)&&", "");
    plain == format!("!(\"{label}\"innode.metadata.labels&&node.metadata.labels[\"{label}\"]==\"false\")")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = r#"
labelPrefix = "k8saas.nvidia.com/"
[[rule-sets]]
  enabled = true
  name = "GPU fatal error ruleset"
  [[rule-sets.match.all]]
    kind = "HealthEvent"
    expression = "event.agent == 'gpu-health-monitor' && event.isFatal == true"
  [[rule-sets.match.all]]
    kind = "Node"
    expression = """
!('k8saas.nvidia.com/ManagedByNVSentinel' in node.metadata.labels && node.metadata.labels['k8saas.nvidia.com/ManagedByNVSentinel'] == "false") &&
!('nvsentinel.dgxc.nvidia.com/managed' in node.metadata.labels && node.metadata.labels['nvsentinel.dgxc.nvidia.com/managed'] == "false")
"""
  [rule-sets.cordon]
    shouldCordon = true
"#;

    #[test]
    fn the_clause_that_is_shipped_honours_both_labels() {
        let read = rule_sets(SHIPPED).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].name, "GPU fatal error ruleset");
        assert_eq!(read[0].opt_out, OPT_OUTS);
    }

    #[test]
    fn a_rule_set_of_ones_own_without_the_clause_honours_none() {
        let own = format!(
            "{SHIPPED}[[rule-sets]]\nname = \"own\"\n[[rule-sets.match.all]]\nkind = \"HealthEvent\"\nexpression = \"true\"\n"
        );
        let read = rule_sets(&own).unwrap();
        assert_eq!((read[1].name.as_str(), read[1].opt_out.len()), ("own", 0));
        let off = own.replace("name = \"own\"", "name = \"own\"\nenabled = false");
        assert_eq!(rule_sets(&off).unwrap().len(), 1);
    }

    #[test]
    fn a_clause_that_does_not_decide_is_not_taken_for_one() {
        let label = OPT_OUTS[0];
        let clause = |expression: &str| {
            let text = format!(
                "[[rule-sets]]\nname = 'a'\n[[rule-sets.match.all]]\nkind = 'Node'\nexpression = '''{expression}'''\n"
            );
            !rule_sets(&text).unwrap()[0].opt_out.is_empty()
        };
        let shipped =
            format!("!('{label}' in node.metadata.labels && node.metadata.labels['{label}'] == \"false\")");
        assert!(clause(&shipped));
        assert!(!clause(&format!("{shipped} || node.metadata.name == 'x'")));
        assert!(!clause(&shipped.replace("\"false\"", "\"true\"")));
        assert!(!clause(&shipped.replacen('!', "", 1)));
        // One alternative among several decides nothing.
        let any = format!(
            "[[rule-sets]]\nname = 'a'\n[[rule-sets.match.any]]\nkind = 'Node'\nexpression = '''{shipped}'''\n"
        );
        assert!(rule_sets(&any).unwrap()[0].opt_out.is_empty());
    }
    #[test]
    fn settings_that_are_written_in_another_way_are_read_or_unknown() {
        let inline = "rule-sets = [ { name = 'own', match = { all = [ { kind = 'HealthEvent', expression = 'true' } ] } } ]";
        assert_eq!(rule_sets(inline).unwrap()[0].opt_out.len(), 0);
        let quoted = "[[\"rule-sets\"]]\nname = 'own'\n";
        assert_eq!(rule_sets(quoted).unwrap()[0].name, "own");
        for unknown in ["", "[[rule-sets", "labelPrefix = 'x'"] {
            assert!(rule_sets(unknown).is_none(), "{unknown:?}");
        }
    }
}
