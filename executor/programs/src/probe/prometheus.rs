//! The condition `prometheus`: what a query says, against a threshold or against what it said earlier.

use serde_json::Value;
use switchback_executor::{
    ports::{Capturing, Classify as _, Failure},
    untrusted::text::{self, url_part},
};
use switchback_schemas::{
    journal::{Class, Evidence, Verdict},
    plan::{Compare, Level, Missing, PromQuery},
};

use super::{ProbeDriver, WITHIN};
use crate::web::{WebAnswer, WebError, WebRequest};

impl ProbeDriver {
    pub(super) async fn prometheus(&self, query: &PromQuery, is: &Level<Value>, missing: Missing) -> Verdict {
        match self.ask(query).await {
            Ok(answer) => match values(&answer) {
                Ok(values) => judge(query, is, missing, &values),
                Err(why) => Verdict::unknown(text::line(&format!("{}: {why}", query.query))),
            },
            Err(error) => Verdict::unknown(text::line(&format!("{}: {error}", query.url))),
        }
    }

    /// The one value of a query. Where it has none, or several, nothing could be compared with it later.
    pub(super) async fn baseline(&self, query: &PromQuery) -> Result<Capturing, Failure> {
        let failed = |class, line: &str| Failure {
            class,
            evidence: Evidence::line(text::line(&format!("{}: {line}", query.query))),
        };
        let answer = self.ask(query).await.map_err(|error| {
            let call = error.classify();
            failed(call.class(), &error.to_string())
        })?;
        let values = values(&answer).map_err(|why| failed(Class::Unreachable, &why))?;
        match values.as_slice() {
            [value] => Ok(Capturing::Scalar(Value::String(value.to_string()))),
            [] => Err(failed(
                Class::Unreachable,
                "it has no data now, so nothing can be compared with it later",
            )),
            several => {
                let line =
                    format!("it has {} values; only one can be a baseline: aggregate them", several.len());
                Err(failed(Class::Refused, &line))
            }
        }
    }

    async fn ask(&self, query: &PromQuery) -> Result<WebAnswer, WebError> {
        let server = query.url.trim_end_matches('/');
        let url = format!("{server}/api/v1/query?query={}", url_part(&query.promql()));
        self.web.send(&WebRequest::get(url, WITHIN)).await
    }
}

fn judge(query: &PromQuery, is: &Level<Value>, missing: Missing, values: &[f64]) -> Verdict {
    let asked = &query.query;
    let (compare, threshold, wanted) = match is {
        Level::Threshold { compare, value } => match value.parse::<f64>() {
            Ok(threshold) => (*compare, threshold, value.clone()),
            Err(_) => return Verdict::unknown(text::line(&format!("{asked}: the threshold is no number"))),
        },
        Level::Baseline { compare, value, tolerance_percent } => {
            let Some(before) = value.as_str().and_then(|before| before.parse::<f64>().ok()) else {
                return Verdict::unknown(text::line(&format!("{asked}: nothing was captured before")));
            };
            let slack = before.abs() * f64::from(*tolerance_percent) / 100.0;
            let threshold = if compare.is_ceiling() { before + slack } else { before - slack };
            (*compare, threshold, format!("{threshold} (it was {before}, tolerance {tolerance_percent} %)"))
        }
        Level::Single {} => {
            let line = text::line(&format!("{asked} has {} values, wanted 1", values.len()));
            return if values.len() == 1 { Verdict::holds(line) } else { Verdict::fails(line) };
        }
    };
    if values.is_empty() {
        let line = text::line(&format!("{asked} has no data"));
        return match missing {
            Missing::Unknown => Verdict::unknown(line),
            Missing::Fail => Verdict::fails(line),
            Missing::Pass => Verdict::holds(line),
        };
    }
    let passes = |value: &f64| match compare {
        Compare::AtMost => *value <= threshold,
        Compare::AtLeast => *value >= threshold,
        Compare::Below => *value < threshold,
        Compare::Above => *value > threshold,
    };
    let over = if query.over.is_zero() { String::new() } else { format!(" over {}", query.over) };
    let line = format!("{asked} is {}{over}, wanted {} {wanted}", shown(values), compare.words());
    let line = text::line(&line);
    if values.iter().all(passes) { Verdict::holds(line) } else { Verdict::fails(line) }
}

/// A few values, or the least and the most of many.
fn shown(values: &[f64]) -> String {
    const FEW: usize = 5;
    if values.len() <= FEW {
        return values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
    }
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{least} to {most} ({} values)", values.len())
}

/// The values of a query: of every series, since a threshold that one of them breaks is broken. What is not a number (a quotient of
/// nothing) is no data.
fn values(answer: &WebAnswer) -> Result<Vec<f64>, String> {
    let body = serde_json::from_slice::<Value>(&answer.body);
    let body =
        body.map_err(|_| format!("the server answered {} with a body that is not JSON", answer.status))?;
    if body.get("status").and_then(Value::as_str) != Some("success") {
        let said = body.get("error").and_then(Value::as_str).unwrap_or("no reason given");
        return Err(format!("the server answered {}: {said}", answer.status));
    }
    let values = of_result(&body).ok_or("the answer is not that of a query")?;
    Ok(values.into_iter().filter(|value| !value.is_nan()).collect())
}

fn of_result(answer: &Value) -> Option<Vec<f64>> {
    let result = answer.pointer("/data/result")?;
    let value = |sample: &Value| sample.get(1)?.as_str()?.parse::<f64>().ok();
    match answer.pointer("/data/resultType").and_then(Value::as_str)? {
        "scalar" => Some(vec![value(result)?]),
        "vector" => result.as_array()?.iter().map(|series| series.get("value").and_then(value)).collect(),
        "matrix" => {
            let series = result.as_array()?.iter().map(|series| series.get("values")?.as_array());
            let samples = series.collect::<Option<Vec<_>>>()?;
            samples.into_iter().flatten().map(value).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use switchback_schemas::Seconds;

    fn query(over: u64) -> PromQuery {
        PromQuery { url: "http://p".to_owned(), query: "up".to_owned(), over: Seconds(over) }
    }

    fn at(compare: Compare) -> Level<Value> {
        Level::Threshold { compare, value: "0.5".to_owned() }
    }

    fn answer(body: &Value) -> WebAnswer {
        WebAnswer { status: 200, body: body.to_string().into_bytes() }
    }

    fn vector(values: &[&str]) -> WebAnswer {
        let series: Vec<Value> =
            values.iter().map(|value| json!({"metric": {}, "value": [1, value]})).collect();
        answer(&json!({"status": "success", "data": {"resultType": "vector", "result": series}}))
    }

    fn verdict(is: &Level<Value>, missing: Missing, answer: &WebAnswer) -> Verdict {
        judge(&query(0), is, missing, &values(answer).unwrap())
    }

    #[test]
    fn every_series_must_pass() {
        let least = at(Compare::AtLeast);
        assert!(verdict(&least, Missing::Unknown, &vector(&["0.5", "1"])).is_holding());
        assert!(matches!(verdict(&least, Missing::Unknown, &vector(&["0.4", "1"])), Verdict::Fails { .. }));
        let above = verdict(&at(Compare::Above), Missing::Fail, &vector(&["0.5"]));
        assert!(matches!(above, Verdict::Fails { .. }));
    }

    #[test]
    fn every_sample_of_a_window_must_pass() {
        let matrix = |values: Value| {
            let series = json!([{"metric": {}, "values": values}]);
            answer(&json!({"status": "success", "data": {"resultType": "matrix", "result": series}}))
        };
        let most = at(Compare::AtMost);
        let judge = |answer| judge(&query(600), &most, Missing::Fail, &values(&answer).unwrap());
        assert!(judge(matrix(json!([[1, "0"], [2, "0.5"]]))).is_holding());
        let spike = judge(matrix(json!([[1, "0"], [2, "0.9"], [3, "0"], [4, "0"], [5, "0"], [6, "0"]])));
        let line = spike.evidence().0.join("\n");
        assert_eq!(line, "up is 0 to 0.9 (6 values) over 10 min, wanted at most 0.5");
        assert!(!spike.is_holding());
    }

    #[test]
    fn missing_is_never_healthy_by_itself() {
        let below = at(Compare::Below);
        for no_data in [vector(&[]), vector(&["NaN"])] {
            assert!(matches!(verdict(&below, Missing::Unknown, &no_data), Verdict::Unknown { .. }));
            assert!(matches!(verdict(&below, Missing::Fail, &no_data), Verdict::Fails { .. }));
            assert!(verdict(&below, Missing::Pass, &no_data).is_holding());
        }
        let refused =
            json!({"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end"});
        let refused = WebAnswer { status: 400, ..answer(&refused) };
        let said = values(&refused).unwrap_err();
        assert_eq!(said, "the server answered 400: parse error: unexpected end");
    }

    #[test]
    fn a_baseline_bounds_what_comes_after_it() {
        let than =
            |compare, before: &str| Level::Baseline { compare, value: json!(before), tolerance_percent: 10 };
        let holds = |is: &Level<Value>, now: &str| verdict(is, Missing::Fail, &vector(&[now])).is_holding();
        let ceiling = than(Compare::AtMost, "200");
        assert!(holds(&ceiling, "220") && holds(&ceiling, "10") && !holds(&ceiling, "221"));
        let floor = than(Compare::AtLeast, "200");
        assert!(holds(&floor, "180") && holds(&floor, "900") && !holds(&floor, "179"));
        let below_zero = than(Compare::AtMost, "-10");
        assert!(holds(&below_zero, "-9") && !holds(&below_zero, "-8"));
        let nothing = Level::Baseline { compare: Compare::AtMost, value: Value::Null, tolerance_percent: 10 };
        assert!(matches!(verdict(&nothing, Missing::Pass, &vector(&["1"])), Verdict::Unknown { .. }));
    }
}
