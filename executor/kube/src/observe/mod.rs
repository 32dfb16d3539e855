//! Observation: an inventory of what is there. Read-only by construction: it is built on a [`Reader`], which sends GET.
//!
//! What cannot be read is listed under `unread` and never fails the whole. Two observations of the same state differ in
//! their instant and their name alone: everything is sorted.

mod api_use;
mod argo_workflows;
mod cluster;
mod crds;
mod custom;
mod found;
mod gpu_operator;
mod karpenter;
mod kserve;
mod lists;
mod mlflow;
mod nodes;
mod nvsentinel;
mod owners;
mod pods;
mod releases;
mod rocm_driver;
mod webhooks;
mod workloads;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use switchback_executor::ports::{Classify as _, Failure};
use switchback_model::secret::Keeping;
use switchback_schemas::{
    Digest,
    format::Document,
    inventory::{Inventory, Plain},
    name::Label,
};

use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    driver::IO_DEADLINE,
};
use found::Found;
use lists::Lists;

/// How to observe.
#[derive(Clone, Debug)]
pub struct Observing {
    /// When reading begins; from the clock of whoever asks.
    pub taken_at: Timestamp,
    /// How long one request may take.
    pub deadline: Duration,
    /// What of the objects of releases is kept as it is.
    pub plain: Plain,
}

impl Observing {
    /// Now, with the usual deadline.
    pub fn at(taken_at: Timestamp) -> Self {
        Self { taken_at, deadline: IO_DEADLINE, plain: Plain::default() }
    }

    /// The same, and what components ask for is kept as it is.
    #[must_use]
    pub fn keeping(self, plain: Plain) -> Self {
        Self { plain, ..self }
    }
}

/// Reads an inventory. Fails only where the API server cannot be spoken to at all, or does not say which cluster it is.
pub async fn observe(client: kube::Client, observing: &Observing) -> Result<Inventory, Failure> {
    let reader = Reader::new(client, observing.deadline);
    read(&reader, observing).await.map_err(|error| error.failure())
}

async fn read(reader: &Reader, observing: &Observing) -> Result<Inventory, CallError> {
    let taken_at = observing.taken_at;
    let kinds = Kinds::new(reader);
    let cluster = cluster::read(reader).await?;
    let mut lists = Lists::read(reader, &kinds).await;
    let claims = lists.claims(reader, &kinds).await;
    let mut pods = pods::read(&mut lists, reader, &kinds).await;
    let crds = crds::read(&mut lists, reader).await;
    let webhooks = webhooks::read(&mut lists, reader).await;
    let mut releases =
        releases::read(&mut lists, Keeping { salt: &cluster.kube_system_uid, plain: &observing.plain });
    custom::read(&mut lists, reader, &crds, &mut releases).await;
    let told = std::mem::take(&mut pods.told);
    let found = [
        karpenter::read(&mut lists, reader, &kinds, &claims).await,
        argo_workflows::read(&mut lists, reader, &kinds).await,
        kserve::read(&mut lists, reader, &kinds).await,
        gpu_operator::read(&mut lists, reader, &kinds).await,
        rocm_driver::read(&mut lists, reader, &kinds).await,
        nvsentinel::read(&mut lists, reader, &kinds).await,
        mlflow::read(&mut lists, reader, &kinds, told).await,
    ];
    let owned: Vec<Value> = found.iter().flatten().flat_map(|found| &found.objects).cloned().collect();
    let owners = owners::read(&lists, &owned);
    let components = found.into_iter().flatten().map(Found::section).collect();
    let api_use = api_use::read(&mut lists, reader, &kinds, &cluster.apis).await;
    let mut unread = lists.unread;
    unread.sort();
    unread.dedup();
    Ok(Inventory {
        format: Document::Inventory.current(),
        observation: observation(taken_at, &cluster.kube_system_uid),
        taken_at,
        cluster,
        nodes: nodes::read(&lists.nodes, &claims),
        workloads: workloads::read(&lists.workloads, &pods),
        budgets: pods.budgets,
        pods: pods.standing,
        releases,
        crds,
        webhooks,
        owners,
        api_use,
        components,
        unread,
        carry_over: None,
    })
}

/// A name that no other observation of this or another cluster has, unless it began in the same millisecond.
fn observation(taken_at: Timestamp, uid: &str) -> Label {
    let instant = taken_at.strftime("%Y%m%dt%H%M%S%3fz");
    Label::sanitized(&format!("obs-{instant}-{}", Digest::of(uid).short(8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_named_by_its_instant_and_its_cluster() {
        let at = "2026-11-20T10:00:00.5Z".parse().unwrap();
        let name = observation(at, "uid-1");
        assert!(name.as_str().starts_with("obs-20261120t100000500z-"), "{name}");
        assert_ne!(name, observation(at, "uid-2"));
    }
}
