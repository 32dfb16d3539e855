//! Insights of a cluster. Those that do not pass are looked at closer, for the calls that they saw.

use aws_sdk_eks::types::{Insight as Described, InsightSummary};
use switchback_executor::untrusted::text;
use switchback_schemas::{
    inventory::eks::{DeprecatedUse, Insight, InsightStatus},
    plan::InsightCategory,
};

use super::Gaps;
use crate::{
    aws::Session,
    classify::CallError,
    conditions::{insight_status, insights},
    time,
};

pub(super) async fn read(session: &Session, cluster: &str, gaps: &mut Gaps) -> Vec<Insight> {
    let mut found = Vec::new();
    for category in [InsightCategory::UpgradeReadiness, InsightCategory::RollbackReadiness] {
        let what = || format!("insights of cluster {cluster} ({category:?})");
        let listed = gaps.note(what, insights(session, cluster, category).await).unwrap_or_default();
        for summary in listed {
            let mut insight = of_summary(&summary, category);
            if insight.status != InsightStatus::Passing && !insight.id.is_empty() {
                let what = || format!("insight {} of cluster {cluster}", insight.name);
                let described = gaps.note(what, describe(session, cluster, &insight.id).await);
                insight.deprecated = described.flatten().as_ref().map(deprecated).unwrap_or_default();
            }
            found.push(insight);
        }
    }
    found.sort_by(|a, b| (a.category as u8, &a.name, &a.id).cmp(&(b.category as u8, &b.name, &b.id)));
    found
}

fn of_summary(of: &InsightSummary, category: InsightCategory) -> Insight {
    let reason = of.insight_status().and_then(|status| status.reason()).unwrap_or_default();
    Insight {
        id: of.id().unwrap_or_default().to_owned(),
        name: text::line(of.name().unwrap_or_default()),
        category,
        kubernetes: of.kubernetes_version().and_then(|version| version.parse().ok()),
        status: insight_status(of.insight_status()),
        reason: text::line(reason),
        refreshed: time::instant(of.last_refresh_time()),
        deprecated: Vec::new(),
    }
}

async fn describe(session: &Session, cluster: &str, id: &str) -> Result<Option<Described>, CallError> {
    let sent = session.eks.describe_insight().cluster_name(cluster).id(id).send();
    Ok(session.call(sent).await?.insight)
}

fn deprecated(of: &Described) -> Vec<DeprecatedUse> {
    let details =
        of.category_specific_summary().map(|summary| summary.deprecation_details()).unwrap_or_default();
    let mut found = Vec::new();
    for detail in details {
        let used = |client: String, last| DeprecatedUse {
            usage: text::line(detail.usage().unwrap_or_default()),
            replacement: text::line(detail.replaced_with().unwrap_or_default()),
            client,
            last,
        };
        let clients = detail.client_stats();
        if clients.is_empty() {
            found.push(used(String::new(), None));
        }
        for client in clients {
            let agent = text::line(client.user_agent().unwrap_or_default());
            found.push(used(agent, time::instant(client.last_request_time())));
        }
    }
    found.sort_by(|a, b| (&a.usage, &a.client).cmp(&(&b.usage, &b.client)));
    found
}
