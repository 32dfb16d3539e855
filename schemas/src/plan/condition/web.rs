//! Conditions that are asked over HTTP.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FieldTest;
use crate::{
    Seconds,
    plan::{Arguments, EnvValue, Operand, argument::mapped},
};

/// Asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[schemars(rename = "WebCondition")]
pub enum WebCondition<V = Operand> {
    /// An HTTP request is answered as expected.
    Http {
        /// What is sent.
        request: HttpRequest,
        /// The status that must come back.
        status: u16,
        /// A text that the body must hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contains: Option<String>,
        /// What must be true of the body, which is JSON then.
        #[serde(default = "Vec::<FieldTest<V>>::new", skip_serializing_if = "Vec::is_empty")]
        json: Vec<FieldTest<V>>,
    },
    /// The value of a PromQL query: of every series, since a threshold that one of them breaks is broken.
    Prometheus {
        /// What is asked.
        query: PromQuery,
        /// What must be true of it.
        is: Level<V>,
        /// What no data means.
        missing: Missing,
    },
}

/// An HTTP request. No redirect is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRequest {
    /// The method.
    #[serde(default, skip_serializing_if = "Method::is_get")]
    pub method: Method,
    /// The address. `http` or `https`; never a metadata address. A Service of the cluster, `http://NAME.NAMESPACE.svc:PORT/…`, is
    /// asked through the API server.
    pub url: String,
    /// Headers beyond those that every request has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, EnvValue>,
    /// The body, sent as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

impl HttpRequest {
    /// A GET without headers of its own.
    pub fn get(url: String) -> Self {
        Self { method: Method::Get, url, headers: BTreeMap::new(), body: None }
    }

    /// A POST of JSON.
    pub fn post(url: String, headers: BTreeMap<String, EnvValue>, body: Value) -> Self {
        Self { method: Method::Post, url, headers, body: Some(body) }
    }

    /// Variables of the executor's environment that it needs.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.headers.values().filter_map(EnvValue::variable)
    }
}

/// The method of a request that checks something. Methods that are there to change what they name are none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    #[default]
    Get,
    /// Reads, and no body comes back.
    Head,
    /// Sends a body. A server may store it; an inference server does not.
    Post,
}

impl Method {
    /// As it is written in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }

    /// Whether it is the one that stands for itself; left out of documents then.
    pub fn is_get(&self) -> bool {
        *self == Self::Get
    }
}

/// A PromQL query to a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromQuery {
    /// The server.
    pub url: String,
    /// The query.
    pub query: String,
    /// How far back every value counts, not only the last one.
    #[serde(default, skip_serializing_if = "Seconds::is_zero")]
    pub over: Seconds,
}

/// What must be true of the values of a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Level")]
pub enum Level<V = Operand> {
    /// Each is on the right side of a threshold.
    Threshold {
        /// How it is compared.
        compare: Compare,
        /// The threshold, a decimal number as text.
        value: String,
    },
    /// Each is on the right side of what the query said earlier.
    Baseline {
        /// How it is compared.
        compare: Compare,
        /// What the query said.
        value: V,
        /// By how many hundredths of it a value may be worse.
        tolerance_percent: u32,
    },
    /// There is one value and no more: what a baseline is taken of.
    Single {},
}

/// How a number is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// At most the threshold.
    AtMost,
    /// At least the threshold.
    AtLeast,
    /// Below the threshold.
    Below,
    /// Above the threshold.
    Above,
}

impl Compare {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::AtMost => "at most",
            Self::AtLeast => "at least",
            Self::Below => "below",
            Self::Above => "above",
        }
    }

    /// Whether more of it is worse.
    pub fn is_ceiling(self) -> bool {
        matches!(self, Self::AtMost | Self::Below)
    }
}

/// What it means that a query has no data. Missing is never healthy by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Unknown: the step holds.
    Unknown,
    /// The check fails.
    Fail,
    /// The check passes, because no data is what health looks like here (an error counter).
    Pass,
}

impl PromQuery {
    /// What is sent to the server. A window is a subquery, so that the server's clock counts; its resolution is a hundredth of it: without
    /// one the server takes the interval of its rules, which may be longer than the window.
    pub fn promql(&self) -> String {
        match self.over.0 {
            0 => self.query.clone(),
            over => format!("({})[{over}s:{}s]", self.query, (over / 100).max(1)),
        }
    }
}

impl WebCondition {
    /// That a GET is answered with 200, and with a text in its body.
    pub fn answers(url: String, contains: Option<String>) -> Self {
        Self::Http { request: HttpRequest::get(url), status: 200, contains, json: Vec::new() }
    }

    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<WebCondition<A::Value>, A::Error> {
        Ok(match self {
            Self::Http { request, status, contains, json } => WebCondition::Http {
                request: request.clone(),
                status: *status,
                contains: contains.clone(),
                json: mapped(json, |test| test.map(by))?,
            },
            Self::Prometheus { query, is, missing } => WebCondition::Prometheus {
                query: query.clone(),
                is: match is {
                    Level::Threshold { compare, value } => {
                        Level::Threshold { compare: *compare, value: value.clone() }
                    }
                    Level::Baseline { compare, value, tolerance_percent } => Level::Baseline {
                        compare: *compare,
                        value: by.value(value)?,
                        tolerance_percent: *tolerance_percent,
                    },
                    Level::Single {} => Level::Single {},
                },
                missing: *missing,
            },
        })
    }
}

impl<V> WebCondition<V> {
    /// The address that it asks.
    pub fn url(&self) -> &str {
        match self {
            Self::Http { request, .. } => &request.url,
            Self::Prometheus { query, .. } => &query.url,
        }
    }
}
