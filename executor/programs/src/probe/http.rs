//! The condition `http`: a request is answered as expected.

use serde_json::Value;
use switchback_executor::untrusted::{fields, text};
use switchback_schemas::{
    journal::Verdict,
    plan::{EnvValue, FieldTest, HttpRequest},
};

use super::{ProbeDriver, WITHIN};
use crate::web::{WebAnswer, WebRequest};

/// What is expected of an answer.
pub(super) struct Wanted<'plan> {
    pub status: u16,
    pub contains: Option<&'plan str>,
    pub json: &'plan [FieldTest<Value>],
}

impl ProbeDriver {
    pub(super) async fn http(&self, request: &HttpRequest, wanted: &Wanted<'_>) -> Verdict {
        let mut secrets = Vec::new();
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            let value = match value {
                EnvValue::Text(text) => text.clone(),
                EnvValue::FromEnv(variable) => {
                    let Some(value) = (self.lookup)(variable) else {
                        let line = format!("the variable {} is not set", text::line(variable));
                        return Verdict::unknown(line);
                    };
                    secrets.push(value.clone());
                    value
                }
            };
            headers.push((name.clone(), value));
        }
        let asked = WebRequest {
            method: request.method,
            url: request.url.clone(),
            headers,
            json: request.body.as_ref().map(Value::to_string),
            within: WITHIN,
        };
        let place = match request.method.as_str() {
            "GET" => request.url.clone(),
            method => format!("{method} {}", request.url),
        };
        match self.web.send(&asked).await {
            Ok(answer) => judge(&place, wanted, &answer, &secrets),
            Err(error) => Verdict::unknown(text::line(&format!("{place}: {error}"))),
        }
    }
}

fn judge(place: &str, wanted: &Wanted<'_>, answer: &WebAnswer, secrets: &[String]) -> Verdict {
    let status = wanted.status;
    if answer.status != status {
        return Verdict::fails(text::line(&format!("{place} answered {}, wanted {status}", answer.status)));
    }
    let body = String::from_utf8_lossy(&answer.body);
    if let Some(part) = wanted.contains
        && !body.contains(part)
    {
        return Verdict::fails(text::line(&format!("{place} answered {status} without {part:?}")));
    }
    if !wanted.json.is_empty() {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return Verdict::fails(text::line(&format!(
                "{place} answered {status} with a body that is not JSON"
            )));
        };
        if let Some(mut why) = fields::first_failure(wanted.json, &body) {
            // A server may echo what it was sent.
            for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
                why = why.replace(secret.as_str(), "[hidden]");
            }
            return Verdict::fails(text::line(&format!("{place} answered {status}: {why}")));
        }
    }
    Verdict::holds(text::line(&format!("{place} answered {status}")))
}
