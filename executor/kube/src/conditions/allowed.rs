//! Whoever is named may do what is asked for, as the API server's authorisation says.

use serde_json::{Value, json};
use switchback_schemas::{journal::Verdict, plan::AccessReview};

use super::verdict;
use crate::{api::Reader, classify::CallError};

/// What is listed of who may not do what.
const LISTED: usize = 5;

pub(super) async fn check(api: &Reader, reviews: &[AccessReview]) -> Result<Verdict, CallError> {
    let (mut asked, mut denied) = (0_u64, Vec::new());
    for review in reviews {
        for verb in &review.verbs {
            asked += 1;
            let (kind, spec) = spec(review, verb);
            if !api.is_allowed(kind, &spec).await? {
                denied.push(described(review, verb));
            }
        }
    }
    if denied.is_empty() {
        return Ok(verdict(true, &format!("all of {asked} questions are answered with yes")));
    }
    let more = denied.len().saturating_sub(LISTED);
    let mut line = denied.into_iter().take(LISTED).collect::<Vec<_>>().join("; ");
    if more > 0 {
        line = format!("{line} and {more} more");
    }
    Ok(verdict(false, &line))
}

/// The review of a service account is a SubjectAccessReview, one's own a SelfSubjectAccessReview.
fn spec(review: &AccessReview, verb: &str) -> (&'static str, Value) {
    let (resource, sub) = review.resource.split_once('/').unwrap_or((&review.resource, ""));
    let attributes = json!({
        "verb": verb, "group": review.group, "resource": resource, "subresource": sub,
        "namespace": review.namespace.as_deref().unwrap_or_default(),
    });
    let Some(account) = &review.account else {
        return ("SelfSubjectAccessReview", json!({"resourceAttributes": attributes}));
    };
    let namespace = account.namespace.as_deref().unwrap_or_default();
    // As the API server knows the account behind a token.
    let groups =
        ["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}"), "system:authenticated"];
    let user = format!("system:serviceaccount:{namespace}:{}", account.name);
    ("SubjectAccessReview", json!({"user": user, "groups": groups, "resourceAttributes": attributes}))
}

fn described(review: &AccessReview, verb: &str) -> String {
    let who = match &review.account {
        Some(account) => format!("service account {account} may not"),
        None => "these credentials may not".to_owned(),
    };
    let dot = if review.group.is_empty() { "" } else { "." };
    let place = review.namespace.as_ref().map(|namespace| format!(" in namespace {namespace}"));
    format!("{who} {verb} {}{dot}{}{}", review.resource, review.group, place.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_schemas::name::ObjectName;

    #[test]
    fn a_review_names_the_account_as_the_api_server_does() {
        let review = AccessReview {
            account: Some(ObjectName::namespaced("ml", "runner")),
            namespace: Some("ml".into()),
            group: "argoproj.io".into(),
            resource: "workflowtaskresults".into(),
            verbs: vec!["create".into()],
        };
        let (kind, asked) = spec(&review, "create");
        assert_eq!(
            (kind, &asked["user"]),
            ("SubjectAccessReview", &json!("system:serviceaccount:ml:runner"))
        );
        assert_eq!(asked["groups"][1], "system:serviceaccounts:ml");
        assert_eq!(
            described(&review, "create"),
            "service account ml/runner may not create workflowtaskresults.argoproj.io in namespace ml"
        );
        let own = AccessReview { account: None, namespace: None, resource: "pods/exec".into(), ..review };
        let (kind, asked) = spec(&own, "create");
        assert_eq!(
            (kind, &asked["resourceAttributes"]["subresource"]),
            ("SelfSubjectAccessReview", &json!("exec"))
        );
    }
}
