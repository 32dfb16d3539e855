//! What the plan says about a pod: the first class that matches.

use serde_json::Value;
use switchback_schemas::{
    Seconds,
    plan::{OnDrain, Then, WorkloadClass},
};

use crate::fields;

/// A pod as classes see it.
pub(crate) struct PodTraits<'pod> {
    /// The pod.
    pub(crate) pod: &'pod Value,
    /// The kinds of its owners, nearest first; empty for a pod that nobody controls.
    pub(crate) owner_kinds: Vec<&'pod str>,
    /// Whether it stands on a node with GPUs.
    pub(crate) on_gpu_node: bool,
}

/// What a drain may do to a pod now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Evict it.
    Evict,
    /// Wait for it, or for somebody to decide.
    Hold,
}

/// The class of a pod: the first that matches.
pub(crate) fn class_of<'plan>(
    classes: &'plan [WorkloadClass],
    seen: &PodTraits<'_>,
) -> Option<&'plan WorkloadClass> {
    let namespace = fields::text(seen.pod, "/metadata/namespace");
    let label = |key: &str| seen.pod.pointer("/metadata/labels").and_then(|labels| labels.get(key)?.as_str());
    classes.iter().find(|class| class.select.matches(namespace, label, &seen.owner_kinds))
}

/// What a drain may do to a pod of this class, after its node's workloads have been waited for so long.
pub(crate) fn decide(class: Option<&WorkloadClass>, seen: &PodTraits<'_>, waited: Seconds) -> Verdict {
    let may_evict = match class.map(|class| &class.on_drain) {
        Some(OnDrain::Evict {} | OnDrain::Requeue {}) => true,
        Some(OnDrain::Never {}) => false,
        Some(OnDrain::Wait { max, then }) => *then == Then::Evict && waited >= *max,
        // On a GPU node nobody's pod may be a training run of three weeks.
        None => !seen.on_gpu_node,
    };
    if may_evict { Verdict::Evict } else { Verdict::Hold }
}

/// Whether a class protects its pods: a roll moves their nodes last.
pub(crate) fn protects(class: Option<&WorkloadClass>, seen: &PodTraits<'_>) -> bool {
    match class.map(|class| &class.on_drain) {
        Some(OnDrain::Wait { .. } | OnDrain::Never {}) => true,
        Some(OnDrain::Evict {} | OnDrain::Requeue {}) => false,
        None => seen.on_gpu_node,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use switchback_schemas::plan::PodSelector;

    fn class(name: &str, select: PodSelector, on_drain: OnDrain) -> WorkloadClass {
        WorkloadClass {
            name: name.parse().unwrap(),
            select,
            on_drain,
            gang: false,
            overrides: [].into(),
            may_lose: None,
        }
    }

    fn pod() -> Value {
        json!({"metadata": {"namespace": "ml", "labels": {"team": "a"}}})
    }

    #[test]
    fn the_first_class_that_matches_wins() {
        let classes = [
            class(
                "jobs",
                PodSelector { owner_kinds: vec!["Job".into()], ..Default::default() },
                OnDrain::Never {},
            ),
            class(
                "ml",
                PodSelector { namespaces: vec!["ml".into()], ..Default::default() },
                OnDrain::Requeue {},
            ),
            class("rest", PodSelector::default(), OnDrain::Evict {}),
        ];
        let pod = pod();
        let name = |owner_kinds: &[&'static str]| {
            let seen = PodTraits { pod: &pod, owner_kinds: owner_kinds.to_vec(), on_gpu_node: false };
            class_of(&classes, &seen).map(|class| class.name.as_str())
        };
        assert_eq!(name(&["Job"]), Some("jobs"));
        assert_eq!(name(&["Job", "CronJob"]), Some("jobs"), "any owner in the chain (A9)");
        assert_eq!(name(&["ReplicaSet", "Deployment"]), Some("ml"));
        let only_bare = PodSelector { owner_kinds: vec!["Pod".into()], ..Default::default() };
        let bare = [class("bare", only_bare, OnDrain::Evict {})];
        let of = |owner_kinds| class_of(&bare, &PodTraits { pod: &pod, owner_kinds, on_gpu_node: false });
        assert!(of(Vec::new()).is_some());
        assert!(of(vec!["Job"]).is_none());
    }

    #[test]
    fn all_that_a_selector_says_must_match() {
        let labels = [("team".to_owned(), "a".to_owned()), ("tier".to_owned(), "x".to_owned())].into();
        let classes = [class("both", PodSelector { labels, ..Default::default() }, OnDrain::Evict {})];
        let seen = PodTraits { pod: &pod(), owner_kinds: Vec::new(), on_gpu_node: false };
        assert!(class_of(&classes, &seen).is_none());
    }

    #[test]
    fn waiting_never_turns_into_killing_by_itself() {
        let pod = pod();
        let seen = PodTraits { pod: &pod, owner_kinds: Vec::new(), on_gpu_node: true };
        let wait = |then| class("w", PodSelector::default(), OnDrain::Wait { max: Seconds(60), then });
        assert_eq!(decide(Some(&wait(Then::Park)), &seen, Seconds(600)), Verdict::Hold);
        assert_eq!(decide(Some(&wait(Then::Evict)), &seen, Seconds(59)), Verdict::Hold);
        assert_eq!(decide(Some(&wait(Then::Evict)), &seen, Seconds(60)), Verdict::Evict);
        assert_eq!(decide(None, &seen, Seconds(600)), Verdict::Hold);
        assert_eq!(decide(None, &PodTraits { on_gpu_node: false, ..seen }, Seconds(0)), Verdict::Evict);
    }
}
