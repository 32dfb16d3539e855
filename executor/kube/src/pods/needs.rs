//! What a pod needs of its node, as a scheduler reads it.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::inventory::{
    NodeOperator, NodeRequirement, PodNeeds, Taint, Toleration, VolumePlace,
};

use crate::fields::{text, texts};

/// Required node affinity of a pod.
const AFFINITY: &str =
    "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";

/// What taints begin with that come and go with a node's condition or a controller's work.
const PASSING: [&str; 8] = [
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "karpenter.sh/",
    "node.cilium.io/",
    "ebs.csi.aws.com/",
    "efs.csi.aws.com/",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
];

/// Where volumes are, by namespace and claim.
pub(crate) type Places = BTreeMap<(String, String), Vec<Vec<NodeRequirement>>>;

/// What a pod needs. Claims that `places` does not hold are among what is unknown.
pub(crate) fn of(pod: &Value, places: &Places) -> PodNeeds {
    let mut unknown = Vec::new();
    let requests = requests(pod, &mut unknown);
    for kind in ["podAffinity", "podAntiAffinity"] {
        let required = format!("/spec/affinity/{kind}/requiredDuringSchedulingIgnoredDuringExecution");
        if !list(pod, &required).is_empty() {
            unknown.push(format!("required {kind}"));
        }
    }
    let mut volumes = Vec::new();
    for claim in claims(pod) {
        let namespace = text(pod, "/metadata/namespace").to_owned();
        match places.get(&(namespace, claim.to_owned())) {
            Some(terms) if terms.is_empty() => {}
            Some(terms) => volumes.push(VolumePlace { claim: claim.to_owned(), terms: terms.clone() }),
            None => unknown.push(format!("where PersistentVolumeClaim {claim} is")),
        }
    }
    PodNeeds {
        requests,
        node_selector: texts(pod, "/spec/nodeSelector"),
        affinity: list(pod, AFFINITY).iter().map(term).collect(),
        tolerations: list(pod, "/spec/tolerations").iter().map(toleration).collect(),
        volumes,
        unknown,
    }
}

/// Claims that a pod mounts and that live on without it.
pub(crate) fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = list(pod, "/spec/volumes").iter();
    volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

/// Where claims are bound, by the volumes that they name. A claim without a volume is left out.
pub(crate) fn places(claims: &[Value], volumes: &[Value]) -> Places {
    let by_name: BTreeMap<&str, &Value> =
        volumes.iter().map(|volume| (text(volume, "/metadata/name"), volume)).collect();
    let place = |claim: &Value| {
        let volume = by_name.get(text(claim, "/spec/volumeName"))?;
        let terms = list(volume, "/spec/nodeAffinity/required/nodeSelectorTerms").iter().map(term).collect();
        let name = |pointer| text(claim, pointer).to_owned();
        Some(((name("/metadata/namespace"), name("/metadata/name")), terms))
    };
    claims.iter().filter_map(place).collect()
}

/// Requirements on labels, as node selector terms and NodePools have them.
pub(crate) fn requirements(expressions: &[Value]) -> Vec<NodeRequirement> {
    expressions.iter().map(|expression| requirement(expression, text(expression, "/key"))).collect()
}

/// Taints that nodes keep.
pub(crate) fn taints(found: &[Value]) -> Vec<Taint> {
    let taint = |taint: &Value| Taint {
        key: text(taint, "/key").to_owned(),
        value: text(taint, "/value").to_owned(),
        effect: text(taint, "/effect").to_owned(),
    };
    let mut taints: Vec<Taint> = found.iter().map(taint).collect();
    taints.retain(|taint| !PASSING.iter().any(|start| taint.key.starts_with(start)));
    taints.sort();
    taints
}

/// Amounts by resource: `cpu` in thousandths, all else in its own unit. What cannot be read is left out.
pub(crate) fn amounts(resources: Option<&Value>) -> BTreeMap<String, u64> {
    let resources = resources.and_then(Value::as_object).into_iter().flatten();
    resources.filter_map(|(name, quantity)| Some((name.clone(), amount(name, quantity)?))).collect()
}

/// The items of a list inside of an object.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn term(term: &Value) -> Vec<NodeRequirement> {
    let mut all = requirements(list(term, "/matchExpressions"));
    // The only field that can be matched.
    all.extend(list(term, "/matchFields").iter().map(|field| requirement(field, "metadata.name")));
    all
}

fn requirement(expression: &Value, key: &str) -> NodeRequirement {
    let operator = match text(expression, "/operator") {
        "In" => NodeOperator::In,
        "NotIn" => NodeOperator::NotIn,
        "Exists" => NodeOperator::Exists,
        "DoesNotExist" => NodeOperator::DoesNotExist,
        "Gt" => NodeOperator::Gt,
        "Lt" => NodeOperator::Lt,
        _ => NodeOperator::Other,
    };
    let values = list(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    NodeRequirement { key: key.to_owned(), operator, values }
}

fn toleration(found: &Value) -> Toleration {
    let given = |pointer: &str| Some(text(found, pointer).to_owned()).filter(|text| !text.is_empty());
    let exists = text(found, "/operator") == "Exists";
    Toleration {
        key: given("/key"),
        value: (!exists).then(|| text(found, "/value").to_owned()),
        effect: given("/effect"),
    }
}

/// What a pod requests: its containers and sidecars together, or more where an init container asks for more alone.
fn requests(pod: &Value, unknown: &mut Vec<String>) -> BTreeMap<String, u64> {
    let mut of = |container: &Value| {
        let limits = amounts(container.pointer("/resources/limits"));
        let asked = container.pointer("/resources/requests").and_then(Value::as_object);
        for (name, quantity) in asked.into_iter().flatten() {
            if amount(name, quantity).is_none() {
                unknown.push(format!("how much {name} is {quantity}"));
            }
        }
        limits
            .into_iter()
            .chain(amounts(container.pointer("/resources/requests")))
            .collect::<BTreeMap<_, _>>()
    };
    let mut sum: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |amounts: BTreeMap<String, u64>| {
        for (name, amount) in amounts {
            let all = sum.entry(name).or_default();
            *all = all.saturating_add(amount);
        }
    };
    let (sidecars, inits): (Vec<_>, Vec<_>) = list(pod, "/spec/initContainers")
        .iter()
        .partition(|container| text(container, "/restartPolicy") == "Always");
    for container in list(pod, "/spec/containers").iter().chain(sidecars) {
        add(of(container));
    }
    add(amounts(pod.pointer("/spec/overhead")));
    for (name, amount) in inits.into_iter().flat_map(of) {
        let all = sum.entry(name).or_default();
        *all = (*all).max(amount);
    }
    // What a pod says as a whole counts instead.
    sum.extend(amounts(pod.pointer("/spec/resources/requests")));
    sum
}

/// A quantity, rounded up.
fn amount(name: &str, quantity: &Value) -> Option<u64> {
    let text = match quantity {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(split)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let (up, down): (u128, u128) = match unit {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        exponent => (10u128.checked_pow(exponent.strip_prefix(['e', 'E'])?.parse().ok()?)?, 1),
    };
    let up = if name == "cpu" { up.checked_mul(1_000)? } else { up };
    let down = down.checked_mul(10u128.checked_pow(u32::try_from(part.len()).ok()?)?)?;
    u64::try_from(digits.checked_mul(up)?.div_ceil(down)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_rounded_up() {
        let read = |name: &str, text: &str| amount(name, &json!(text));
        let cpu = [("2", 2000), ("250m", 250), ("1.5", 1500), ("0.0001", 1)];
        for (text, expected) in cpu {
            assert_eq!(read("cpu", text), Some(expected), "{text}");
        }
        let memory =
            [("4Gi", 4 << 30), ("1.5Ki", 1536), ("1e3", 1000), ("128974848", 128_974_848), ("1500m", 2)];
        for (text, expected) in memory {
            assert_eq!(read("memory", text), Some(expected), "{text}");
        }
        assert_eq!(amount("nvidia.com/gpu", &json!(8)), Some(8));
        for text in ["", "x", "1Zi", "-1", "1e99", "99999999999999999999Pi"] {
            assert_eq!(read("memory", text), None, "{text}");
        }
    }

    #[test]
    fn a_pod_asks_for_its_containers_and_sidecars_together() {
        let container = |cpu: &str, policy: Value| json!({"resources": {"requests": {"cpu": cpu}}, "restartPolicy": policy});
        let pod = json!({"spec": {
            "containers": [container("1", json!(null)), {"resources": {"limits": {"nvidia.com/gpu": "8"}}}],
            "initContainers": [container("500m", json!("Always")), container("3", json!(null))],
            "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}],
        }});
        let needs = of(&pod, &Places::new());
        assert_eq!(needs.requests, [("cpu".to_owned(), 3000), ("nvidia.com/gpu".to_owned(), 8)].into());
        let taint = |key: &str, value: &str| Taint {
            key: key.into(),
            value: value.into(),
            effect: "NoSchedule".into(),
        };
        assert!(needs.tolerations[0].covers(&taint("x", "y")));
        assert!(
            needs.tolerations[1].covers(&taint("a", "b")) && !needs.tolerations[1].covers(&taint("a", "c"))
        );
    }

    #[test]
    fn a_volume_has_the_place_of_what_its_claim_is_bound_to() {
        let zone = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-1a"]});
        let claims =
            [json!({"metadata": {"namespace": "a", "name": "data"}, "spec": {"volumeName": "pv-1"}})];
        let volumes = [json!({"metadata": {"name": "pv-1"}, "spec": {"nodeAffinity": {"required":
            {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}}}})];
        let pod = json!({"metadata": {"namespace": "a"}, "spec": {"volumes": [
            {"persistentVolumeClaim": {"claimName": "data"}}, {"persistentVolumeClaim": {"claimName": "other"}}]}});
        let needs = of(&pod, &places(&claims, &volumes));
        assert_eq!(needs.volumes[0].terms[0][0].values, ["eu-1a"]);
        assert_eq!(needs.unknown, ["where PersistentVolumeClaim other is"]);
    }

    #[test]
    fn taints_that_come_and_go_are_left_out() {
        let taint = |key: &str| json!({"key": key, "effect": "NoSchedule"});
        let found = taints(&[
            taint("node.kubernetes.io/unschedulable"),
            taint("nvidia.com/gpu"),
            taint("karpenter.sh/disrupted"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, "nvidia.com/gpu");
    }
}
