//! A Deployment, `DaemonSet` or `StatefulSet` is fully rolled out.

use serde_json::Value;
use switchback_schemas::{journal::Verdict, plan::BoundObject};

use super::verdict;
use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    fields::{number, text},
    target,
};

pub(super) async fn check(api: &Reader, object: &BoundObject) -> Result<Verdict, CallError> {
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, object).await?;
    let Some(object) = found.object()? else {
        return Ok(Verdict::fails(format!("{} does not exist", found.named)));
    };
    let Some(lacking) = lacking(object) else {
        return Ok(Verdict::unknown(format!("{} has no rollout that is understood", found.named)));
    };
    Ok(match lacking.first() {
        None => verdict(true, &format!("{} is rolled out", found.named)),
        Some(_) => verdict(false, &format!("{}: {}", found.named, lacking.join(", "))),
    })
}

/// What a rollout still lacks; `None` for a kind that has none.
///
/// With `OnDelete` pods change when somebody deletes them, and the controller never says that both revisions of a
/// StatefulSet are one (contract row `statefulsets::on_delete_waits_for_hands`); a partition keeps the pods below it as
/// they are. Only what the strategy moves is asked for.
fn lacking(object: &Value) -> Option<Vec<String>> {
    let mut lacking = Vec::new();
    let mut want = |what: &str, is: u64, wanted: u64| {
        if is != wanted {
            lacking.push(format!("{is} of {wanted} {what}"));
        }
    };
    let by_hand = text(object, "/spec/updateStrategy/type") == "OnDelete";
    let updated = |what: &str| match (what, by_hand) {
        ("pods", false) => "pods updated",
        ("pods", true) => "pods updated (OnDelete: the others change when somebody deletes them)",
        (_, false) => "replicas updated",
        (_, true) => "replicas updated (OnDelete: the others change when somebody deletes their pods)",
    };
    match text(object, "/kind") {
        "Deployment" => {
            let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
            want("replicas updated", number(object, "/status/updatedReplicas"), replicas);
            want("replicas available", number(object, "/status/availableReplicas"), replicas);
            let old =
                number(object, "/status/replicas").saturating_sub(number(object, "/status/updatedReplicas"));
            if old > 0 {
                lacking.push(format!("{old} old replicas left"));
            }
        }
        "DaemonSet" => {
            let replicas = number(object, "/status/desiredNumberScheduled");
            want(updated("pods"), number(object, "/status/updatedNumberScheduled"), replicas);
            want("pods available", number(object, "/status/numberAvailable"), replicas);
        }
        "StatefulSet" => {
            let replicas = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
            let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition").min(replicas);
            let now = number(object, "/status/updatedReplicas");
            // Pods below the partition may be of the new revision, too.
            want(updated("replicas"), now.min(replicas - partition), replicas - partition);
            want("replicas available", number(object, "/status/availableReplicas"), replicas);
            let moves_all = !by_hand && partition == 0;
            if moves_all && text(object, "/status/currentRevision") != text(object, "/status/updateRevision")
            {
                lacking.push("old replicas left".to_owned());
            }
        }
        _ => return None,
    }
    if number(object, "/status/observedGeneration") < number(object, "/metadata/generation") {
        lacking.insert(0, "its controller has not seen the last change".to_owned());
    }
    Some(lacking)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_rolled_out_when_nothing_old_is_left() {
        let mut object = json!({"kind": "Deployment", "metadata": {"generation": 3}, "spec": {"replicas": 2},
            "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}});
        assert_eq!(lacking(&object), Some(vec![]));
        object["status"]["replicas"] = json!(3);
        assert_eq!(lacking(&object).unwrap(), ["1 old replicas left"]);
        object["status"] =
            json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1});
        assert_eq!(lacking(&object).unwrap().len(), 2);
    }

    #[test]
    fn scaled_to_nothing_is_rolled_out() {
        let object = json!({"kind": "Deployment", "metadata": {"generation": 4}, "spec": {"replicas": 0},
            "status": {"observedGeneration": 4}});
        assert_eq!(lacking(&object), Some(vec![]));
    }

    #[test]
    fn the_other_kinds() {
        let daemon = json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "status": {"observedGeneration": 1,
            "desiredNumberScheduled": 3, "updatedNumberScheduled": 2, "numberAvailable": 3}});
        assert_eq!(lacking(&daemon).unwrap(), ["2 of 3 pods updated"]);
        let stateful = json!({"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 1},
            "status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1,
            "currentRevision": "a", "updateRevision": "b"}});
        assert_eq!(lacking(&stateful).unwrap(), ["old replicas left"]);
        assert_eq!(lacking(&json!({"kind": "Job"})), None);
    }

    #[test]
    fn only_what_the_strategy_moves_is_asked_for() {
        let mut stateful = json!({"kind": "StatefulSet", "metadata": {"generation": 1},
            "spec": {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
            "status": {"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 3,
            "currentRevision": "a", "updateRevision": "b"}});
        let lacks = lacking(&stateful).unwrap();
        assert!(lacks.len() == 1, "{lacks:?}");
        assert!(lacks[0].starts_with("2 of 3"), "{lacks:?}");
        assert!(lacks[0].contains("OnDelete"), "{lacks:?}");
        stateful["status"]["updatedReplicas"] = json!(3);
        assert_eq!(lacking(&stateful), Some(vec![]));
        stateful["spec"]["updateStrategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
        assert_eq!(lacking(&stateful), Some(vec![]));
        stateful["status"]["updatedReplicas"] = json!(0);
        assert_eq!(lacking(&stateful).unwrap(), ["0 of 1 replicas updated"]);
        let daemon = json!({"kind": "DaemonSet", "metadata": {"generation": 1},
            "spec": {"updateStrategy": {"type": "OnDelete"}}, "status": {"observedGeneration": 1,
            "desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}});
        assert!(lacking(&daemon).unwrap()[0].contains("OnDelete"));
    }
}
