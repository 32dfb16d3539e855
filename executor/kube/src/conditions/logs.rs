//! Of the lines that pods wrote lately, so many match.

use regex::Regex;
use serde_json::Value;
use switchback_executor::untrusted::text::url_part;
use switchback_schemas::{journal::Verdict, plan::PodLogs};

use super::{bounds, verdict};
use crate::{
    api::{Query, Reader},
    classify::CallError,
    fields,
    nodes::built_in,
};

/// Bytes of one pod's log that are read at most.
const LARGEST: usize = 4 << 20;

/// What is asked of the lines.
pub(super) struct Wanted<'plan> {
    pub pattern: &'plan str,
    pub at_least: Option<u64>,
    pub at_most: Option<u64>,
}

/// What was found in the logs of some pods.
#[derive(Default)]
struct Found {
    pods: usize,
    lines: u64,
    /// The last line that matches, and its pod.
    last: Option<(String, String)>,
    /// A pod that has written nothing yet.
    waiting: Option<String>,
    /// A pod of whose log only a part was read.
    cut: Option<String>,
}

pub(super) async fn check(api: &Reader, pods: &PodLogs, wanted: &Wanted<'_>) -> Result<Verdict, CallError> {
    let Ok(pattern) = Regex::new(wanted.pattern) else {
        return Ok(Verdict::unknown("the pattern is no regular expression"));
    };
    let query = Query { namespace: Some(pods.namespace.clone()), ..Query::labelled(&pods.labels) };
    let mut found = Found::default();
    for pod in api.list(&built_in("v1", "Pod")?, &query).await? {
        let name = fields::name(&pod);
        found.pods += 1;
        if !has_started(&pod, pods.container.as_deref()) {
            found.waiting.get_or_insert(name.to_string());
            continue;
        }
        let log = api.text(&path(pods, &name.name)).await?;
        if log.len() >= LARGEST {
            found.cut.get_or_insert(name.to_string());
        }
        for line in log.lines().filter(|line| pattern.is_match(line)) {
            found.lines += 1;
            found.last = Some((name.to_string(), line.to_owned()));
        }
    }
    Ok(judge(pods, wanted, &found))
}

fn path(pods: &PodLogs, name: &str) -> String {
    let container =
        pods.container.as_ref().map_or_else(String::new, |name| format!("&container={}", url_part(name)));
    format!(
        "/api/v1/namespaces/{}/pods/{}/log?sinceSeconds={}&limitBytes={LARGEST}{container}",
        url_part(&pods.namespace),
        url_part(name),
        pods.since.0.max(1),
    )
}

/// Whether a container has begun at all: the log of one that has not cannot be read.
fn has_started(pod: &Value, container: Option<&str>) -> bool {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    let mut of = statuses.filter(|status| container.is_none_or(|name| fields::text(status, "/name") == name));
    of.any(|status| {
        ["running", "terminated"].iter().any(|state| {
            let has = |at: &str| status.pointer(&format!("/{at}/{state}")).is_some();
            has("state") || has("lastState")
        })
    })
}

fn judge(pods: &PodLogs, wanted: &Wanted<'_>, found: &Found) -> Verdict {
    if found.pods == 0 {
        return verdict(false, &format!("no pod in namespace {} has these labels", pods.namespace));
    }
    if let Some(pod) = &found.waiting {
        return verdict(false, &format!("pod {pod} has written no log yet"));
    }
    let few = wanted.at_least.is_some_and(|least| found.lines < least);
    let many = wanted.at_most.is_some_and(|most| found.lines > most);
    let line = format!(
        "{} lines of {} pods match {:?} within {}, wanted {}",
        found.lines,
        found.pods,
        wanted.pattern,
        pods.since,
        bounds(wanted.at_least, wanted.at_most)
    );
    if let Some(pod) = &found.cut
        && (few || (wanted.at_most.is_some() && !many))
    {
        // Lines that were not read may match, too.
        let line = format!("{line}; the log of pod {pod} is longer than what was read");
        return Verdict::unknown(switchback_executor::untrusted::text::line(&line));
    }
    match &found.last {
        Some((pod, last)) if many => verdict(false, &format!("{line}; pod {pod}: {last}")),
        _ => verdict(!few && !many, &line),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use switchback_schemas::Seconds;

    use super::*;

    fn pods() -> PodLogs {
        PodLogs { namespace: "ml".into(), labels: BTreeMap::new(), container: None, since: Seconds(600) }
    }

    fn none() -> Wanted<'static> {
        Wanted { pattern: "OOM", at_least: None, at_most: Some(0) }
    }

    #[test]
    fn no_evidence_passes_nothing() {
        let waiting = Found { pods: 1, waiting: Some("ml/a".into()), ..Found::default() };
        for found in [Found::default(), waiting] {
            assert!(!judge(&pods(), &none(), &found).is_holding());
        }
        let cut = Found { pods: 1, cut: Some("ml/a".into()), ..Found::default() };
        assert!(matches!(judge(&pods(), &none(), &cut), Verdict::Unknown { .. }));
        let enough = Found { lines: 1, ..cut };
        let some = Wanted { at_least: Some(1), at_most: None, ..none() };
        assert!(judge(&pods(), &some, &enough).is_holding(), "what was read is enough");
    }

    #[test]
    fn a_line_that_must_not_be_there_is_shown() {
        let last = Some(("ml/a".to_owned(), "CUDA OOM".to_owned()));
        let found = Found { pods: 2, lines: 3, last, ..Found::default() };
        let seen = judge(&pods(), &none(), &found);
        assert_eq!(
            seen.evidence().0.join("\n"),
            "3 lines of 2 pods match \"OOM\" within 10 min, wanted at most 0; pod ml/a: CUDA OOM"
        );
        assert!(!seen.is_holding());
        assert!(judge(&pods(), &none(), &Found { pods: 2, ..Found::default() }).is_holding());
    }

    #[test]
    fn a_container_that_waits_for_its_first_start_has_no_log() {
        let pod = |state: Value, last: Value| json!({"status": {"containerStatuses": [{"name": "a", "state": state, "lastState": last}]}});
        assert!(has_started(&pod(json!({"running": {}}), json!({})), None));
        assert!(has_started(&pod(json!({"waiting": {}}), json!({"terminated": {}})), Some("a")));
        assert!(!has_started(&pod(json!({"waiting": {}}), json!({})), None));
        assert!(!has_started(&pod(json!({"running": {}}), json!({})), Some("b")));
    }
}
