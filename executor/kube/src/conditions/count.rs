//! Of the objects found, so many pass all tests.

use serde_json::Value;
use switchback_schemas::{
    journal::Verdict,
    plan::{FieldTest, Find},
};

use super::verdict;
use crate::{
    api::{Kinds, Query, Reader},
    classify::CallError,
    fields,
};

pub(super) async fn check(
    api: &Reader,
    find: &Find,
    each: &[FieldTest<Value>],
    at_least: Option<u64>,
    at_most: Option<u64>,
) -> Result<Verdict, CallError> {
    let objects = found(api, find).await?;
    Ok(judge(&objects, find, each, at_least, at_most))
}

/// All objects that are found.
pub(crate) async fn found(api: &Reader, find: &Find) -> Result<Vec<Value>, CallError> {
    let kinds = Kinds::new(api);
    let resource = kinds.find(&find.api_version, &find.kind).await?;
    // Not served is not "none there": objects may be stored in a version that is served.
    let not_served =
        || CallError::NotServed { api_version: find.api_version.clone(), kind: find.kind.clone() };
    let query = Query { namespace: find.namespace.clone(), ..Query::labelled(&find.labels) };
    api.list(&resource.ok_or_else(not_served)?, &query).await
}

fn judge(
    objects: &[Value],
    find: &Find,
    each: &[FieldTest<Value>],
    at_least: Option<u64>,
    at_most: Option<u64>,
) -> Verdict {
    let mut passing = 0;
    let mut failing = Vec::new();
    for object in objects {
        match fields::first_failure(each, object) {
            None => passing += 1,
            Some(why) => failing.push(format!("{}: {why}", fields::text(object, "/metadata/name"))),
        }
    }
    let total = u64::try_from(objects.len()).unwrap_or(u64::MAX);
    let holds = match (at_least, at_most) {
        (None, None) => passing == total,
        (least, most) => {
            least.is_none_or(|least| passing >= least) && most.is_none_or(|most| passing <= most)
        }
    };
    let bounds = [at_least.map(|n| format!("at least {n}")), at_most.map(|n| format!("at most {n}"))];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    let bounds = if bounds.is_empty() { "all of them".to_owned() } else { bounds.join(" and ") };
    let mut line = format!("{passing} of {total} {} pass, wanted {bounds}", find.kind);
    if !holds && let Some(first) = failing.first() {
        line.push_str("; ");
        line.push_str(first);
    }
    verdict(holds, &line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use switchback_schemas::plan::Test;

    #[test]
    fn bounds_are_held() {
        let find = Find {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: None,
            labels: std::collections::BTreeMap::new(),
        };
        let each = [FieldTest { pointer: "/ready".into(), is: Test::Present {} }];
        let objects = [json!({"ready": 1}), json!({"metadata": {"name": "b"}})];
        let holds = |least, most| judge(&objects, &find, &each, least, most).is_holding();
        assert!(holds(Some(1), None));
        assert!(holds(None, Some(1)));
        assert!(holds(Some(1), Some(1)));
        assert!(!holds(Some(2), None));
        assert!(!holds(None, Some(0)));
        assert!(!holds(None, None));
        assert!(judge(&[], &find, &each, None, None).is_holding());
    }
}
