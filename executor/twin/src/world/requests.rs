//! What pods ask of their nodes, in thousandths. It is summed up for each node as pods come and go: who looks for room must not sum up
//! all pods for each pod.

use std::collections::BTreeMap;

use serde_json::Value;

use super::key::{list, text};

/// Amounts by resource; each pod asks for one of `pods`.
pub(crate) type Requests = BTreeMap<String, i64>;

/// What a pod asks for. Where a container has no request its limit is one.
pub(crate) fn requests(pod: &Value) -> Requests {
    let mut asked = Requests::new();
    for container in list(pod, "/spec/containers") {
        let of = |kind: &str| container.pointer(&format!("/resources/{kind}")).and_then(Value::as_object);
        let mut own: BTreeMap<&str, i64> = BTreeMap::new();
        for all in [of("limits"), of("requests")].into_iter().flatten() {
            own.extend(all.iter().map(|(name, quantity)| (name.as_str(), amount(quantity))));
        }
        for (name, amount) in own {
            let sum = asked.entry(name.to_owned()).or_default();
            *sum = sum.wrapping_add(amount);
        }
    }
    asked.insert("pods".to_owned(), 1000);
    asked
}

/// Whether a pod takes something of its node: it is bound and not over.
pub(super) fn takes(pod: &Value) -> bool {
    !text(pod, "/spec/nodeName").is_empty() && !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// A quantity in thousandths.
pub(crate) fn amount(quantity: &Value) -> i64 {
    let text = match quantity {
        Value::Number(n) => return n.as_i64().unwrap_or(0).saturating_mul(1000),
        Value::String(s) => s.as_str(),
        _ => return 0,
    };
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: i64 = whole.parse().unwrap_or(0);
    let part: i64 = format!("{part:0<3}").get(..3).and_then(|p| p.parse().ok()).unwrap_or(0);
    let thousandths = whole.saturating_mul(1000).saturating_add(part);
    let factor: i64 = match unit {
        "m" => return thousandths / 1000,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => 1,
    };
    thousandths.saturating_mul(factor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities() {
        for (text, expected) in
            [("1", 1000), ("500m", 500), ("1.5", 1500), ("2Ki", 2_048_000), ("110", 110_000)]
        {
            assert_eq!(amount(&json!(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_limit_is_a_request_where_there_is_none() {
        let pod = json!({"spec": {"containers": [
            {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1k"}}},
            {"resources": {"limits": {"cpu": "500m"}}},
            {},
        ]}});
        let asked = [("cpu", 1500), ("memory", 1_000_000), ("pods", 1000)];
        assert_eq!(requests(&pod), asked.map(|(name, amount)| (name.to_owned(), amount)).into());
    }
}
