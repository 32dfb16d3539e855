//! Resolving: from what manifests ask to a lock, which holds each chart as it would render on the observed cluster.
//!
//! Only reads: charts are fetched, rendered and taken apart; nothing is written to the cluster.

mod capabilities;
mod render;

use std::sync::Arc;

use jiff::Timestamp;
use switchback_executor::ports::Failure;
use switchback_schemas::{
    format::Document,
    inventory::Inventory,
    lock::{Ask, Asks, Lock},
    name::Label,
};

use crate::{
    charts::VerifiedCharts,
    helm::{Helm, HelmTarget},
    port::Programs,
};

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The asks are for another observation than the inventory's.
    #[error(
        "the manifests were read against observation {asked}, the inventory is {found}; observe or plan again"
    )]
    OtherObservation {
        /// The observation that was asked for.
        asked: Label,
        /// The inventory's.
        found: Label,
    },
    /// A chart cannot be fetched or rendered.
    #[error("chart {chart} {version} for release {release}: {source}")]
    Chart {
        /// The chart.
        chart: String,
        /// Its version.
        version: String,
        /// The release.
        release: String,
        /// What was said.
        source: Failure,
    },
}

/// Resolves asks.
pub struct Resolver {
    helm: Helm,
    charts: VerifiedCharts,
}

impl Resolver {
    /// `charts` finds charts; `target` says which helm, and which cluster it asks for a release's values.
    pub fn new(programs: Arc<dyn Programs>, charts: VerifiedCharts, target: HelmTarget) -> Self {
        Self { helm: Helm::new(programs, target), charts }
    }

    /// Writes the lock of some asks. `now` is when resolving begins.
    pub async fn resolve(
        &self,
        asks: &Asks,
        inventory: &Inventory,
        now: Timestamp,
    ) -> Result<Lock, ResolveError> {
        if asks.observation != inventory.observation {
            return Err(ResolveError::OtherObservation {
                asked: asks.observation.clone(),
                found: inventory.observation.clone(),
            });
        }
        let mut renders = Vec::new();
        for ask in &asks.charts {
            let rendered = render::render(&self.helm, &self.charts, ask, inventory, &asks.plain).await;
            renders.push(rendered.map_err(|source| of_chart(ask, source))?);
        }
        renders.sort_by(|a, b| (&a.release, &a.chart.version).cmp(&(&b.release, &b.chart.version)));
        Ok(Lock {
            format: Document::Lock.current(),
            resolved_at: now,
            observation: inventory.observation.clone(),
            manifests: asks.manifests,
            renders,
            addons: Vec::new(),
        })
    }
}

fn of_chart(ask: &Ask, source: Failure) -> ResolveError {
    ResolveError::Chart {
        chart: ask.chart.clone(),
        version: ask.version.to_string(),
        release: ask.release.to_string(),
        source,
    }
}
