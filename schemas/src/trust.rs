//! Who may approve runs. Read from a protected place, never from what is under review: a plan names its digest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Label;

/// A file of this form: `apiVersion: switchback.dev/v1alpha1`, `kind: Trust`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trust {
    /// `switchback.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// `Trust`.
    pub kind: TrustKind,
    /// Its name.
    pub metadata: TrustName,
    /// Who, and how many.
    pub spec: TrustSpec,
}

/// The version of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one.
    #[serde(rename = "switchback.dev/v1alpha1")]
    V1Alpha1,
}

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TrustKind {
    /// A list of persons.
    Trust,
}

/// What a trust is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustName {
    /// For people.
    pub name: Label,
}

/// Who may approve, and how many have to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustSpec {
    /// Who may approve.
    pub approvers: Vec<Person>,
    /// How many of them have to.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10))]
    pub quorum: u32,
    /// Whether a run needs their approval of the whole plan before its first effect, whatever the manifests say. True unless it is set.
    #[serde(default = "yes")]
    pub before_start: bool,
    /// Whether a person whose credentials apply a run may approve it, too.
    #[serde(default)]
    pub applier_may_approve: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// A person, who counts once whatever they prove themselves by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Person {
    /// As reports name them.
    pub name: Label,
    /// Their public keys, as OpenSSH writes them (`ssh-ed25519 AAAA… comment`): ed25519 and ECDSA on P-256, also on a security key.
    pub ssh: Vec<String>,
    /// User names that API servers give their credentials: who applies a run is known by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kubernetes: Vec<String>,
}

/// What a plan says of the trust that it was made under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustRef {
    /// Its name.
    pub name: Label,
    /// The digest of its canonical JSON.
    pub digest: crate::Digest,
    /// Who may approve.
    pub approvers: Vec<Label>,
}
