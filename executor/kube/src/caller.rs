//! Whose credentials these are, as the API server sees them.

use serde_json::json;
use switchback_executor::{
    ports::{Classify as _, Failure},
    untrusted::text,
};
use switchback_schemas::journal::{Class, Evidence};

use crate::{
    api::{Reader, Writer},
    driver::IO_DEADLINE,
    fields,
};

const PATH: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// The user name that the API server gives the client's credentials (`SelfSubjectReview`; every authenticated caller may
/// ask). Nothing is stored by it.
pub async fn caller(client: kube::Client) -> Result<String, Failure> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let api = Writer::new(Reader::new(client, IO_DEADLINE));
    let answer = api.post(PATH, &body).await.map_err(|error| error.failure())?;
    match fields::text(&answer, "/status/userInfo/username") {
        "" => Err(Failure {
            class: Class::Denied,
            evidence: Evidence::line("the API server knows no user for these credentials"),
        }),
        name => Ok(text::identity(name)),
    }
}
