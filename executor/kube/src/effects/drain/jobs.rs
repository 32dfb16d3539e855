//! Jobs that a drain would end: their pods stay until the Job is over, or somebody changes it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use switchback_executor::untrusted::text;
use switchback_schemas::journal::WaitsFor;

use super::{Drain, Leaving};
use crate::{
    api::{Query, Sought, another},
    classify::CallError,
    fields, nodes,
    pods::{jobs, owners::Owner},
};

impl Drain<'_> {
    /// Takes out the pods of Jobs that would not survive their eviction.
    pub(super) async fn spare_jobs(
        &self,
        evict: Vec<Leaving>,
        waits: &mut BTreeSet<WaitsFor>,
    ) -> Result<Vec<Leaving>, CallError> {
        let mut of_job: BTreeMap<Owner, Vec<&Leaving>> = BTreeMap::new();
        for leaving in &evict {
            if let Some(job) = leaving.owners.first().filter(|owner| owner.object.kind == "Job") {
                of_job.entry(job.clone()).or_default().push(leaving);
            }
        }
        let mut spared = BTreeSet::new();
        for (job, leaving) in &of_job {
            let Some(why) = self.would_end(job, leaving).await? else { continue };
            spared.insert(job.uid.clone());
            let class = leaving
                .first()
                .and_then(|leaving| leaving.class.as_ref())
                .map(|class| class.name.to_string());
            let workload = text::line(&job.object.to_string());
            waits.insert(WaitsFor::Workload { workload, class, node: self.node.to_owned(), why: Some(why) });
        }
        let stays =
            |leaving: &Leaving| leaving.owners.first().is_some_and(|owner| spared.contains(&owner.uid));
        Ok(evict.into_iter().filter(|leaving| !stays(leaving)).collect())
    }

    /// Why a Job would end as failed, if it would. What other nodes have just evicted counts, and so does the whole of a gang:
    /// one that is moved in part has to begin again.
    async fn would_end(&self, job: &Owner, leaving: &[&Leaving]) -> Result<Option<String>, CallError> {
        let namespace = job.object.namespace.as_deref();
        let resource = nodes::built_in("batch/v1", "Job")?;
        let sought = Sought::new(&resource, namespace, &job.object.name);
        // One that is gone takes its pods along.
        let Some(found) = self.api.read.look(sought).await? else { return Ok(None) };
        if found.uid() != job.uid {
            return Err(another(&job.object.to_string(), &found));
        }
        let Some(survives) = jobs::survives(&found) else { return Ok(None) };
        let of_job =
            BTreeMap::from([(jobs::OF_JOB.to_owned(), fields::text(&found, "/metadata/uid").to_owned())]);
        let query = Query { namespace: namespace.map(str::to_owned), ..Query::labelled(&of_job) };
        let pods = self.api.read.list(&nodes::pods()?, &query).await?;
        let count = |is: fn(&Value) -> bool| {
            u64::try_from(pods.iter().filter(|pod| is(pod)).count()).unwrap_or(u64::MAX)
        };
        let here = u64::try_from(leaving.len()).unwrap_or(u64::MAX);
        let whole = leaving.iter().any(|leaving| leaving.gang.is_some());
        let needs = if whole { here.max(count(jobs::runs)) } else { here };
        let left = survives.saturating_sub(count(jobs::is_uncounted));
        Ok((needs > left).then(|| {
            format!(
                "evicting {needs} of its pods would end it as failed, since its backoffLimit leaves {left}; \
                 a podFailurePolicy that ignores DisruptionTarget would let it go on"
            )
        }))
    }
}
