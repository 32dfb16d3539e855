//! `notify`: posts a text to a webhook. The address is a secret of the executor's environment and never shown.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::json;
use switchback_executor::{
    foreign::text,
    ports::{Call, Capturing, Driver, Failure, Member},
};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome, Verdict},
    name::Label,
    plan::{CaptureKind, Condition, Effect, Identity, Notify, Roll},
};

use crate::{
    command::Lookup,
    web::{Web, WebError, WebRequest},
};

/// How long one request may take.
const WITHIN: Duration = Duration::from_secs(20);

/// Posts to webhooks.
pub struct NotifyDriver {
    web: Arc<dyn Web>,
    lookup: Lookup,
}

impl NotifyDriver {
    /// `lookup` reads the executor's environment.
    pub fn new(web: Arc<dyn Web>, lookup: Lookup) -> Self {
        Self { web, lookup }
    }

    async fn notify(&self, call: &Call, notify: &Notify) -> Outcome {
        let channel = &notify.channel;
        let Some(url) = (self.lookup)(&notify.url_from_env) else {
            let line =
                format!("channel {channel}: the variable {} is not set", text::line(&notify.url_from_env));
            return Outcome::NotDone { class: Class::Denied, evidence: Evidence::line(line) };
        };
        // `text` is what the webhooks of chat systems read; the rest is for programs.
        let body = json!({"text": notify.text, "run": call.run.as_str(), "step": call.at.to_string()});
        let request = WebRequest { url, post: Some(body.to_string()), within: WITHIN };
        let evidence = |line: &str| Evidence::line(text::line(&format!("channel {channel}: {line}")));
        match self.web.send(&request).await {
            Ok(answer) => match answer.status {
                200..=299 => Outcome::Done { evidence: evidence("told") },
                429 => Outcome::NotDone { class: Class::Throttled, evidence: evidence("it answered 429") },
                status @ 400..=499 => Outcome::NotDone {
                    class: Class::Refused,
                    evidence: evidence(&format!("it answered {status}")),
                },
                status => Outcome::InDoubt {
                    class: Class::Unreachable,
                    evidence: evidence(&format!("it answered {status}")),
                },
            },
            Err(error) => {
                let evidence = evidence(&error.to_string());
                match error {
                    WebError::Address(_) => Outcome::NotDone { class: Class::Refused, evidence },
                    WebError::NotSent(_) | WebError::NoRoots(_) => {
                        Outcome::NotDone { class: Class::Unreachable, evidence }
                    }
                    WebError::Lost(_) => Outcome::InDoubt { class: Class::Unreachable, evidence },
                    WebError::Deadline(_) => Outcome::InDoubt { class: Class::Deadline, evidence },
                }
            }
        }
    }
}

#[async_trait]
impl Driver for NotifyDriver {
    fn applies(&self, effect: &Effect) -> bool {
        matches!(effect, Effect::Notify(_))
    }

    fn checks(&self, _condition: &Condition) -> bool {
        false
    }

    async fn apply(&self, call: &Call, effect: &Effect) -> Outcome {
        match effect {
            Effect::Notify(notify) => self.notify(call, notify).await,
            other => {
                let evidence = Evidence::line(format!("{} is no notification", other.kind()));
                Outcome::NotDone { class: Class::Bug, evidence }
            }
        }
    }

    async fn check(&self, _call: &Call, _condition: &Condition) -> Verdict {
        Verdict::unknown("notifications check no conditions")
    }

    async fn capture(&self, _call: &Call, _what: &CaptureKind) -> Option<Result<Capturing, Failure>> {
        None
    }

    async fn members(&self, _call: &Call, _roll: &Roll) -> Option<Result<Vec<Member>, Failure>> {
        None
    }

    async fn identity(&self, _target: &Label) -> Option<Result<Identity, Failure>> {
        None
    }
}
