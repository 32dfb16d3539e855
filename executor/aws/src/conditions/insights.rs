//! Insights of EKS, with three values.
//!
//! EKS looks once a day, so what it lists may be older than the step before this one. Findings that do not hold are therefore
//! believed only when EKS has just looked; else it is asked to look again, and the condition is unknown until it has. That is the
//! one call of a check that is no read: it changes nothing but the findings, and asked twice it is the same.

use std::collections::BTreeMap;

use aws_sdk_eks::types::{Category, InsightStatus, InsightSummary, InsightsFilter, InsightsRefreshStatus};
use jiff::{SignedDuration, Timestamp};
use switchback_executor::untrusted::text;
use switchback_schemas::{
    Version,
    journal::{Evidence, Verdict},
    plan::InsightCategory,
};

use crate::{aws::Session, classify::CallError, eks::absent, time};

/// Older findings are not known to hold any more. EKS looks once a day.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// For so long after a look its findings are believed even if they do not hold.
const JUST: SignedDuration = SignedDuration::from_mins(10);

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) category: InsightCategory,
    pub(super) kubernetes: &'a Version,
    pub(super) accepted_until: &'a BTreeMap<String, Timestamp>,
}

pub(super) async fn check(
    session: &Session,
    cluster: &str,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<Verdict, CallError> {
    let found = list(session, cluster, asked.category).await?;
    let verdict = judge(&found, cluster, asked, now);
    match verdict {
        Verdict::Holds { .. } => Ok(verdict),
        Verdict::Fails { .. } | Verdict::Unknown { .. } => look_again(session, cluster, verdict, now).await,
    }
}

/// A verdict that does not hold, if EKS has just looked; else it is asked to look again.
async fn look_again(
    session: &Session,
    cluster: &str,
    verdict: Verdict,
    now: Timestamp,
) -> Result<Verdict, CallError> {
    let sent = session.eks.describe_insights_refresh().cluster_name(cluster).send();
    let last = absent(session.call(sent).await)?;
    let status = last.as_ref().and_then(|last| last.status());
    if status == Some(&InsightsRefreshStatus::InProgress) {
        return Ok(waiting(&verdict, "EKS is looking again"));
    }
    let ended = last.as_ref().and_then(|last| time::instant(last.ended_at()));
    if ended.is_some_and(|ended| now.duration_since(ended) <= JUST) {
        return Ok(verdict);
    }
    let sent = session.eks.start_insights_refresh().cluster_name(cluster).send();
    match session.call(sent).await {
        Ok(_) => Ok(waiting(&verdict, "EKS was asked to look again")),
        // Without that right the findings are judged as they are.
        Err(error) if !error.may_pass() => {
            Ok(with(verdict, &format!("EKS cannot be asked to look again: {error}")))
        }
        Err(error) => Err(error),
    }
}

/// Not known until EKS has looked again, with what it said last.
fn waiting(last: &Verdict, why: &str) -> Verdict {
    let mut lines = vec![why.to_owned()];
    lines.extend(last.evidence().0.iter().map(|line| format!("so far: {line}")));
    Verdict::Unknown { evidence: Evidence(lines) }
}

fn with(mut verdict: Verdict, line: &str) -> Verdict {
    match &mut verdict {
        Verdict::Holds { evidence } | Verdict::Fails { evidence } | Verdict::Unknown { evidence } => {
            evidence.0.push(text::line(line));
        }
    }
    verdict
}

/// Insights of a category, whichever minor they are about.
pub(crate) async fn list(
    session: &Session,
    cluster: &str,
    category: InsightCategory,
) -> Result<Vec<InsightSummary>, CallError> {
    let category = match category {
        InsightCategory::UpgradeReadiness => Category::UpgradeReadiness,
        InsightCategory::RollbackReadiness => Category::RollbackReadiness,
    };
    let filter = InsightsFilter::builder().categories(category).build();
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let sent = session
            .eks
            .list_insights()
            .cluster_name(cluster)
            .filter(filter.clone())
            .set_next_token(next)
            .send();
        let page = session.call(sent).await?;
        found.extend(page.insights.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Fails with any finding that stands against the move; else unknown with any that is not known or too old; else holds.
fn judge(found: &[InsightSummary], cluster: &str, asked: &Asked<'_>, now: Timestamp) -> Verdict {
    let category = match asked.category {
        InsightCategory::UpgradeReadiness => "upgrade readiness",
        InsightCategory::RollbackReadiness => "rollback readiness",
    };
    let (mut fails, mut unknown, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
    for insight in found {
        let name = insight.name().unwrap_or("a finding without a name");
        let about = insight.kubernetes_version().unwrap_or_default();
        let this_minor = about.is_empty()
            || about.parse::<Version>().is_ok_and(|about| about.is_of(&asked.kubernetes.minor_line()));
        let status = insight.insight_status();
        let said = status.map(|status| status.reason().unwrap_or_default()).unwrap_or_default();
        let word = status.and_then(|status| status.status()).map_or("UNKNOWN", |status| status.as_str());
        let mut line = match said {
            "" => format!("{name} ({about}): {word}"),
            said => format!("{name} ({about}): {word}: {said}"),
        };
        if let Some(until) = asked.accepted_until.get(name) {
            if now < *until {
                accepted.push(format!("accepted until {until}: {line}"));
                continue;
            }
            line = format!("{line}; it was accepted until {until}");
        }
        // EKS says ERROR of what stands against the next minor, WARNING of what will stand against later ones.
        match word {
            "ERROR" => fails.push(line),
            "WARNING" if this_minor => fails.push(line),
            "PASSING" | "WARNING" => {
                let refreshed = time::instant(insight.last_refresh_time());
                match refreshed.map(|refreshed| now.duration_since(refreshed)) {
                    Some(age) if age <= FRESH => {}
                    Some(age) => unknown.push(format!("{line}, but looked at {} h ago", age.as_hours())),
                    None => unknown.push(format!("{line}, and it is not known when it was looked at")),
                }
            }
            _ => unknown.push(line),
        }
    }
    let about = |insight: &InsightSummary| {
        let about = insight.kubernetes_version().and_then(|about| about.parse::<Version>().ok());
        about.is_some_and(|about| about.is_of(&asked.kubernetes.minor_line()))
    };
    // After a control plane moved, EKS lists what it found about the minor before until it looks again.
    let looked = match asked.category {
        InsightCategory::UpgradeReadiness => found.iter().any(about),
        InsightCategory::RollbackReadiness => !found.is_empty(),
    };
    if !looked {
        unknown
            .push(format!("EKS has no finding about the {category} of {cluster} for {}", asked.kubernetes));
    }
    let clean = |lines: Vec<String>| Evidence(lines.iter().map(|line| text::line(line)).collect());
    match (fails.is_empty(), unknown.is_empty()) {
        (false, _) => Verdict::Fails { evidence: clean(fails) },
        (true, false) => Verdict::Unknown { evidence: clean(unknown) },
        (true, true) => {
            let passing = found.len().saturating_sub(accepted.len());
            let mut lines = vec![format!(
                "{category} of {cluster}: {passing} findings, none against {}",
                asked.kubernetes
            )];
            lines.extend(accepted);
            Verdict::Holds { evidence: clean(lines) }
        }
    }
}

/// What an insight's status is, in the inventory's words.
pub(crate) fn status(of: Option<&InsightStatus>) -> switchback_schemas::inventory::eks::InsightStatus {
    use switchback_schemas::inventory::eks::InsightStatus as Ours;
    match of.and_then(|status| status.status()).map(|status| status.as_str()) {
        Some("PASSING") => Ours::Passing,
        Some("WARNING") => Ours::Warning,
        Some("ERROR") => Ours::Error,
        _ => Ours::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::InsightStatusValue;
    use aws_smithy_types::DateTime;

    use super::*;

    const NOW: &str = "2026-11-20T10:00:00Z";

    fn insight(name: &str, about: &str, status: InsightStatusValue, hours: i64) -> InsightSummary {
        let now: Timestamp = NOW.parse().unwrap();
        let status = InsightStatus::builder().status(status).reason("said so").build();
        InsightSummary::builder()
            .name(name)
            .kubernetes_version(about)
            .insight_status(status)
            .last_refresh_time(DateTime::from_secs(now.as_second() - hours * 3600))
            .build()
    }

    fn judged(found: &[InsightSummary], accepted: &[&str]) -> Verdict {
        judged_at(found, accepted, NOW)
    }

    /// Whatever is accepted, it is for an hour.
    fn judged_at(found: &[InsightSummary], accepted: &[&str], now: &str) -> Verdict {
        let kubernetes = "1.33".parse().unwrap();
        let until: Timestamp = "2026-11-20T11:00:00Z".parse().unwrap();
        let accepted_until = accepted.iter().map(|name| ((*name).to_owned(), until)).collect();
        let asked = Asked {
            category: InsightCategory::UpgradeReadiness,
            kubernetes: &kubernetes,
            accepted_until: &accepted_until,
        };
        judge(found, "mlops", &asked, now.parse().unwrap())
    }

    #[test]
    fn p09_unknown_is_not_passing() {
        use InsightStatusValue::{Error, Passing, UnknownValue, Warning};
        let fine = insight("Kubelet version skew", "1.33", Passing, 2);
        assert!(judged(std::slice::from_ref(&fine), &[]).is_holding());
        let later = insight("Deprecated APIs removed in Kubernetes v1.34", "1.34", Warning, 2);
        assert!(judged(&[fine.clone(), later], &[]).is_holding(), "a warning about a later minor");
        let now = insight("Deprecated APIs removed in Kubernetes v1.33", "1.33", Warning, 2);
        assert!(matches!(judged(&[fine.clone(), now], &[]), Verdict::Fails { .. }));
        let unknown = insight("Cluster health issues", "1.33", UnknownValue, 2);
        assert!(matches!(judged(&[fine.clone(), unknown.clone()], &[]), Verdict::Unknown { .. }));
        let red = insight("Deprecated APIs removed in Kubernetes v1.33", "1.33", Error, 2);
        assert!(
            matches!(judged(&[unknown, red], &[]), Verdict::Fails { .. }),
            "an error is worse than unknown"
        );
        assert!(matches!(judged(&[], &[]), Verdict::Unknown { .. }), "nothing looked at");
        let before = judged(&[insight("Kubelet version skew", "1.32", Passing, 2)], &[]);
        assert!(matches!(before, Verdict::Unknown { .. }), "nothing about this minor");
    }

    #[test]
    fn p01_a_finding_is_accepted_by_name_and_an_old_one_is_unknown() {
        use InsightStatusValue::{Error, Passing};
        let red = insight("Deprecated APIs removed in Kubernetes v1.33", "1.33", Error, 2);
        let accepted = judged(std::slice::from_ref(&red), &["Deprecated APIs removed in Kubernetes v1.33"]);
        assert!(accepted.is_holding(), "{accepted:?}");
        assert!(accepted.evidence().0.len() == 2, "{accepted:?}");
        assert!(matches!(
            judged(std::slice::from_ref(&red), &["Kubelet version skew"]),
            Verdict::Fails { .. }
        ));
        let name = "Deprecated APIs removed in Kubernetes v1.33";
        assert!(judged_at(std::slice::from_ref(&red), &[name], "2026-11-20T10:59:59Z").is_holding());
        let over = judged_at(&[red], &[name], "2026-11-20T11:00:00Z");
        assert!(
            matches!(&over, Verdict::Fails { evidence } if evidence.0[0].ends_with("it was accepted until 2026-11-20T11:00:00Z")),
            "{over:?}"
        );
        let old = judged(&[insight("Kubelet version skew", "1.33", Passing, 25)], &[]);
        assert!(
            matches!(&old, Verdict::Unknown { evidence } if evidence.0[0].contains("25 h ago")),
            "{old:?}"
        );
    }
}
