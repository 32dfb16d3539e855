//! Whether an upgrade changes the pods of drivers. The chart holds no DaemonSet of a driver: the operator makes it from its
//! ClusterPolicy. So what goes into it is compared there, and releases that change it by themselves are facts.
//!
//! It matters because a driver pod of another template is all that the operator needs to cordon a node and evict its GPU pods:
//! `driver.version` may well stay.

use serde_json::Value;
use switchback_schemas::Version;

use super::facts::{DriverTemplate, GpuFacts};
use crate::objects;

/// Names of fields that a message lists before it counts the rest.
const LISTED: usize = 4;

/// Why the pods of drivers get another template; nothing where they do not.
pub(super) fn changes(
    facts: &GpuFacts,
    (before, after): (Option<&Value>, Option<&Value>),
    (from, to): (Option<&Version>, &Version),
) -> Vec<String> {
    let mut fields = Vec::new();
    for field in &facts.driver_template.fields {
        let part = |policy: Option<&Value>| policy.and_then(|policy| policy.pointer(field)).cloned();
        differences(&facts.driver_template, field, part(before).as_ref(), part(after).as_ref(), &mut fields);
    }
    let mut whys = Vec::new();
    if let Some(at) = fields.iter().position(|field| *field == facts.chart_label.field) {
        fields.remove(at);
        whys.push("the chart writes its version into the label helm.sh/chart of every operand".to_owned());
    }
    if !fields.is_empty() {
        let more = fields.len().saturating_sub(LISTED);
        let listed: Vec<String> = fields.iter().take(LISTED).map(|field| dotted(field)).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        whys.push(format!("the ClusterPolicy changes {}{more}", listed.join(", ")));
    }
    let own = facts.templates.iter().filter(|change| GpuFacts::crosses(from, to, &change.at));
    whys.extend(own.map(|change| change.why.clone()));
    whys
}

/// Pointers of the plain values that two objects do not share.
fn differences(
    rule: &DriverTemplate,
    pointer: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    out: &mut Vec<String>,
) {
    if before == after || rule.without.iter().any(|without| without == pointer) {
        return;
    }
    let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
    match (fields(before), fields(after)) {
        (None, None) => out.push(pointer.to_owned()),
        (before, after) => {
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let inner = format!("{pointer}/{}", objects::token(name));
                differences(rule, &inner, before.get(name), after.get(name), out);
            }
        }
    }
}

/// A pointer as people write it.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{component::Component as _, components::gpu_operator::GpuOperator};

    fn told(before: &Value, after: &Value, from: &str, to: &str) -> Vec<String> {
        let facts = GpuOperator.facts().expect("the catalog");
        let version = |text: &str| text.parse::<Version>().expect(text);
        changes(&facts, (Some(before), Some(after)), (Some(&version(from)), &version(to)))
    }

    #[test]
    fn what_does_not_reach_a_driver_pod_does_not_count() {
        let before = json!({"spec": {"driver": {"version": "580", "upgradePolicy": {"maxParallelUpgrades": 1}},
            "daemonsets": {"updateStrategy": "RollingUpdate"}, "devicePlugin": {"version": "v0.17.4"}}});
        let after = json!({"spec": {"driver": {"version": "580", "upgradePolicy": {"maxParallelUpgrades": 4}},
            "daemonsets": {"updateStrategy": "OnDelete"}, "devicePlugin": {"version": "v0.18.1"}}});
        assert!(told(&before, &after, "25.3.4", "25.10.1").is_empty());
    }

    #[test]
    fn a_label_of_every_operand_reaches_the_driver_too() {
        let policy = |chart: &str, probe: u64| {
            json!({"spec": {"daemonsets": {"labels": {"helm.sh/chart": chart}},
                "driver": {"version": "580", "startupProbe": {"failureThreshold": probe}}}})
        };
        let whys = told(&policy("a-1", 60), &policy("a-2", 120), "25.3.4", "25.10.1");
        assert_eq!(whys.len(), 2, "{whys:?}");
        assert!(whys[0].contains("helm.sh/chart"), "{whys:?}");
        assert!(whys[1].contains("spec.driver.startupProbe.failureThreshold"), "{whys:?}");
    }

    #[test]
    fn a_release_may_change_it_by_itself() {
        let same = json!({"spec": {"driver": {"version": "580"}}});
        assert!(told(&same, &same, "26.3.3", "26.7.0")[0].contains("DRIVER_CONFIG_DIGEST"));
        assert!(told(&same, &same, "25.10.1", "26.3.3").is_empty());
    }
}
