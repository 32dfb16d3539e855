//! What is read and stored before an effect.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arguments, CloudRef, Find, PromQuery, Target, argument::mapped};
use crate::name::ObjectName;

/// Something that is read and stored before the effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capture {
    /// Its name, unique in the step.
    pub name: String,
    /// What is read.
    pub what: CaptureKind,
}

/// What a capture reads. Scalars stand in the journal; objects are artifacts beside it, referenced by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CaptureKind")]
pub enum CaptureKind<T = Target> {
    /// Of a Kubernetes API server.
    Kube(KubeCapture<T>),
    /// Of the cloud provider's APIs.
    Cloud(CloudCapture),
    /// The one value of a PromQL query, as text.
    Prometheus(PromQuery),
}

/// What is read of a Kubernetes API server. Objects of kind Secret are never captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "KubeCapture")]
pub enum KubeCapture<T = Target> {
    /// A field of an object; null when it is not there.
    Field {
        /// The object.
        object: T,
        /// JSON pointer.
        pointer: String,
    },
    /// The revision of a release that is deployed.
    Revision(ObjectName),
    /// Named objects as they are.
    Objects(Vec<T>),
    /// All objects that are found.
    Found(Find),
    /// All objects of several kinds, in the order of the kinds.
    Kinds(Vec<Find>),
}

/// Something of the cloud provider's as its API describes it, without what is secret; null when it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloudCapture {
    /// The thing.
    pub of: CloudRef,
    /// JSON pointer into the answer; empty for the whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
}

impl CaptureKind {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<CaptureKind<A::Object>, A::Error> {
        Ok(match self {
            Self::Kube(KubeCapture::Field { object, pointer }) => {
                CaptureKind::Kube(KubeCapture::Field { object: by.object(object)?, pointer: pointer.clone() })
            }
            Self::Kube(KubeCapture::Objects(objects)) => {
                CaptureKind::Kube(KubeCapture::Objects(mapped(objects, |object| by.object(object))?))
            }
            Self::Kube(KubeCapture::Revision(release)) => {
                CaptureKind::Kube(KubeCapture::Revision(release.clone()))
            }
            Self::Kube(KubeCapture::Found(find)) => CaptureKind::Kube(KubeCapture::Found(find.clone())),
            Self::Kube(KubeCapture::Kinds(finds)) => CaptureKind::Kube(KubeCapture::Kinds(finds.clone())),
            Self::Cloud(capture) => CaptureKind::Cloud(capture.clone()),
            Self::Prometheus(query) => CaptureKind::Prometheus(query.clone()),
        })
    }
}
