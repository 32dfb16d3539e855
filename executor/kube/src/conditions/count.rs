//! Of the objects found, so many pass all tests.

use serde_json::Value;
use switchback_schemas::{
    journal::Verdict,
    plan::{FieldTest, Find},
};

use super::{bounds, verdict};
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
    let (mut passes, mut failing) = (Vec::new(), Vec::new());
    for object in objects {
        match fields::first_failure(each, object) {
            None => passes.push(fields::name(object).to_string()),
            Some(why) => failing.push(format!("{}: {why}", fields::name(object))),
        }
    }
    let passing = u64::try_from(passes.len()).unwrap_or(u64::MAX);
    let total = u64::try_from(objects.len()).unwrap_or(u64::MAX);
    let holds = match (at_least, at_most) {
        (None, None) => passing == total,
        (least, most) => {
            least.is_none_or(|least| passing >= least) && most.is_none_or(|most| passing <= most)
        }
    };
    let wanted = bounds(at_least, at_most);
    let mut line = format!("{passing} of {total} {} pass, wanted {wanted}", find.kind);
    // Where there are too many, those are in the way that pass; else those that do not.
    let too_many = at_most.is_some_and(|most| passing > most);
    let named = if too_many { &passes } else { &failing };
    if !holds && let Some(first) = named.first() {
        line.push_str("; ");
        line.push_str(first);
        if named.len() > 1 {
            line.push_str(" and ");
            line.push_str(&named.len().saturating_sub(1).to_string());
            line.push_str(" more");
        }
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

    #[test]
    fn what_is_in_the_way_is_named() {
        let find = Find {
            api_version: "v1".into(),
            kind: "Node".into(),
            namespace: None,
            labels: std::collections::BTreeMap::new(),
        };
        let each = [FieldTest { pointer: "/busy".into(), is: Test::Present {} }];
        let node = |name: &str| json!({"metadata": {"name": name}});
        let mut busy = node("gpu-9");
        busy["busy"] = json!(true);
        let objects = [node("gpu-0"), busy, node("gpu-1")];
        let line = |least, most| judge(&objects, &find, &each, least, most).evidence().0.join("\n");
        assert_eq!(line(None, Some(0)), "1 of 3 Node pass, wanted at most 0; gpu-9");
        assert!(line(Some(2), None).contains("; gpu-0: "), "{}", line(Some(2), None));
        assert!(line(Some(2), None).ends_with(" and 1 more"), "{}", line(Some(2), None));
    }
}
