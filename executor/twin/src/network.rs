//! What becomes of an answer on its way: a proxy, a cache or a server of a control plane that answers as badly as they do.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{Call, Raw};
use crate::kube::api::Answer;
use crate::kube::error::ApiError;

/// An answer that is not the one that was asked for. What was requested has happened all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BadAnswer {
    /// The object, under another UID.
    OtherUid,
    /// A `Status` that refuses, with the HTTP status 200.
    StatusInOk,
    /// A list or a document of discovery without entries.
    EmptyList,
    /// Only the first half of the entries.
    PartialList,
    /// A 404 of a server that does not know the path, as one that has not seen a CRD.
    UnknownPath,
    /// Cut off in the middle, as a whole answer.
    Truncated,
    /// What was answered to the same call the last time, so an answer that is late.
    Late,
    /// The request arrives twice, and the second answer is delivered.
    Twice,
}

type Answered = Result<Answer, ApiError>;

/// Answers badly. `late` is what was answered the last time.
pub(crate) fn distort(bad: BadAnswer, answer: Answered, late: Option<Answered>) -> Answered {
    match bad {
        // Happened when the call was answered.
        BadAnswer::Twice => answer,
        BadAnswer::Late => late.unwrap_or(answer),
        BadAnswer::UnknownPath => Err(ApiError::no_path()),
        BadAnswer::StatusInOk => Ok(Answer::Json {
            code: 200,
            body: json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "reason": "ServiceUnavailable", "message": "the backend is not ready", "code": 503}),
            warnings: Vec::new(),
        }),
        BadAnswer::Truncated => answer.map(truncated),
        BadAnswer::OtherUid => answer.map(|answer| in_body(answer, other_uid)),
        BadAnswer::EmptyList => answer.map(|answer| in_body(answer, |body| keep(body, |_| 0))),
        BadAnswer::PartialList => answer.map(|answer| in_body(answer, |body| keep(body, |len| len / 2))),
    }
}

/// The same call, for answers that come late.
pub(crate) fn same(call: &Call) -> String {
    format!("{} {} {:?}", call.method, call.path, call.query)
}

fn in_body(answer: Answer, change: impl FnOnce(&mut Value)) -> Answer {
    match answer {
        Answer::Json { code, mut body, warnings } => {
            change(&mut body);
            Answer::Json { code, body, warnings }
        }
        other => other,
    }
}

fn other_uid(body: &mut Value) {
    if let Some(uid) = body.pointer_mut("/metadata/uid") {
        *uid = "ffffffff-ffff-4fff-8fff-ffffffffffff".into();
    }
}

fn keep(body: &mut Value, some: impl Fn(usize) -> usize) {
    for field in ["items", "resources", "groups"] {
        if let Some(entries) = body.get_mut(field).and_then(Value::as_array_mut) {
            entries.truncate(some(entries.len()));
        }
    }
}

fn truncated(answer: Answer) -> Answer {
    match answer {
        Answer::Json { code, body, .. } => {
            let text = body.to_string();
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            Answer::Raw(Raw { code, content_type: "application/json", headers: Vec::new(), body: half })
        }
        other => other,
    }
}
