//! A component that moves nodes by itself, and has to be kept from it while others do: it is asked for by nobody, only suspended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use switchback_planner::{
    catalog::Texts,
    component::{Component, DocCx, Held, HopCx, Known, Lookups},
    context::Cx,
    hop::HopSpec,
    lower::{
        Lowering,
        suspension::{Parts, RollSuspension, Suspended, Titles},
    },
    manifest::{Checks, Touch},
    predicted::Predicted,
    sections::Sections,
    solver::Request,
    upgrade,
};
use switchback_schemas::{
    Diagnostic, Version,
    codes::Code,
    inventory::Plain,
    manifest::{OnFailure, Requires},
    name::{Label, ObjectName, ObjectRef},
    plan::{Condition, KubeCondition, Roll, Target},
};

/// Moves a sentry; not used here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SentryUpgrade {
    target: Label,
    to: Version,
    #[serde(default)]
    requires: Vec<Requires>,
    #[serde(default)]
    verify: Vec<Label>,
    #[serde(default)]
    on_failure: Option<OnFailure>,
}

upgrade!(SentryUpgrade);

/// The component.
pub(crate) struct Sentry;

/// Where it runs, and what says whether it evicts.
fn config() -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced("ops", "sentry"))
}

/// Its Deployment.
pub(crate) fn deployment() -> ObjectRef {
    ObjectRef::new("apps/v1", "Deployment", &ObjectName::namespaced("ops", "sentry"))
}

const EVICTS: &str = "/data/evict";

impl Component for Sentry {
    type Spec = SentryUpgrade;
    type Hop = ();
    type Facts = ();

    fn name(&self) -> &'static str {
        "sentry"
    }

    fn codes(&self) -> &'static [Code] {
        &[]
    }

    fn catalog(&self) -> Texts {
        Texts { versions: None, lowering: &[] }
    }

    fn facts(&self) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn plain(&self, _facts: &()) -> Plain {
        Plain::default()
    }

    fn strings(&self, _: &SentryUpgrade, _: &mut Checks<'_, '_>) {}

    fn references(&self, _: &SentryUpgrade, _: &mut Checks<'_, '_>) {}

    fn contradictions(&self, _: &SentryUpgrade, _: &mut Checks<'_, '_>) {}

    fn touches(&self, _: &SentryUpgrade) -> Vec<Touch> {
        Vec::new()
    }

    fn request(&self, _: &SentryUpgrade, _: &Known<'_>) -> Option<Request> {
        None
    }

    fn untold(&self) -> Option<&'static str> {
        None
    }

    fn asks(&self, _: &DocCx<'_, Self>, _: &mut Lookups) {}

    fn hops(&self, _: &DocCx<'_, Self>) -> Vec<(HopSpec, ())> {
        Vec::new()
    }

    fn lower(&self, _: &HopCx<'_, Self>, _: &mut Predicted<'_>, _: &mut Lowering) {}

    fn suspensions(&self, cx: &Cx<'_>, _: &[&Roll]) -> Vec<RollSuspension> {
        if cx.index.workload(&deployment()).is_none() {
            return Vec::new();
        }
        let suspended = Suspended {
            name: "sentry".to_owned(),
            parts: Parts::SUSPEND,
            object: config(),
            pointer: EVICTS,
            path: "data.evict",
            capture: "evict",
            value: json!("false"),
            observed: json!("true"),
            titles: Titles::of("evictions by the sentry"),
            cannot_stop: Vec::new(),
            owner: "the owner of the sentry".to_owned(),
        };
        let safe = Condition::Kube(KubeCondition::Rollout { object: Target::Object(deployment()) });
        vec![RollSuspension { suspended, safe }]
    }

    fn held(&self, _: &Sections<'_>, object: &ObjectRef, pointer: &str) -> Option<Held> {
        (*object == config() && pointer == EVICTS).then(|| Held::Is(json!("true")))
    }
}
