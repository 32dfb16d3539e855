//! The kinds of manifests: a few that are part of the house, and one for each component that can be moved.

use std::sync::{Arc, OnceLock};

use schemars::Schema;
use serde_json::Value;
use switchback_schemas::manifest::{ComponentUpgrade, Platform, Verification, Waiver, schema};

use super::{
    Checks, DocRef, Touch, Written,
    schema::{Compiled, compile},
};

/// The kind that says what the platform is.
pub(super) const PLATFORM: &str = "Platform";
/// The kind of what only the catalog knows.
pub(super) const COMPONENT_UPGRADE: &str = "ComponentUpgrade";
/// The kind of what upgrades verify.
pub(super) const VERIFICATION: &str = "Verification";
/// The kind of an accepted finding.
pub(super) const WAIVER: &str = "Waiver";

/// Kinds that the design names and this build refuses by name.
pub(super) const NOT_BUILT: [&str; 3] = ["TerraformUpgrade", "OpenPaiUpgrade", "Fleet"];

/// A kind of upgrade, as the reader sees it. Every component is one.
pub trait UpgradeKind: Sync {
    /// The kind as it stands in a document.
    fn kind(&self) -> &'static str;

    /// Its JSON Schema.
    fn schema(&self) -> Schema;

    /// Reads a document that its schema admits.
    fn typed(&self, doc: DocRef, value: Value) -> Result<Arc<dyn Written>, serde_json::Error>;

    /// What a document says that does not fit together, leads nowhere, or must not become an argument or an address.
    fn check(&self, document: &dyn Written, checks: &mut Checks<'_, '_>);

    /// What it changes; no two upgrades may change the same.
    fn touches(&self, document: &dyn Written) -> Vec<Touch>;
}

/// Every kind that is read.
pub struct Kinds<'k> {
    upgrades: Vec<&'k dyn UpgradeKind>,
    all: Vec<Known>,
}

/// A kind with its schema, which is compiled when the first document of it is read.
struct Known {
    kind: &'static str,
    schema: Schema,
    compiled: OnceLock<Result<Compiled, String>>,
}

impl<'k> Kinds<'k> {
    /// The kinds of the house, and these.
    pub fn new(upgrades: Vec<&'k dyn UpgradeKind>) -> Self {
        let known = |kind, schema| Known { kind, schema, compiled: OnceLock::new() };
        let mut all = vec![known(PLATFORM, schema::<Platform>(PLATFORM))];
        all.extend(upgrades.iter().map(|upgrade| known(upgrade.kind(), upgrade.schema())));
        all.push(known(COMPONENT_UPGRADE, schema::<ComponentUpgrade>(COMPONENT_UPGRADE)));
        all.push(known(VERIFICATION, schema::<Verification>(VERIFICATION)));
        all.push(known(WAIVER, schema::<Waiver>(WAIVER)));
        Self { upgrades, all }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.all.iter().map(|known| known.kind)
    }

    /// Their JSON Schemas, by name.
    pub fn schemas(&self) -> impl Iterator<Item = (&'static str, &Schema)> {
        self.all.iter().map(|known| (known.kind, &known.schema))
    }

    /// The kind of an upgrade.
    pub(super) fn upgrade(&self, kind: &str) -> Option<&'k dyn UpgradeKind> {
        self.upgrades.iter().copied().find(|upgrade| upgrade.kind() == kind)
    }

    /// Kinds of upgrades that a plan can be made from.
    pub(super) fn upgrades(&self) -> impl Iterator<Item = &'static str> {
        self.upgrades.iter().map(|upgrade| upgrade.kind())
    }

    /// The schema of a kind. An error is one of ours.
    pub(super) fn compiled(&self, kind: &str) -> Result<&Compiled, String> {
        let known = self.all.iter().find(|known| known.kind == kind);
        let known = known.ok_or_else(|| format!("no schema for {kind}"))?;
        known.compiled.get_or_init(|| compile(&known.schema)).as_ref().map_err(Clone::clone)
    }
}
