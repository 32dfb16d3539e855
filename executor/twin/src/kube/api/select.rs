//! Label and field selectors.

use serde_json::{Map, Value};

use crate::kube::error::{ApiError, ApiResult};
use crate::world::key::{list, text};

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// A parsed selector.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

impl Selector {
    /// From query parameters.
    pub(crate) fn parse(labels: Option<&str>, fields: Option<&str>, kind: &str) -> ApiResult<Self> {
        Ok(Self {
            labels: labels.map(parse_labels).transpose()?.unwrap_or_default(),
            fields: fields.map(|f| parse_fields(f, kind)).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether an object is meant.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
        self.labels.iter().all(|r| holds(r, labels))
            && self.fields.iter().all(|(field, equal, value)| {
                let pointer = format!("/{}", field.replace('.', "/"));
                let found = match object.pointer(&pointer) {
                    Some(Value::String(s)) => s.clone(),
                    Some(Value::Bool(b)) => b.to_string(),
                    _ if field == "spec.unschedulable" => "false".into(),
                    _ => String::new(),
                };
                (found == *value) == *equal
            })
    }
}

fn parse_labels(text: &str) -> ApiResult<Vec<Requirement>> {
    let bad = || ApiError::bad_request(format!("unable to parse requirement: {text:?}"));
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text.get(start..i).unwrap_or_default());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
        .into_iter()
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(|part| {
            let set = |rest: &str| -> Vec<String> {
                rest.trim().trim_matches(['(', ')']).split(',').map(|v| v.trim().to_owned()).collect()
            };
            if let Some((key, rest)) = part.split_once(" notin ") {
                return Ok(Requirement::NotIn(key.trim().into(), set(rest)));
            }
            if let Some((key, rest)) = part.split_once(" in ") {
                return Ok(Requirement::In(key.trim().into(), set(rest)));
            }
            if let Some((key, value)) = part.split_once("!=") {
                return Ok(Requirement::NotIn(key.trim().into(), vec![value.trim().into()]));
            }
            if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                return Ok(Requirement::In(key.trim().into(), vec![value.trim().into()]));
            }
            if part.contains(' ') {
                return Err(bad());
            }
            Ok(match part.strip_prefix('!') {
                Some(key) => Requirement::Missing(key.into()),
                None => Requirement::Exists(part.into()),
            })
        })
        .collect()
}

fn parse_fields(text: &str, kind: &str) -> ApiResult<Vec<(String, bool, String)>> {
    text.split(',')
        .filter(|p| !p.is_empty())
        .map(|part| {
            let (field, equal, value) = match (part.split_once("!="), part.split_once('=')) {
                (Some((f, v)), _) => (f, false, v),
                (None, Some((f, v))) => (f, true, v.trim_start_matches('=')),
                _ => return Err(ApiError::bad_request(format!("invalid field selector: {part:?}"))),
            };
            let known: &[&str] = match kind {
                "Pod" => &["spec.nodeName", "status.phase", "spec.schedulerName", "spec.restartPolicy"],
                "Node" => &["spec.unschedulable"],
                "Secret" => &["type"],
                "Namespace" => &["status.phase"],
                "Job" => &["status.successful"],
                "Event" => &["involvedObject.name", "involvedObject.namespace", "involvedObject.kind", "involvedObject.uid", "reason", "type"],
                _ => &[],
            };
            if !matches!(field, "metadata.name" | "metadata.namespace") && !known.contains(&field) {
                return Err(ApiError::bad_request(if known.is_empty() {
                    format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
                } else {
                    format!("field label not supported: {field}")
                }));
            }
            Ok((field.to_owned(), equal, value.to_owned()))
        })
        .collect()
}

fn holds(requirement: &Requirement, labels: Option<&Map<String, Value>>) -> bool {
    let value = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
    match requirement {
        Requirement::In(key, values) => value(key).is_some_and(|v| values.iter().any(|w| w == v)),
        Requirement::NotIn(key, values) => value(key).is_none_or(|v| values.iter().all(|w| w != v)),
        Requirement::Exists(key) => value(key).is_some(),
        Requirement::Missing(key) => value(key).is_none(),
    }
}

/// Whether a `LabelSelector` object selects these labels. A missing one selects nothing.
pub(crate) fn label_selector(selector: Option<&Value>, labels: &Map<String, Value>) -> bool {
    let Some(selector) = selector else { return false };
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    wanted.is_none_or(|w| w.iter().all(|(k, v)| labels.get(k) == Some(v)))
        && list(selector, "/matchExpressions").iter().all(|e| expression(e, labels))
}

/// Whether one `{key, operator, values}` holds.
pub(crate) fn expression(requirement: &Value, labels: &Map<String, Value>) -> bool {
    let found = labels.get(text(requirement, "/key"));
    let values = list(requirement, "/values");
    match text(requirement, "/operator") {
        "In" => found.is_some_and(|v| values.contains(v)),
        "NotIn" => found.is_none_or(|v| !values.contains(v)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        operator @ ("Gt" | "Lt") => {
            let number = |v: Option<&Value>| v.and_then(Value::as_str).and_then(|s| s.parse::<i64>().ok());
            match (number(found), number(values.first())) {
                (Some(a), Some(b)) => (operator == "Gt" && a > b) || (operator == "Lt" && a < b),
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_of_both_kinds() {
        let pod = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"nodeName": "n"}});
        for (labels, fields, expected) in [
            (Some("a=1,b!=3"), None, true),
            (Some("a in (1,2),!c"), None, true),
            (Some("a notin (1)"), None, false),
            (Some("c"), None, false),
            (None, Some("spec.nodeName=n"), true),
            (None, Some("spec.nodeName!=n"), false),
        ] {
            let selector = Selector::parse(labels, fields, "Pod").unwrap();
            assert_eq!(selector.matches(&pod), expected, "{labels:?} {fields:?}");
        }
        assert_eq!(
            Selector::parse(None, Some("spec.x=1"), "Pod").unwrap_err().message,
            "field label not supported: spec.x"
        );
    }
}
