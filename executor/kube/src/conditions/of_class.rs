//! Of the objects found that are of some workload classes, at most so many pass all tests.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_executor::{ports::Call, untrusted::text::line};
use switchback_schemas::{
    journal::{Evidence, Verdict},
    name::Label,
    plan::{FieldTest, Find, OfClasses, WorkloadClass},
};

use super::{count, verdict};
use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    fields,
    pods::{given_labels, owners::Owners},
};

/// What was found, and the kinds of its owners.
struct Seen {
    object: Value,
    /// Of the pods that it makes, or its own where it is one.
    labels: BTreeMap<String, String>,
    kinds: Vec<String>,
    unread: Option<String>,
}

pub(super) async fn check(
    api: &Reader,
    call: &Call,
    find: &Find,
    of: &OfClasses,
    (each, at_most): (&[FieldTest<Value>], u64),
) -> Result<Verdict, CallError> {
    let classes = &call.fleet.classes;
    let is_known = |name: &&Label| classes.iter().any(|class| class.name == **name);
    if let Some(unknown) = of.named().iter().find(|name| !is_known(name)) {
        return Ok(unclear(&format!("the plan has no workload class {unknown}")));
    }
    let objects = count::found(api, find).await?;
    let kinds = Kinds::new(api);
    let mut owners = Owners::new(api, &kinds);
    let mut seen = Vec::new();
    for object in objects.into_iter().filter(|object| fields::first_failure(each, object).is_none()) {
        let chain = owners.chain(&object).await?;
        // A pod is what its owners make it; everything else is the nearest owner of the pods that it makes.
        let labels = match find.kind == "Pod" {
            true => Ok(fields::texts(&object, "/metadata/labels")),
            false => given_labels::of(&object),
        };
        let unread = labels.as_ref().err().map(|why| (*why).to_owned()).or(chain.unread.clone());
        let labels = labels.unwrap_or_default();
        let itself = (find.kind != "Pod").then_some(find.kind.as_str());
        let kinds = itself.into_iter().chain(chain.kinds()).map(str::to_owned).collect();
        seen.push(Seen { object, labels, kinds, unread });
    }
    Ok(judge(classes, &seen, &find.kind, of, at_most))
}

fn unclear(why: &str) -> Verdict {
    Verdict::Unknown { evidence: Evidence::line(line(why)) }
}

fn judge(classes: &[WorkloadClass], seen: &[Seen], kind: &str, of: &OfClasses, at_most: u64) -> Verdict {
    let mut held = Vec::new();
    for one in seen {
        let class = class_of(classes, one);
        let name = fields::name(&one.object);
        // A class that matches by what can be seen stays the first only if none before it asks for an owner; nobody knows that here.
        if let Some(unread) = &one.unread {
            return unclear(&format!("the class of {kind} {name} is unknown: {unread}"));
        }
        if of.hold(class.map(|class| &class.name)) {
            let of_class = class.map_or("of no class".to_owned(), |class| format!("of class {}", class.name));
            held.push(format!("{name} {of_class}"));
        }
    }
    let passing = u64::try_from(held.len()).unwrap_or(u64::MAX);
    let holds = passing <= at_most;
    let mut said = format!("{passing} {kind} pass, wanted at most {at_most}");
    if let Some(first) = held.first().filter(|_| !holds) {
        said = format!("{said}; {first}");
        if held.len() > 1 {
            said = format!("{said} and {} more", held.len().saturating_sub(1));
        }
    }
    verdict(holds, &said)
}

/// The class of an object: the first that matches. Classes are of pods, so the labels are those that it gives to its pods.
fn class_of<'plan>(classes: &'plan [WorkloadClass], seen: &Seen) -> Option<&'plan WorkloadClass> {
    let namespace = fields::text(&seen.object, "/metadata/namespace");
    let label = |key: &str| seen.labels.get(key).map(String::as_str);
    let kinds: Vec<&str> = seen.kinds.iter().map(String::as_str).collect();
    classes.iter().find(|class| class.select.matches(namespace, label, &kinds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use switchback_schemas::plan::{OnDrain, PodSelector};

    fn class(name: &str, select: PodSelector) -> WorkloadClass {
        WorkloadClass {
            name: Label::new(name).unwrap(),
            select,
            on_drain: OnDrain::Never {},
            gang: false,
            overrides: std::collections::BTreeSet::new(),
            may_lose: None,
        }
    }

    fn workflow(name: &str, spec: &Value, kinds: &[&str]) -> Seen {
        let object = json!({"metadata": {"namespace": "ml", "name": name}, "spec": spec});
        Seen {
            labels: given_labels::of(&object).unwrap(),
            object,
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            unread: None,
        }
    }

    #[test]
    fn an_object_counts_for_the_first_class_that_its_pods_would_be_of() {
        let labels = [("tier".to_owned(), "train".to_owned())].into();
        let classes = [
            class("training", PodSelector { labels, ..PodSelector::default() }),
            class(
                "nightly",
                PodSelector { owner_kinds: vec!["CronWorkflow".into()], ..PodSelector::default() },
            ),
        ];
        let train = json!({"podMetadata": {"labels": {"tier": "train"}}});
        let seen = [
            workflow("a", &train, &["Workflow", "CronWorkflow"]),
            workflow("b", &json!({}), &["Workflow", "CronWorkflow"]),
            workflow("c", &json!({}), &["Workflow"]),
        ];
        let label = |name: &str| Label::new(name).unwrap();
        let said = |of: OfClasses| match judge(&classes, &seen, "Workflow", &of, 0) {
            Verdict::Fails { evidence } | Verdict::Unknown { evidence } | Verdict::Holds { evidence, .. } => {
                evidence.0.join("; ")
            }
        };
        assert!(said(OfClasses::Only(label("training"))).ends_with("ml/a of class training"));
        assert!(said(OfClasses::Only(label("nightly"))).ends_with("ml/b of class nightly"));
        assert!(
            said(OfClasses::Except(vec![label("training"), label("nightly")])).ends_with("ml/c of no class")
        );
        assert!(said(OfClasses::Except(Vec::new())).ends_with("and 2 more"));
        let mut hidden = [workflow("d", &json!({}), &["Workflow"])];
        hidden[0].unread = Some("it may not be read".to_owned());
        let verdict = judge(&classes, &hidden, "Workflow", &OfClasses::Only(label("nightly")), 0);
        assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
    }
}
