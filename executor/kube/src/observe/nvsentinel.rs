//! The section `nvsentinel`: whether it cordons nodes, by which rule sets, its circuit breaker, and nodes that have GPUs.
//!
//! Rule sets are read from the ConfigMap that fault-quarantine runs with, and not from values of a release: those may say nothing.

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
    });
    let mut nodes: Vec<WatchedNode> = lists.nodes.iter().filter_map(node).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let section = Nvsentinel {
        quarantines: number(&deployment, "/spec/replicas") > 0,
        rule_sets: data(QUARANTINE, SETTINGS).map(rule_sets),
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

/// Rule sets that are enabled, with the labels that each honours.
///
/// Of TOML only what these settings are made of is read: tables, and keys with a text in one line or in three quotes. A clause that is
/// written in another way is not taken for one that honours a label.
fn rule_sets(settings: &str) -> Vec<RuleSet> {
    let mut found: Vec<Rules> = Vec::new();
    let mut table = String::new();
    for entry in entries(settings) {
        match entry {
            Entry::Table(name) => {
                if name == "rule-sets" {
                    found.push(Rules { enabled: true, ..Rules::default() });
                } else if name == "rule-sets.match.all"
                    && let Some(rules) = found.last_mut()
                {
                    rules.clauses.push((String::new(), String::new()));
                }
                table = name;
            }
            Entry::Key(key, value) => {
                let Some(rules) = found.last_mut() else { continue };
                match (table.as_str(), key.as_str()) {
                    ("rule-sets", "name") => rules.name = value,
                    ("rule-sets", "enabled") => rules.enabled = value != "false",
                    ("rule-sets.match.all", "kind") => {
                        if let Some(clause) = rules.clauses.last_mut() {
                            clause.0 = value;
                        }
                    }
                    ("rule-sets.match.all", "expression") => {
                        if let Some(clause) = rules.clauses.last_mut() {
                            clause.1 = value;
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    found.into_iter().filter(|rules| rules.enabled).map(Rules::honoured).collect()
}

/// A rule set as it is being read.
#[derive(Default)]
struct Rules {
    name: String,
    enabled: bool,
    /// Kind and expression of each clause that has to hold.
    clauses: Vec<(String, String)>,
}

impl Rules {
    fn honoured(self) -> RuleSet {
        let of_nodes = self.clauses.iter().filter(|(kind, _)| kind == "Node");
        let terms: Vec<String> = of_nodes.flat_map(|(_, expression)| terms(expression)).collect();
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

/// A line of settings that means something.
enum Entry {
    Table(String),
    Key(String, String),
}

fn entries(settings: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut lines = settings.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            let name = name.trim_start_matches('[').split(']').next().unwrap_or_default();
            entries.push(Entry::Table(name.trim().to_owned()));
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        let value = value.trim();
        let long = ["\"\"\"", "'''"].into_iter().find_map(|mark| Some((mark, value.strip_prefix(mark)?)));
        let value = match long {
            Some((mark, rest)) => until(mark, rest, &mut lines),
            None => quoted(value),
        };
        entries.push(Entry::Key(key.trim().to_owned(), value));
    }
    entries
}

/// A text of several lines, up to its closing mark.
fn until<'a>(mark: &str, first: &'a str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut line = Some(first);
    while let Some(part) = line {
        if let Some((last, _)) = part.split_once(mark) {
            text.push_str(last);
            return text;
        }
        text.push_str(part);
        text.push('\n');
        line = lines.next();
    }
    text
}

/// A value in one line without its quotes.
fn quoted(value: &str) -> String {
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.split('\'').next().unwrap_or_default().to_owned();
    }
    let Some(rest) = value.strip_prefix('"') else {
        return value.split('#').next().unwrap_or_default().trim().to_owned();
    };
    let mut text = String::new();
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                other => text.extend(other),
            },
            letter => text.push(letter),
        }
    }
    text
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
        let read = rule_sets(SHIPPED);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].name, "GPU fatal error ruleset");
        assert_eq!(read[0].opt_out, OPT_OUTS);
    }

    #[test]
    fn a_rule_set_of_ones_own_without_the_clause_honours_none() {
        let own = format!(
            "{SHIPPED}[[rule-sets]]\nname = \"own\"\n[[rule-sets.match.all]]\nkind = \"HealthEvent\"\nexpression = \"true\"\n"
        );
        let read = rule_sets(&own);
        assert_eq!((read[1].name.as_str(), read[1].opt_out.len()), ("own", 0));
        let off = own.replace("name = \"own\"", "name = \"own\"\nenabled = false");
        assert_eq!(rule_sets(&off).len(), 1);
    }

    #[test]
    fn a_clause_that_does_not_decide_is_not_taken_for_one() {
        let label = OPT_OUTS[0];
        let clause = |expression: &str| {
            let text = format!(
                "[[rule-sets]]\nname = 'a'\n[[rule-sets.match.all]]\nkind = 'Node'\nexpression = '''{expression}'''\n"
            );
            !rule_sets(&text)[0].opt_out.is_empty()
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
        assert!(rule_sets(&any)[0].opt_out.is_empty());
    }
}
