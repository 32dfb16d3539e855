//! The kinds `Verification` and `Waiver`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    codes::Code,
    name::{Label, ObjectName},
    plan::{Compare, EnvValue, FieldTest, Method, Missing},
    seconds::Length,
};

/// Something to check, by evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    /// What is checked.
    pub check: Check,
    /// How long it must hold without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Length>,
    /// How long it may take to come true; 5 minutes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
}

/// What is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Check {
    /// A program ends with exit code 0. Integration tests are run like this.
    Command {
        /// Program and arguments; never a shell line.
        #[schemars(length(min = 1))]
        argv: Vec<String>,
        /// Environment beyond `PATH` and `HOME`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, EnvValue>,
        /// How long it may run.
        timeout: Length,
    },
    /// An HTTP request is answered as expected.
    Http {
        /// The address. A Service of the cluster, `http://NAME.NAMESPACE.svc:PORT/PATH`, is asked through the API server.
        url: String,
        /// `GET` when it is left out, `POST` where there is a body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<Method>,
        /// Headers. A secret is named by the variable that holds it: `Authorization: {fromEnv: TOKEN}`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, EnvValue>,
        /// The body, sent as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
        /// The status that must come back.
        status: u16,
        /// A text that the body must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contains: Option<String>,
        /// What must be true of fields of the body, which is JSON then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        json: Vec<FieldTest<Value>>,
    },
    /// A model answers a request. A loaded model that cannot answer fails.
    Inference {
        /// The address of the server, without the path of the protocol.
        url: String,
        /// How it is asked.
        protocol: InferenceProtocol,
        /// The model.
        model: String,
        /// What it is asked: `instances` of v1, `inputs` of v2, `messages` of openai.
        input: Vec<Value>,
        /// Headers. A secret is named by the variable that holds it: `Authorization: {fromEnv: TOKEN}`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, EnvValue>,
    },
    /// The values of a PromQL query, against a threshold or against what the query said before the hop. One of the two is given.
    Prometheus {
        /// The server's address.
        url: String,
        /// The query. Every series counts.
        query: String,
        /// How far back every value counts, not only the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Length>,
        /// How the value is compared.
        compare: Compare,
        /// The threshold, a quoted decimal number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(regex(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
        threshold: Option<String>,
        /// Compares with what the query said before the first step of the hop.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<Baseline>,
        /// What no data means.
        missing: Missing,
    },
    /// Logs of pods have so many lines that match.
    Logs {
        /// The namespace.
        namespace: String,
        /// Labels of the pods.
        match_labels: BTreeMap<String, String>,
        /// The container; the pod's default one when it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
        /// A regular expression; a line counts if it matches anywhere in it.
        pattern: String,
        /// How far back lines count.
        since: Length,
        /// How many lines must match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<u64>,
        /// How many lines may match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u64>,
    },
    /// An object of any kind has a condition.
    Condition {
        /// Group and version: `serving.kserve.io/v1beta1`.
        api_version: String,
        /// The kind.
        kind: String,
        /// The object; one of the cluster itself has no namespace.
        object: ObjectName,
        /// The condition: `Ready`.
        r#type: String,
        /// Its status.
        #[serde(default = "true_status", skip_serializing_if = "is_true_status")]
        status: String,
    },
    /// Every node of a pool offers so many devices.
    Devices {
        /// The pool.
        pool: Label,
        /// The resource: `nvidia.com/gpu`.
        resource: String,
        /// How many a node must offer at least.
        each: u64,
    },
    /// So many pods with these labels are ready.
    Pods {
        /// The namespace.
        namespace: String,
        /// Their labels.
        match_labels: BTreeMap<String, String>,
        /// How many must be ready.
        ready: u64,
    },
    /// A Deployment is fully rolled out.
    Deployment(ObjectName),
    /// So many nodes of a pool are Ready and schedulable.
    Nodes {
        /// The pool.
        pool: Label,
        /// How many.
        ready: u64,
    },
}

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InferenceProtocol {
    /// `POST /v1/models/MODEL:predict` with `instances`; `predictions` come back.
    V1,
    /// `POST /v2/models/MODEL/infer` with `inputs`; `outputs` come back.
    V2,
    /// `POST /openai/v1/chat/completions` with `messages`; `choices` come back. Where a server has another path, use `http`.
    Openai,
}

/// What a value is compared with: what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Baseline {
    /// By how many hundredths it may be worse than it was.
    pub tolerance_percent: u32,
}

fn true_status() -> String {
    "True".to_owned()
}

fn is_true_status(status: &str) -> bool {
    status == "True"
}

/// One finding that somebody accepts, for a time, on evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiver {
    /// The finding's code.
    pub finding: Code,
    /// What it is about, as the finding names it: an object, a component, a pod.
    pub about: String,
    /// Why it may be accepted.
    pub evidence: String,
    /// Who accepts it.
    pub by: String,
    /// When it stops counting.
    pub expires: Timestamp,
}
