//! A cluster of EKS.

use std::collections::BTreeMap;

use aws_sdk_eks::types::{Cluster, Nodegroup as Described};
use jiff::{civil::Date, tz::TimeZone};
use switchback_schemas::{
    Version,
    inventory::eks::{Addon, EksCluster, Nodegroup, Support},
    plan::{Arn, Count},
};

use super::{Gaps, history, insights};
use crate::{
    aws::{Service, Session},
    classify::CallError,
    conditions::subnets,
    eks::{self, updates::Of},
    time,
};

/// Reads a cluster and what belongs to it; `None` when the cluster itself cannot be read.
pub(super) async fn read(session: &Session, arn: &Arn, gaps: &mut Gaps) -> Option<EksCluster> {
    let name = arn.name();
    let described = gaps.note(|| format!("EKS cluster {name}"), eks::cluster(session, name).await)?;
    let Some(cluster) = described else {
        gaps.say(format!("EKS cluster {name}"), format!("there is no {arn}"));
        return None;
    };
    let found = cluster.arn().unwrap_or_default();
    if found != arn.as_str() {
        gaps.say(
            format!("EKS cluster {name}"),
            format!("these credentials see {found}, and {arn} was asked for"),
        );
        return None;
    }
    let Some(version) = cluster.version().and_then(|version| version.parse::<Version>().ok()) else {
        gaps.say(format!("EKS cluster {name}"), "it has no version".to_owned());
        return None;
    };
    let nodegroups = nodegroups(session, name, gaps).await;
    let addons = addons(session, name, gaps).await;
    let insights = insights::read(session, name, gaps).await;
    let ids = cluster.resources_vpc_config().map(|vpc| vpc.subnet_ids().to_vec()).unwrap_or_default();
    let free = gaps.note(|| format!("subnets of cluster {name}"), subnets(session, &ids).await);
    let mut history = history::read(session, name, &version, gaps).await;
    for group in nodegroups.iter().filter(|group| group.status == "UPDATING") {
        history.in_progress.extend(history::open(session, name, Of::Nodegroup(&group.name), gaps).await);
    }
    for addon in addons.iter().filter(|addon| addon.status == "UPDATING") {
        history.in_progress.extend(history::open(session, name, Of::Addon(&addon.name), gaps).await);
    }
    let fargate = gaps.note(|| format!("Fargate profiles of cluster {name}"), fargate(session, name).await);
    let calendar = gaps.note(|| "versions that EKS offers".to_owned(), calendar(session).await);
    let reserved = gaps.note(|| "capacity reservations".to_owned(), reserved(session).await);
    Some(EksCluster {
        arn: arn.clone(),
        version,
        platform_version: cluster.platform_version().unwrap_or_default().to_owned(),
        status: cluster.status().map_or("", |status| status.as_str()).to_owned(),
        endpoint: cluster.endpoint().unwrap_or_default().to_owned(),
        support_policy: support_policy(&cluster),
        auto_mode: cluster.compute_config().and_then(|compute| compute.enabled()).unwrap_or(false),
        fargate_profiles: fargate.unwrap_or_default(),
        nodegroups,
        addons,
        insights,
        subnets: free.unwrap_or_default(),
        in_progress: history.in_progress,
        upgraded_at: history.upgraded_at,
        calendar: calendar.unwrap_or_default(),
        reserved: reserved.unwrap_or_default(),
    })
}

/// A cluster without a policy is on extended support (facts: README).
fn support_policy(cluster: &Cluster) -> String {
    let policy = cluster.upgrade_policy().and_then(|policy| policy.support_type());
    policy.map_or("EXTENDED", |policy| policy.as_str()).to_owned()
}

async fn nodegroups(session: &Session, cluster: &str, gaps: &mut Gaps) -> Vec<Nodegroup> {
    let listed = async {
        let (mut names, mut next) = (Vec::new(), None);
        loop {
            let sent = session.eks.list_nodegroups().cluster_name(cluster).set_next_token(next).send();
            let page = session.call(sent).await?;
            names.extend(page.nodegroups.unwrap_or_default());
            next = page.next_token;
            if next.is_none() {
                return Ok::<_, CallError>(names);
            }
        }
    };
    let mut names =
        gaps.note(|| format!("node groups of cluster {cluster}"), listed.await).unwrap_or_default();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let what = || format!("node group {name} of cluster {cluster}");
        let described = gaps.note(what, eks::nodegroup(session, cluster, &name).await).flatten();
        match described.as_ref().map(nodegroup) {
            Some(Some(group)) => found.push(group),
            Some(None) => gaps.say(what(), "it has no version".to_owned()),
            None => {}
        }
    }
    found
}

fn nodegroup(of: &Described) -> Option<Nodegroup> {
    let number =
        |number: Option<i32>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    let scaling = of.scaling_config();
    let update = of.update_config();
    let max_unavailable = match update.and_then(|update| update.max_unavailable_percentage()) {
        Some(percent) => Count::Percent(number(Some(percent))),
        None => Count::Nodes(number(update.and_then(|update| update.max_unavailable())).max(1)),
    };
    let issues = of.health().map(|health| health.issues()).unwrap_or_default();
    let issue =
        |issue: &aws_sdk_eks::types::Issue| told(issue.code().map(|code| code.as_str()), issue.message());
    Some(Nodegroup {
        name: of.nodegroup_name()?.to_owned(),
        version: of.version()?.parse().ok()?,
        release: of.release_version().unwrap_or_default().to_owned(),
        ami_type: of.ami_type().map_or("", |kind| kind.as_str()).to_owned(),
        capacity_type: of.capacity_type().map_or("ON_DEMAND", |kind| kind.as_str()).to_owned(),
        status: of.status().map_or("", |status| status.as_str()).to_owned(),
        instance_types: of.instance_types().to_vec(),
        min: number(scaling.and_then(|scaling| scaling.min_size())),
        desired: number(scaling.and_then(|scaling| scaling.desired_size())),
        max: number(scaling.and_then(|scaling| scaling.max_size())),
        max_unavailable,
        update_strategy: update
            .and_then(|update| update.update_strategy())
            .map_or("DEFAULT", |strategy| strategy.as_str())
            .to_owned(),
        labels: of.labels().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
        launch_template: of.launch_template().is_some(),
        issues: issues.iter().map(issue).collect(),
    })
}

async fn addons(session: &Session, cluster: &str, gaps: &mut Gaps) -> Vec<Addon> {
    let listed = async {
        let (mut names, mut next) = (Vec::new(), None);
        loop {
            let sent = session.eks.list_addons().cluster_name(cluster).set_next_token(next).send();
            let page = session.call(sent).await?;
            names.extend(page.addons.unwrap_or_default());
            next = page.next_token;
            if next.is_none() {
                return Ok::<_, CallError>(names);
            }
        }
    };
    let mut names = gaps.note(|| format!("add-ons of cluster {cluster}"), listed.await).unwrap_or_default();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let what = || format!("add-on {name} of cluster {cluster}");
        let Some(addon) = gaps.note(what, eks::addon(session, cluster, &name).await).flatten() else {
            continue;
        };
        let issues = addon.health().map(|health| health.issues()).unwrap_or_default();
        let issue = |issue: &aws_sdk_eks::types::AddonIssue| {
            told(issue.code().map(|code| code.as_str()), issue.message())
        };
        found.push(Addon {
            name: name.clone(),
            version: addon.addon_version().unwrap_or_default().to_owned(),
            status: addon.status().map_or("", |status| status.as_str()).to_owned(),
            issues: issues.iter().map(issue).collect(),
        });
    }
    found
}

/// An issue, for people.
fn told(code: Option<&str>, message: Option<&str>) -> String {
    let line = format!("{}: {}", code.unwrap_or("Unknown"), message.unwrap_or_default());
    switchback_executor::untrusted::text::line(&line)
}

async fn fargate(session: &Session, cluster: &str) -> Result<u64, CallError> {
    let (mut count, mut next) = (0_u64, None);
    loop {
        let sent = session.eks.list_fargate_profiles().cluster_name(cluster).set_next_token(next).send();
        let page = session.call(sent).await?;
        count = count.saturating_add(page.fargate_profile_names().len() as u64);
        next = page.next_token;
        if next.is_none() {
            return Ok(count);
        }
    }
}

/// Minors and until when they are supported, oldest first. Those without dates are left out.
async fn calendar(session: &Session) -> Result<Vec<Support>, CallError> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let sent = session.eks.describe_cluster_versions().include_all(true).set_next_token(next).send();
        let page = session.call(sent).await?;
        for version in page.cluster_versions() {
            let support = || {
                Some(Support {
                    version: version.cluster_version()?.parse().ok()?,
                    standard_until: date(version.end_of_standard_support_date())?,
                    extended_until: date(version.end_of_extended_support_date())?,
                })
            };
            found.extend(support());
        }
        next = page.next_token;
        if next.is_none() {
            found.sort_by(|a, b| a.version.cmp(&b.version));
            found.dedup_by(|a, b| a.version == b.version);
            return Ok(found);
        }
    }
}

fn date(of: Option<&aws_smithy_types::DateTime>) -> Option<Date> {
    Some(time::instant(of)?.to_zoned(TimeZone::UTC).date())
}

/// Free instances of active reservations, by type.
async fn reserved(session: &Session) -> Result<BTreeMap<String, u64>, CallError> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let mut next = String::new();
    loop {
        let mut asked = vec![
            ("Filter.1.Name".to_owned(), "state".to_owned()),
            ("Filter.1.Value.1".to_owned(), "active".to_owned()),
        ];
        if !next.is_empty() {
            asked.push(("NextToken".to_owned(), next.clone()));
        }
        let answer = session.query(Service::EC2, "DescribeCapacityReservations", &asked).await?;
        for reservation in answer.list(&["capacityReservationSet"]) {
            let free: u64 = reservation.text_at(&["availableInstanceCount"]).parse().unwrap_or_default();
            if free > 0 {
                let of_type = found.entry(reservation.text_at(&["instanceType"]).to_owned()).or_default();
                *of_type = of_type.saturating_add(free);
            }
        }
        answer.text_at(&["nextToken"]).clone_into(&mut next);
        if next.is_empty() {
            return Ok(found);
        }
    }
}
