//! A node offers what it offered when it was observed.

use serde_json::Value;
use switchback_schemas::{
    journal::Verdict,
    plan::{BoundObject, Offers},
};

use super::verdict;
use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    fields::texts,
    target,
};

pub(super) async fn check(api: &Reader, node: &BoundObject, offers: &Offers) -> Result<Verdict, CallError> {
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, node).await?;
    let Some(object) = found.object()? else {
        return Ok(verdict(false, &format!("{} is gone", found.named)));
    };
    let (holds, line) = judge(&found.named.name, object, offers);
    Ok(verdict(holds, &line))
}

fn judge(name: &str, node: &Value, offers: &Offers) -> (bool, String) {
    let now = texts(node, "/status/allocatable");
    let Some(before) = offers.observed.get(name) else {
        let any = now.iter().any(|(resource, count)| resource.starts_with(&offers.resources) && count != "0");
        return (
            any,
            format!("node {name} was not observed; it must offer something of {}", offers.resources),
        );
    };
    let less = before.iter().find(|(resource, count)| now.get(*resource) != Some(count));
    match less {
        None => (true, format!("node {name} offers what it offered of {}", offers.resources)),
        Some((resource, count)) => {
            let now = now.get(resource).map_or("none", String::as_str);
            (false, format!("node {name} offers {now} of {resource}, and {count} before"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_quantity_is_compared_and_a_new_node_offers_something() {
        let offers = Offers {
            resources: "nvidia.com/".to_owned(),
            observed: [(
                "gpu-0".to_owned(),
                [
                    ("nvidia.com/gpu".to_owned(), "8".to_owned()),
                    ("nvidia.com/mig-1g.5gb".to_owned(), "0".to_owned()),
                ]
                .into(),
            )]
            .into(),
        };
        let node = |gpus: &str, mig: Option<&str>| json!({"status": {"allocatable": {"cpu": "8", "nvidia.com/gpu": gpus, "nvidia.com/mig-1g.5gb": mig}}});
        assert!(judge("gpu-0", &node("8", Some("0")), &offers).0);
        assert_eq!(
            judge("gpu-0", &node("7", Some("0")), &offers),
            (false, "node gpu-0 offers 7 of nvidia.com/gpu, and 8 before".to_owned())
        );
        assert!(!judge("gpu-0", &node("8", None), &offers).0, "a slice that is no longer offered");
        assert!(judge("gpu-9", &node("4", None), &offers).0);
        assert!(!judge("gpu-9", &node("0", None), &offers).0);
    }
}
