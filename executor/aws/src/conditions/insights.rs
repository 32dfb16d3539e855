//! Insights of EKS, with three values. They are read as they are: a refresh would be a write, which a check must not make, and
//! EKS makes one a day by itself.

use aws_sdk_eks::types::{Category, InsightStatus, InsightSummary, InsightsFilter};
use jiff::{SignedDuration, Timestamp};
use switchback_schemas::{
    Version,
    journal::{Evidence, Verdict},
    plan::InsightCategory,
};

use crate::{aws::Session, classify::CallError, time};

/// Older findings are not known to hold any more. EKS looks once a day.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) category: InsightCategory,
    pub(super) kubernetes: &'a Version,
    pub(super) accepted: &'a [String],
}

pub(super) async fn check(
    session: &Session,
    cluster: &str,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<Verdict, CallError> {
    let found = list(session, cluster, asked.category).await?;
    Ok(judge(&found, cluster, asked, now))
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
        let line = match said {
            "" => format!("{name} ({about}): {word}"),
            said => format!("{name} ({about}): {word}: {said}"),
        };
        if asked.accepted.iter().any(|accepted| accepted == name) {
            accepted.push(format!("accepted: {line}"));
            continue;
        }
        // EKS says ERROR of what stands against the next minor, WARNING of what will stand against later ones.
        match word {
            "ERROR" => fails.push(line),
            "WARNING" if this_minor => fails.push(line),
            "PASSING" | "WARNING" => {
                let refreshed = time::instant(insight.last_refresh_time());
                match refreshed.map(|refreshed| now.duration_since(refreshed)) {
                    Some(age) if age <= FRESH => {}
                    Some(age) => unknown.push(format!(
                        "{line}, but looked at {} h ago; start a refresh (aws eks start-insights-refresh --cluster-name {cluster})",
                        age.as_hours()
                    )),
                    None => unknown.push(format!("{line}, and it is not known when it was looked at")),
                }
            }
            _ => unknown.push(line),
        }
    }
    if found.is_empty() {
        unknown.push(format!("EKS has no finding about the {category} of {cluster}"));
    }
    let clean = |lines: Vec<String>| {
        Evidence(lines.iter().map(|line| switchback_executor::foreign::text::line(line)).collect())
    };
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
        let kubernetes = "1.33".parse().unwrap();
        let accepted: Vec<String> = accepted.iter().map(|name| (*name).to_owned()).collect();
        let asked = Asked {
            category: InsightCategory::UpgradeReadiness,
            kubernetes: &kubernetes,
            accepted: &accepted,
        };
        judge(found, "mlops", &asked, NOW.parse().unwrap())
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
    }

    #[test]
    fn p01_a_finding_is_accepted_by_name_and_an_old_one_is_unknown() {
        use InsightStatusValue::{Error, Passing};
        let red = insight("Deprecated APIs removed in Kubernetes v1.33", "1.33", Error, 2);
        let accepted = judged(std::slice::from_ref(&red), &["Deprecated APIs removed in Kubernetes v1.33"]);
        assert!(accepted.is_holding() && accepted.evidence().0.len() == 2, "{accepted:?}");
        assert!(matches!(judged(&[red], &["Kubelet version skew"]), Verdict::Fails { .. }));
        let old = judged(&[insight("Kubelet version skew", "1.33", Passing, 25)], &[]);
        assert!(
            matches!(&old, Verdict::Unknown { evidence } if evidence.0[0].contains("25 h ago")),
            "{old:?}"
        );
    }
}
