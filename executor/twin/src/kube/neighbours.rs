//! What stands around a cluster and takes part in what it does: the provider that runs its control plane, and the applications
//! in its pods. They know the cluster; the cluster knows them by these traits only.

use std::fmt::Debug;

use jiff::SignedDuration;
use serde_json::Value;

use crate::call::Raw;
use crate::world::{Key, World};

/// A token that its issuer does not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unauthorized;

/// Calls to an API that goes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeprecatedCalls {
    /// The path that was called, such as `/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas`.
    pub path: String,
    /// The minor that no longer serves it.
    pub removed_in: String,
}

/// Who runs the control plane.
pub(crate) trait Provider: Debug + Send + Sync {
    /// The name of the user whose a token is; nothing where the token is not one of the provider's.
    fn user(&self, world: &World, token: &str) -> Option<Result<String, Unauthorized>>;

    /// Calls to APIs that go away, as the API server counted them.
    fn deprecated_calls(&self, world: &World) -> Vec<DeprecatedCalls>;
}

/// An application that is more than pods that become ready.
pub(crate) trait Application: Debug + Send + Sync {
    /// Starts it in a pod of its own. An error is the message with which its container ends. Pods of others start.
    fn start(&self, world: &mut World, key: &Key, pod: &Value) -> Result<(), String>;

    /// How long a Job's pod runs; nothing where that is none of its business.
    fn runs_for(&self, world: &World, pod: &Value) -> Option<SignedDuration>;

    /// How a Job's pod ends: with a code and the line that it leaves. Nothing where that is none of its business.
    fn completes(&self, world: &mut World, key: &Key, pod: &Value) -> Option<(i64, String)>;

    /// Answers a request to a pod of its own; nothing for others, and where the twin does not play the path.
    fn answer(&self, world: &mut World, key: &Key, pod: &Value, method: &str, path: &str) -> Option<Raw>;

    /// What its webhooks say of a write, of an object of its own or of a pod: an error where they refuse it. `old` is absent for what
    /// is made. What it does not look at is admitted.
    fn admit(&self, world: &World, key: &Key, old: Option<&Value>, new: &Value) -> Result<(), String>;
}

/// All of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Neighbours {
    /// Who runs the control plane.
    pub provider: Option<&'static dyn Provider>,
    /// What runs in pods.
    pub applications: &'static [&'static dyn Application],
}

impl Neighbours {
    /// Those of a world.
    pub(crate) fn of(world: &World) -> Self {
        world.part::<Self>().copied().unwrap_or_default()
    }
}
