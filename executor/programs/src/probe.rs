//! Probes: the conditions `http` and `prometheus`.
//!
//! What cannot be reached is unknown, never a failure: a runner without a network must not roll anything back.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use switchback_executor::{
    ports::Probes,
    untrusted::text::{self, url_part},
};
use switchback_schemas::{
    journal::Verdict,
    plan::{Compare, Missing, WebCondition},
};

use crate::web::{Web, WebRequest};

/// How long one request may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Asks HTTP endpoints and Prometheus.
pub struct ProbeDriver {
    web: Arc<dyn Web>,
}

impl ProbeDriver {
    /// Over a client.
    pub fn new(web: Arc<dyn Web>) -> Self {
        Self { web }
    }

    async fn http(&self, url: &str, status: u16, contains: Option<&str>) -> Verdict {
        let request = WebRequest { url: url.to_owned(), post: None, within: WITHIN };
        let answer = match self.web.send(&request).await {
            Ok(answer) => answer,
            Err(error) => return Verdict::unknown(text::line(&format!("{url}: {error}"))),
        };
        if answer.status != status {
            return Verdict::fails(text::line(&format!("{url} answered {}, wanted {status}", answer.status)));
        }
        let body = String::from_utf8_lossy(&answer.body);
        match contains {
            Some(part) if !body.contains(part) => {
                Verdict::fails(text::line(&format!("{url} answered {status} without {part:?}")))
            }
            _ => Verdict::holds(text::line(&format!("{url} answered {status}"))),
        }
    }

    async fn prometheus(&self, asked: &Asked<'_>) -> Verdict {
        let url = format!("{}/api/v1/query?query={}", asked.url.trim_end_matches('/'), url_part(asked.query));
        let request = WebRequest { url, post: None, within: WITHIN };
        match self.web.send(&request).await {
            Ok(answer) if answer.status == 200 => judge(asked, &answer.body),
            Ok(answer) => Verdict::unknown(text::line(&format!("{} answered {}", asked.url, answer.status))),
            Err(error) => Verdict::unknown(text::line(&format!("{}: {error}", asked.url))),
        }
    }
}

/// A PromQL query and what its value shall be.
struct Asked<'plan> {
    url: &'plan str,
    query: &'plan str,
    compare: Compare,
    threshold: &'plan str,
    missing: Missing,
}

fn judge(asked: &Asked<'_>, body: &[u8]) -> Verdict {
    let unknown = |why: &str| Verdict::unknown(text::line(&format!("{}: {why}", asked.query)));
    let Ok(threshold) = asked.threshold.parse::<f64>() else { return unknown("the threshold is no number") };
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return unknown("the answer is not JSON") };
    let Some(values) = values(&answer) else {
        return unknown("the answer is not the value of an instant query");
    };
    let word = match asked.compare {
        Compare::AtMost => "at most",
        Compare::AtLeast => "at least",
        Compare::Below => "below",
        Compare::Above => "above",
    };
    if values.is_empty() {
        let line = text::line(&format!("{} has no data", asked.query));
        return match asked.missing {
            Missing::Unknown => Verdict::unknown(line),
            Missing::Fail => Verdict::fails(line),
            Missing::Pass => Verdict::holds(line),
        };
    }
    let passes = |value: &f64| match asked.compare {
        Compare::AtMost => *value <= threshold,
        Compare::AtLeast => *value >= threshold,
        Compare::Below => *value < threshold,
        Compare::Above => *value > threshold,
    };
    let shown = values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
    let line = text::line(&format!("{} is {shown}, wanted {word} {}", asked.query, asked.threshold));
    if values.iter().all(passes) { Verdict::holds(line) } else { Verdict::fails(line) }
}

/// The values of an instant query: of every series, since a threshold that one of them breaks is broken. What is not a
/// number (a quotient of nothing) is no data.
fn values(answer: &Value) -> Option<Vec<f64>> {
    if answer.get("status").and_then(Value::as_str) != Some("success") {
        return None;
    }
    let result = answer.pointer("/data/result")?;
    let value = |sample: &Value| sample.get(1)?.as_str()?.parse::<f64>().ok();
    let values = match answer.pointer("/data/resultType").and_then(Value::as_str)? {
        "scalar" => vec![value(result)?],
        "vector" => {
            let samples = result.as_array()?.iter().map(|series| series.get("value").and_then(value));
            samples.collect::<Option<Vec<_>>>()?
        }
        _ => return None,
    };
    Some(values.into_iter().filter(|value| !value.is_nan()).collect())
}

#[async_trait]
impl Probes for ProbeDriver {
    async fn check(&self, condition: &WebCondition) -> Verdict {
        match condition {
            WebCondition::Http { url, status, contains } => {
                self.http(url, *status, contains.as_deref()).await
            }
            WebCondition::Prometheus { url, query, compare, threshold, missing } => {
                let asked = Asked { url, query, compare: *compare, threshold, missing: *missing };
                self.prometheus(&asked).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(compare: Compare, missing: Missing) -> Asked<'static> {
        Asked { url: "http://p", query: "up", compare, threshold: "0.5", missing }
    }

    fn vector(values: &[&str]) -> Vec<u8> {
        let series: Vec<Value> =
            values.iter().map(|value| json!({"metric": {}, "value": [1, value]})).collect();
        json!({"status": "success", "data": {"resultType": "vector", "result": series}})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn every_series_must_pass() {
        let least = asked(Compare::AtLeast, Missing::Unknown);
        assert!(judge(&least, &vector(&["0.5", "1"])).is_holding());
        assert!(matches!(judge(&least, &vector(&["0.4", "1"])), Verdict::Fails { .. }));
        assert!(matches!(
            judge(&asked(Compare::Above, Missing::Fail), &vector(&["0.5"])),
            Verdict::Fails { .. }
        ));
    }

    #[test]
    fn missing_is_never_healthy_by_itself() {
        for no_data in [vector(&[]), vector(&["NaN"])] {
            assert!(matches!(
                judge(&asked(Compare::Below, Missing::Unknown), &no_data),
                Verdict::Unknown { .. }
            ));
            assert!(matches!(judge(&asked(Compare::Below, Missing::Fail), &no_data), Verdict::Fails { .. }));
            assert!(judge(&asked(Compare::Below, Missing::Pass), &no_data).is_holding());
        }
        let refused = json!({"status": "error"}).to_string();
        assert!(matches!(
            judge(&asked(Compare::Below, Missing::Pass), refused.as_bytes()),
            Verdict::Unknown { .. }
        ));
    }
}
