//! Hops: one component moving one version.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{HopId, Version, name::SavepointId};

/// One component moving one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// What moves, and to which version.
    pub id: HopId,
    /// The version before; absent where it has no number, and where only what stayed behind is moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Version>,
    /// Whether it was compiled from what is there, or from what earlier hops should leave.
    pub basis: HopBasis,
    /// Why it comes after other hops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<HopOrder>,
    /// The last day on which the version before it is supported, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave_by: Option<Date>,
    /// Where the hop ends.
    pub savepoint: SavepointId,
}

/// Whether a hop was compiled from what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HopBasis {
    /// From what was observed.
    Exact,
    /// From what earlier hops should leave; gated again before it starts.
    Predicted,
}

/// A hop that must come first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HopOrder {
    /// The other hop.
    pub hop: HopId,
    /// The fact that says so.
    pub why: String,
    /// Where the fact comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}
