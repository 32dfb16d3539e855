//! `notify`: posts a text to a webhook. The address is a secret of the executor's environment and never shown.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::json;
use switchback_executor::{
    ports::{Call, Channels, Classify as _},
    untrusted::text,
};
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    plan::Notify,
};

use crate::{
    command::Lookup,
    web::{Web, WebRequest},
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
}

#[async_trait]
impl Channels for NotifyDriver {
    async fn notify(&self, call: &Call, notify: &Notify) -> Outcome {
        let channel = &notify.channel;
        let Some(url) = (self.lookup)(&notify.url_from_env) else {
            let line =
                format!("channel {channel}: the variable {} is not set", text::line(&notify.url_from_env));
            return Outcome::NotDone { class: Class::Denied, evidence: Evidence::line(line) };
        };
        // `text` is what the webhooks of chat systems read; the rest is for programs.
        let body = json!({"text": notify.text, "run": call.run.as_str(), "step": call.at.to_string()});
        let request = WebRequest::post(url, body.to_string(), WITHIN);
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
            Err(error) => error.classify().told_as(evidence(&error.to_string())).of_write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use switchback_schemas::journal::At;

    use super::*;
    use crate::web::{WebAnswer, WebError};

    /// Answers as it is told, and keeps what it was sent.
    struct Scripted(Result<u16, WebError>, Mutex<Vec<WebRequest>>);

    #[async_trait]
    impl Web for Scripted {
        async fn send(&self, request: &WebRequest) -> Result<WebAnswer, WebError> {
            self.1.lock().unwrap().push(request.clone());
            self.0.clone().map(|status| WebAnswer { status, body: Vec::new() })
        }
    }

    async fn told(
        answer: Result<u16, WebError>,
        variable: Option<&'static str>,
    ) -> (Outcome, Vec<WebRequest>) {
        let web = Arc::new(Scripted(answer, Mutex::default()));
        let driver = NotifyDriver::new(web.clone(), Arc::new(move |_| variable.map(str::to_owned)));
        let notify =
            Notify { channel: "ops".parse().unwrap(), url_from_env: "HOOK".into(), text: "moved".into() };
        let call = Call::first(
            "r-1".parse().unwrap(),
            At::forward(&"a/b".parse().unwrap()),
            "cluster".parse().unwrap(),
            "t".into(),
        );
        let outcome = driver.notify(&call, &notify).await;
        let sent = web.1.lock().unwrap().clone();
        (outcome, sent)
    }

    #[tokio::test]
    async fn a_channel_is_told_and_its_address_never_shown() {
        let (outcome, sent) = told(Ok(200), Some("https://hooks.example/s3cr3t")).await;
        assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
        let body: serde_json::Value = serde_json::from_str(sent[0].json.as_deref().unwrap()).unwrap();
        assert_eq!(body, json!({"text": "moved", "run": "r-1", "step": "a/b"}));
        for answer in
            [Ok(200), Ok(404), Ok(500), Err(WebError::Deadline(20)), Err(WebError::Lost("reset".into()))]
        {
            let (outcome, _) = told(answer, Some("https://hooks.example/s3cr3t")).await;
            assert!(!format!("{outcome:?}").contains("s3cr3t"), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn answers_say_whether_the_channel_was_told() {
        let url = Some("https://hooks.example/x");
        assert!(matches!(told(Ok(429), url).await.0, Outcome::NotDone { class: Class::Throttled, .. }));
        assert!(matches!(told(Ok(404), url).await.0, Outcome::NotDone { class: Class::Refused, .. }));
        assert!(matches!(told(Ok(502), url).await.0, Outcome::InDoubt { .. }));
        let (outcome, _) = told(Err(WebError::NotSent("refused".into())), url).await;
        assert!(matches!(outcome, Outcome::NotDone { class: Class::Unreachable, .. }), "{outcome:?}");
        let (outcome, sent) = told(Ok(200), None).await;
        assert!(matches!(outcome, Outcome::NotDone { class: Class::Denied, .. }), "{outcome:?}");
        assert!(sent.is_empty());
    }
}
