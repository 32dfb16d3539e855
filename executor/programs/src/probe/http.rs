//! The condition `http`: a request is answered as expected.

use serde_json::Value;
use switchback_executor::untrusted::{fields, text};
use switchback_schemas::{
    journal::Verdict,
    plan::{FieldTest, HttpRequest},
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
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            match value.read(&*self.lookup) {
                Ok(value) => headers.push((name.clone(), value)),
                Err(unset) => {
                    return Verdict::unknown(format!("the variable {} is not set", text::line(unset)));
                }
            }
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
            Ok(answer) => judge(&place, wanted, &answer, request.variables().next().is_some()),
            Err(error) => Verdict::unknown(text::line(&format!("{place}: {error}"))),
        }
    }
}

/// A server may echo what it was sent, whole or in part: where that held a secret, nothing of its answer is shown.
fn judge(place: &str, wanted: &Wanted<'_>, answer: &WebAnswer, secret: bool) -> Verdict {
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
        let why = match fields::first_failing(wanted.json, &body) {
            Some(failed) if secret => {
                Some(format!("expected {} {}", failed.pointer, fields::asked(&failed.is)))
            }
            Some(_) => fields::first_failure(wanted.json, &body),
            None => None,
        };
        if let Some(why) = why {
            return Verdict::fails(text::line(&format!("{place} answered {status}: {why}")));
        }
    }
    Verdict::holds(text::line(&format!("{place} answered {status}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use switchback_schemas::plan::Test;

    use super::*;

    /// Hidden afterwards, a secret that is cut or escaped when it is shown would not be found.
    #[test]
    fn an_answer_that_echoes_a_secret_is_not_shown() {
        let tests = [FieldTest { pointer: "/token".to_owned(), is: Test::Equals(json!(true)) }];
        let wanted = Wanted { status: 200, contains: None, json: &tests };
        let body = json!({"token": format!("canary-{}", "7".repeat(300))}).to_string();
        let answer = WebAnswer { status: 200, body: body.into_bytes() };
        let line = |secret| judge("http://s/", &wanted, &answer, secret).evidence().0.join("\n");
        assert_eq!(line(true), "http://s/ answered 200: expected /token to be true");
        assert!(line(false).contains("found \"canary-777"), "{}", line(false));
    }
}
