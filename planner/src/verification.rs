//! Verifications: what a person asks for, as a condition of a plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use switchback_schemas::{
    HopId, Seconds, StepId,
    manifest::{Check, InferenceProtocol, Verification},
    name::{Label, ObjectRef},
    plan::{
        Command, Condition, EnvValue, FieldTest, Find, HttpRequest, KubeCondition, Level, Method, Missing,
        Operand, PodLogs, Pool, PromQuery, Target, Test, Verify, WebCondition,
    },
};

/// How long a verification may take when it does not say so itself.
const WITHIN: Seconds = Seconds::minutes(5);
/// The step of a hop that captures what its verifications compare with.
pub const BASELINE: &str = "baseline";

/// The step of a hop that captures what its verifications compare with.
pub fn baseline_of(hop: &HopId) -> StepId {
    hop.step(BASELINE)
}

/// What a step of a hop is verified by.
pub fn verify(hop: &HopId, pools: &[Pool], name: &Label, spec: &Verification) -> Verify {
    Verify {
        title: format!("verification {name}"),
        condition: condition(hop, pools, name, &spec.check),
        settle: spec.settle.map_or(Seconds(0), |length| length.0),
        within: spec.within.map_or(WITHIN, |length| length.0),
    }
}

fn condition(hop: &HopId, pools: &[Pool], name: &Label, check: &Check) -> Condition {
    match check {
        Check::Command { argv, env, timeout } => {
            Condition::Command(Command { argv: argv.clone(), env: env.clone(), timeout: timeout.0 })
        }
        Check::Http { url, method, headers, body, status, contains, json } => {
            let without = if body.is_some() { Method::Post } else { Method::Get };
            let request = HttpRequest {
                method: method.unwrap_or(without),
                url: url.clone(),
                headers: headers.clone(),
                body: body.clone(),
            };
            let json = json.iter().map(FieldTest::fixed).collect();
            Condition::Web(WebCondition::Http { request, status: *status, contains: contains.clone(), json })
        }
        Check::Inference { url, protocol, model, input, headers } => {
            inference(url, *protocol, model, input, headers)
        }
        Check::Prometheus { url, query, over, compare, threshold, baseline, missing } => {
            let is = match (threshold, baseline) {
                (_, Some(baseline)) => Level::Baseline {
                    compare: *compare,
                    value: Operand::Captured { step: baseline_of(hop), name: name.to_string() },
                    tolerance_percent: baseline.tolerance_percent,
                },
                // That one of the two is given was checked when the manifests were read.
                (threshold, None) => {
                    Level::Threshold { compare: *compare, value: threshold.clone().unwrap_or_default() }
                }
            };
            let over = over.map_or(Seconds(0), |length| length.0);
            let query = PromQuery { url: url.clone(), query: query.clone(), over };
            Condition::Web(WebCondition::Prometheus { query, is, missing: *missing })
        }
        Check::Pods { namespace, match_labels, ready } => {
            let ready_now = Test::Contains(json!({"type": "Ready", "status": "True"}));
            let each = vec![FieldTest { pointer: "/status/conditions".to_owned(), is: ready_now }];
            counted(("Pod", Some(namespace), match_labels), each, Some(*ready))
        }
        Check::Logs { namespace, match_labels, container, pattern, since, at_least, at_most } => {
            Condition::Kube(KubeCondition::Logs {
                pods: PodLogs {
                    namespace: namespace.clone(),
                    labels: match_labels.clone(),
                    container: container.clone(),
                    since: since.0,
                },
                pattern: pattern.clone(),
                at_least: *at_least,
                at_most: *at_most,
            })
        }
        Check::Deployment(deployment) => Condition::Kube(KubeCondition::Rollout {
            object: Target::Object(ObjectRef::new("apps/v1", "Deployment", deployment)),
        }),
        Check::Condition { api_version, kind, object, r#type, status } => {
            Condition::Kube(KubeCondition::Field {
                object: Target::Object(ObjectRef::new(api_version, kind, object)),
                pointer: "/status/conditions".to_owned(),
                is: Test::Contains(json!({"type": r#type, "status": status})),
            })
        }
        Check::Nodes { pool, ready } => {
            Condition::Kube(KubeCondition::NodesReady { pool: pool.clone(), at_least: *ready })
        }
        Check::Devices { pool, resource, each } => {
            let escaped = resource.replace('~', "~0").replace('/', "~1");
            let pointer = format!("/status/allocatable/{escaped}");
            let labels = pools.iter().find(|known| known.name == *pool).map(|pool| pool.labels.clone());
            let each = vec![FieldTest { pointer, is: Test::QuantityAtLeast(*each) }];
            counted(("Node", None, &labels.unwrap_or_default()), each, None)
        }
    }
}

fn counted(
    (kind, namespace, labels): (&str, Option<&String>, &BTreeMap<String, String>),
    each: Vec<FieldTest>,
    at_least: Option<u64>,
) -> Condition {
    let find = Find {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.cloned(),
        labels: labels.clone(),
    };
    Condition::Kube(KubeCondition::Count { find, each, at_least, at_most: None })
}

/// That a model answers a request: with what its protocol calls the answer, since servers say errors in a 200, too.
pub fn inference(
    url: &str,
    protocol: InferenceProtocol,
    model: &str,
    input: &[Value],
    headers: &BTreeMap<String, EnvValue>,
) -> Condition {
    let (path, body, answer) = match protocol {
        InferenceProtocol::V1 => {
            (format!("/v1/models/{model}:predict"), json!({"instances": input}), "/predictions/0")
        }
        InferenceProtocol::V2 => {
            (format!("/v2/models/{model}/infer"), json!({"inputs": input}), "/outputs/0")
        }
        InferenceProtocol::Openai => (
            "/openai/v1/chat/completions".to_owned(),
            // Few tokens: what is asked for is an answer, not a text.
            json!({"model": model, "messages": input, "max_tokens": 16}),
            "/choices/0",
        ),
    };
    let url = format!("{}{path}", url.trim_end_matches('/'));
    Condition::Web(WebCondition::Http {
        request: HttpRequest::post(url, headers.clone(), body),
        status: 200,
        contains: None,
        json: vec![FieldTest { pointer: answer.to_owned(), is: Test::Present {} }],
    })
}

/// What a verification compares with: the name under which it is captured, and the query; nothing where it compares with nothing
/// earlier.
pub fn compared<'c>(condition: &'c Condition) -> Vec<(&'c StepId, &'c str, &'c PromQuery)> {
    let one = |leaf: &'c Condition| match leaf {
        Condition::Web(WebCondition::Prometheus {
            query,
            is: Level::Baseline { value: Operand::Captured { step, name }, .. },
            ..
        }) => Some((step, name.as_str(), query)),
        _ => None,
    };
    condition.leaves().into_iter().filter_map(one).collect()
}

/// That a query has one value now.
pub fn has_value(query: &PromQuery) -> Condition {
    let missing = Missing::Unknown;
    Condition::Web(WebCondition::Prometheus { query: query.clone(), is: Level::Single {}, missing })
}
