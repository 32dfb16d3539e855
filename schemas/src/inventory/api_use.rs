//! Who uses APIs that are removed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::ObjectRef;

/// The use of APIs that some later minor no longer serves. What Helm keeps of a release stands among the releases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiUse {
    /// What the API server counted since it started: calls to deprecated APIs. Absent when its metrics could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Vec<RequestedApi>>,
    /// Objects whose managers last wrote them in an API version that is removed. Absent when they could not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Vec<WrittenBy>>,
}

/// Calls to a deprecated API, of the metric `apiserver_requested_deprecated_apis`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestedApi {
    /// The group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The version.
    pub version: String,
    /// The resource, with a subresource after `/`.
    pub resource: String,
    /// The minor that removes it, as the API server says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_in: Option<crate::Version>,
}

/// An object that was last written in an API version that is removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenBy {
    /// The object, in a version that is served.
    pub object: ObjectRef,
    /// The manager.
    pub manager: String,
    /// The API version in which it writes.
    pub api_version: String,
}
