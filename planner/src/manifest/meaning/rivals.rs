//! Settings and documents that work against each other.

use switchback_schemas::{
    codes,
    manifest::{BatchSize, NodeMove, Rollout},
    name::{Label as Name, ObjectName},
};

use super::Faults;
use crate::manifest::DocRef;

pub(super) fn check(faults: &mut Faults<'_>) {
    same_thing(faults);
    let set = faults.set;
    for document in &set.karpenter {
        let (doc, spec) = (document.doc, &document.spec);
        if spec.nodes == NodeMove::None && spec.rollout != Rollout::default() {
            faults.pair(
                codes::MANIFEST_CONFLICT,
                "`rollout` says how nodes move, and `nodes: none` that none does",
                (doc, "/spec/rollout", "nothing would read this"),
                (doc, "/spec/nodes", "no node moves"),
                "remove `rollout`, or choose `nodes: drifted` or `nodes: all`",
            );
        }
        batches(faults, doc, &spec.rollout);
    }
    for document in &set.eks {
        batches(faults, document.doc, &document.spec.rollout);
    }
}

fn batches(faults: &mut Faults<'_>, doc: DocRef, rollout: &Rollout) {
    let more = match (rollout.batch, rollout.max_unavailable) {
        (Some(BatchSize::Nodes(batch)), Some(BatchSize::Nodes(away)))
        | (Some(BatchSize::Percent(batch)), Some(BatchSize::Percent(away))) => batch > away,
        _ => false,
    };
    if more {
        faults.pair(
            codes::MANIFEST_CONFLICT,
            "a batch is larger than what may be away at once",
            (doc, "/spec/rollout/batch", "so many move at once"),
            (doc, "/spec/rollout/maxUnavailable", "so many may be away"),
            "raise maxUnavailable or lower batch",
        );
    }
}

/// What an upgrade changes; no two may change the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Thing<'a> {
    Release(&'a Name, &'a ObjectName),
    Container(&'a Name, &'a ObjectName, &'a str),
    Database(&'a Name),
    ControlPlane(&'a Name),
}

fn same_thing(faults: &mut Faults<'_>) {
    let set = faults.set;
    let mut things: Vec<(Thing<'_>, DocRef, &str)> = Vec::new();
    for document in &set.karpenter {
        let spec = &document.spec;
        things.push((Thing::Release(&spec.target, &spec.release), document.doc, "/spec/release"));
        things.push((Thing::Release(&spec.target, &spec.crd_release), document.doc, "/spec/crdRelease"));
    }
    for document in &set.eks {
        things.push((Thing::ControlPlane(&document.spec.target), document.doc, "/spec/target"));
    }
    for document in &set.helm_releases {
        things.push((
            Thing::Release(&document.spec.target, &document.spec.release),
            document.doc,
            "/spec/release",
        ));
    }
    for document in &set.deployments {
        let spec = &document.spec;
        let thing = Thing::Container(&spec.target, &spec.deployment, &spec.container);
        things.push((thing, document.doc, "/spec/container"));
    }
    for document in &set.mlflow {
        let spec = &document.spec;
        let thing = Thing::Container(&spec.target, &spec.deployment, &spec.container);
        things.push((thing, document.doc, "/spec/container"));
        // Two servers on one instance: the restore of the one takes the other's database along.
        things.push((Thing::Database(&spec.database), document.doc, "/spec/database"));
    }
    things.sort();
    for pair in things.windows(2) {
        let [(thing, first, first_at), (other, second, second_at)] = pair else { continue };
        if thing != other {
            continue;
        }
        let what = match thing {
            Thing::Release(_, release) => format!("the release {release}"),
            Thing::Container(_, deployment, container) => {
                format!("the container `{container}` of {deployment}")
            }
            Thing::ControlPlane(target) => format!("the EKS cluster `{target}`"),
            Thing::Database(database) => format!("the database `{database}`, which goes back as a whole"),
        };
        faults.pair(
            codes::MANIFEST_CONFLICT,
            format!("two settings move {what}"),
            (*second, second_at, "moved here"),
            (*first, first_at, "and here"),
            "keep one of them; to go in two steps, compile the second after the first is done",
        );
    }
}
