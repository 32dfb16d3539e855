//! Labels that an object gives to the pods that it makes, where its kind says so in its spec.

use std::collections::BTreeMap;

use serde_json::Value;

/// The labels of a Workflow's pods: those of its own `podMetadata`, over those of the template that it refers to, as its controller merged
/// and kept it (`status.storedWorkflowTemplateSpec`). Why they are not known, if it refers to one that no controller has read yet.
pub(crate) fn of(object: &Value) -> Result<BTreeMap<String, String>, &'static str> {
    let stored = object.pointer("/status/storedWorkflowTemplateSpec");
    if object.pointer("/spec/workflowTemplateRef").is_some() && stored.is_none() {
        return Err("the template that it refers to is not in its status yet");
    }
    let labels = |at: Option<&Value>| {
        let labels = at.and_then(|at| at.pointer("/podMetadata/labels")).and_then(Value::as_object).cloned();
        labels.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())))
    };
    Ok(labels(stored).chain(labels(object.get("spec"))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workflow_of_a_template_gives_what_its_controller_kept() {
        let given = |spec: Value, status: Value| of(&json!({"spec": spec, "status": status}));
        let by = |tier: &str| json!({"podMetadata": {"labels": {"tier": tier}}});
        let tier = |tier: &str| Ok([("tier".to_owned(), tier.to_owned())].into());
        assert_eq!(given(by("ci"), json!({})), tier("ci"));
        let refers = json!({"workflowTemplateRef": {"name": "train"}});
        assert_eq!(given(refers.clone(), json!({"storedWorkflowTemplateSpec": by("train")})), tier("train"));
        let mut own = by("ci");
        own["workflowTemplateRef"] = refers["workflowTemplateRef"].clone();
        assert_eq!(given(own, json!({"storedWorkflowTemplateSpec": by("train")})), tier("ci"));
        assert!(given(refers, json!({})).is_err());
        assert_eq!(given(json!({}), json!({})), Ok(BTreeMap::new()));
    }
}
