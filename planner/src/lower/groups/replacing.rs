//! What is said of a group that is replaced, by whoever has it replaced.

use switchback_schemas::{
    Version,
    inventory::eks::Nodegroup,
    manifest::Rollout,
    plan::{Estimate, Pool, Stale, Verify},
};

use super::names::Names;
use crate::{
    context::Cx,
    lower::{HopScope, quarantine::OptOut},
};

/// A group that is replaced, and the one that replaces it.
pub struct Replacing<'a> {
    /// The platform.
    pub cx: &'a Cx<'a>,
    /// The hop.
    pub scope: &'a HopScope,
    /// How the manifest says that nodes move.
    pub rollout: &'a Rollout,
    /// How things of the cluster are called.
    pub names: &'a Names,
    /// The pool of the group.
    pub pool: &'a Pool,
    /// The group as it was observed.
    pub observed: &'a Nodegroup,
    /// Its name now.
    pub name: &'a str,
    /// The new group's name.
    pub new: String,
    /// What its steps are called under their hop.
    pub part: String,
    /// What the new group has that the old one has not.
    pub image: NewImage<'a>,
    /// Whether all nodes of its pool are its own.
    pub alone: bool,
    /// How long a group takes until it has its nodes.
    pub takes: Estimate,
    /// Why it waits for what comes before it, and the source of that.
    pub why: (&'a str, Option<&'a str>),
    /// What must hold of the new nodes, beside that they are Ready, before an old one is drained.
    pub settled: Vec<Verify>,
    /// The same in a title: what follows "are Ready".
    pub settled_title: String,
    /// Who keeps from quarantining a node of a batch.
    pub opt_out: Option<&'static OptOut>,
    /// The most nodes that may be away at once, where somebody else counts them, too.
    pub at_most: Option<u64>,
    /// What is looked at after each batch, beside the pool.
    pub watched: Vec<Verify>,
}

/// The image of the new group.
pub struct NewImage<'a> {
    /// The minor of its kubelets.
    pub minor: &'a Version,
    /// Its release, where it is not the newest of the minor.
    pub release: Option<&'a Version>,
    /// Its type, where the old group has another one.
    pub ami_type: Option<&'a str>,
    /// The type that the old group has.
    pub ami_type_before: &'a str,
    /// What the new nodes are at, in a title.
    pub to: &'a Version,
    /// What the old nodes are at, in a title.
    pub from: &'a Version,
    /// The nodes of the old group.
    pub old: Stale,
    /// The nodes of the new group.
    pub new: Stale,
}
