//! `node.cordon`: makes a node unschedulable, or schedulable again, and leaves the cordons of others alone. A node that somebody
//! said no to is not begun with.

use serde_json::{Map, Value, json};
use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::{Class, Outcome},
    plan::{BoundObject, NodeCordon},
};

use super::{ANEW, placed};
use crate::{
    api::{Kinds, MANAGER, PatchKind, Writer, another, query_path},
    classify::CallError,
    nodes::{self, CORDONED_BY},
    target::{self, There, done, not_done, unconfirmed},
};

pub(super) async fn run(
    api: &Writer,
    call: &Call,
    effect: &NodeCordon<BoundObject>,
) -> Result<Outcome, CallError> {
    let kinds = Kinds::new(&api.read);
    let mut last = None;
    for _ in 0..ANEW {
        let found = target::find(&api.read, &kinds, &effect.node).await?;
        let node = match &found.there {
            There::It(node) => node,
            // A mark of this run is taken off whoever carries it.
            There::Another(node) if !effect.unschedulable => node,
            There::Another(node) => return Err(another(&found.named.to_string(), node)),
            There::Nothing | There::Successor(_) => {
                let gone = format!("{} is gone", found.named);
                return Ok(unconfirmed(call, &gone).unwrap_or_else(|| done(&gone)));
            }
        };
        if effect.unschedulable && !nodes::objections(node).is_empty() {
            let standing = placed::on(&api.read, &kinds, call, node).await?;
            if let Some(held) = placed::node_held(node, &standing) {
                return Ok(Outcome::Blocked { waits_for: vec![held] });
            }
        }
        let change = match decide(node, effect, call.run.as_str()) {
            Decided::Write(change) => change,
            Decided::Leave(why) => return Ok(done(format!("{}: {why}", found.named))),
        };
        let path = query_path(&found.path(None)?, &[("fieldManager", MANAGER)]);
        match api.patch((found.sought(), &path), PatchKind::Merge, &change).await {
            Ok(_) => {
                let did = if effect.unschedulable { "cordoned" } else { "uncordoned" };
                return Ok(done(format!("{} {did}", found.named)));
            }
            Err(error) if error.is_conflict() => last = Some(error),
            Err(error) => return Ok(error.of_write()),
        }
    }
    Ok(last
        .map_or_else(|| not_done(Class::Conflict, "the node changes all the time"), |error| error.of_write()))
}

/// What is to be done to a node.
#[derive(Debug, PartialEq)]
enum Decided {
    /// Send this merge patch. It holds the resourceVersion, so a cordon of somebody else in between is a conflict.
    Write(Value),
    /// Nothing: this is why.
    Leave(String),
}

fn decide(node: &Value, effect: &NodeCordon<BoundObject>, run: &str) -> Decided {
    let is = node.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false);
    let by = nodes::cordoned_by(node);
    let (mark, why) = match (effect.unschedulable, is, by) {
        (true, true, Some(by)) if by == run => (None, "cordoned by this run already"),
        (true, true, _) => (None, "cordoned by somebody else already, and left so"),
        (true, false, _) => (Some(Value::String(run.to_owned())), ""),
        (false, _, Some(by)) if by == run => (Some(Value::Null), ""),
        (false, true, _) => (None, "cordoned by somebody else, and left so"),
        (false, false, _) => (None, "schedulable already"),
    };
    let mut own = annotations(node, effect, is && mark.is_none());
    if mark.is_none() && own.is_empty() {
        return Decided::Leave(why.to_owned());
    }
    let version = node.pointer("/metadata/resourceVersion");
    let metadata = |annotations| json!({"resourceVersion": version, "annotations": annotations});
    let Some(mark) = mark else { return Decided::Write(json!({"metadata": metadata(own)})) };
    own.insert(CORDONED_BY.to_owned(), mark);
    let unschedulable = if effect.unschedulable { Value::Bool(true) } else { Value::Null };
    Decided::Write(json!({"metadata": metadata(own), "spec": {"unschedulable": unschedulable}}))
}

/// Annotations that the node lacks, or, where it is schedulable again, those that it loses. One that stays cordoned keeps them.
fn annotations(node: &Value, effect: &NodeCordon<BoundObject>, stays: bool) -> Map<String, Value> {
    let there = |key: &str| node.pointer("/metadata/annotations").and_then(|all| all.get(key)?.as_str());
    let wanted =
        effect.annotations.iter().filter_map(|(key, value)| match (effect.unschedulable, there(key)) {
            (true, there) if there != Some(value) => Some((key.clone(), Value::String(value.clone()))),
            (false, Some(_)) if !stays => Some((key.clone(), Value::Null)),
            _ => None,
        });
    wanted.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use switchback_schemas::name::{ObjectName, ObjectRef};

    use super::*;

    fn node(unschedulable: bool, by: Option<&str>) -> Value {
        let mut node = json!({"metadata": {"resourceVersion": "5", "annotations": {}}, "spec": {}});
        if unschedulable {
            node["spec"]["unschedulable"] = json!(true);
        }
        if let Some(by) = by {
            node["metadata"]["annotations"][CORDONED_BY] = json!(by);
        }
        node
    }

    fn decide(node: &Value, unschedulable: bool, run: &str) -> Decided {
        let named = ObjectRef::new("v1", "Node", &ObjectName::cluster("n"));
        let annotations = BTreeMap::new();
        super::decide(node, &NodeCordon { node: BoundObject::named(named), unschedulable, annotations }, run)
    }

    #[test]
    fn only_our_own_cordon_is_taken_back() {
        assert!(matches!(decide(&node(true, None), false, "r1"), Decided::Leave(_)));
        assert!(matches!(decide(&node(true, Some("r2")), false, "r1"), Decided::Leave(_)));
        let Decided::Write(patch) = decide(&node(true, Some("r1")), false, "r1") else { panic!("left") };
        assert_eq!(patch["spec"], json!({"unschedulable": null}));
        assert_eq!(patch["metadata"]["annotations"][CORDONED_BY], Value::Null);
    }

    #[test]
    fn a_cordon_is_marked_as_ours_only_if_we_made_it() {
        let Decided::Write(patch) = decide(&node(false, None), true, "r1") else { panic!("left") };
        assert_eq!(patch["metadata"]["annotations"][CORDONED_BY], "r1");
        assert_eq!(patch["metadata"]["resourceVersion"], "5");
        assert!(matches!(decide(&node(true, None), true, "r1"), Decided::Leave(_)));
    }

    /// A controller that uncordons every node that it did not find cordoned is told in the same write.
    #[test]
    fn annotations_go_along_with_a_cordon_whoever_made_it() {
        let key = "nvidia.com/gpu-driver-upgrade.node-initial-state.unschedulable";
        let cordon = |unschedulable| NodeCordon {
            node: BoundObject::named(ObjectRef::new("v1", "Node", &ObjectName::cluster("n"))),
            unschedulable,
            annotations: BTreeMap::from([(key.to_owned(), "true".to_owned())]),
        };
        let Decided::Write(patch) = super::decide(&node(false, None), &cordon(true), "r1") else {
            panic!("left")
        };
        assert_eq!(patch["metadata"]["annotations"], json!({CORDONED_BY: "r1", key: "true"}));
        assert_eq!(patch["spec"], json!({"unschedulable": true}));
        // Somebody else's cordon stays theirs, and is not to be taken off by the controller either.
        let Decided::Write(patch) = super::decide(&node(true, None), &cordon(true), "r1") else {
            panic!("left")
        };
        assert_eq!(patch["metadata"]["annotations"], json!({key: "true"}));
        assert_eq!(patch.get("spec"), None);
        let mut ours = node(true, Some("r1"));
        ours["metadata"]["annotations"][key] = json!("true");
        assert!(matches!(super::decide(&ours, &cordon(true), "r1"), Decided::Leave(_)));
        let Decided::Write(patch) = super::decide(&ours, &cordon(false), "r1") else { panic!("left") };
        assert_eq!(patch["metadata"]["annotations"], json!({CORDONED_BY: null, key: null}));
    }
}
