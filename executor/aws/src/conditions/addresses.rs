//! Free addresses of a cluster's subnets: the control plane needs up to five for an update (facts: README).

use switchback_schemas::{inventory::eks::Subnet, journal::Verdict};

use super::verdict;
use crate::{
    aws::{Service, Session},
    classify::CallError,
    eks,
};

pub(super) async fn check(session: &Session, cluster: &str, at_least: u64) -> Result<Verdict, CallError> {
    let Some(found) = eks::cluster(session, cluster).await? else {
        return Ok(Verdict::unknown(format!("there is no cluster {cluster} in this account and region")));
    };
    let ids = found.resources_vpc_config().map(|vpc| vpc.subnet_ids().to_vec()).unwrap_or_default();
    let subnets = subnets(session, &ids).await?;
    Ok(judge(&ids, &subnets, at_least))
}

fn judge(ids: &[String], subnets: &[Subnet], at_least: u64) -> Verdict {
    if ids.is_empty() || subnets.len() < ids.len() {
        return Verdict::unknown(format!("{} of {} subnets were described", subnets.len(), ids.len()));
    }
    let free: u64 = subnets.iter().map(|subnet| subnet.free).sum();
    let full: Vec<&str> =
        subnets.iter().filter(|subnet| subnet.free == 0).map(|subnet| subnet.id.as_str()).collect();
    let mut line = format!("{free} free addresses in {} subnets, {at_least} are needed", subnets.len());
    if !full.is_empty() {
        line = format!("{line}; none in {}", full.join(", "));
    }
    verdict(free >= at_least && full.is_empty(), &line)
}

/// Subnets by id, sorted.
pub(crate) async fn subnets(session: &Session, ids: &[String]) -> Result<Vec<Subnet>, CallError> {
    let mut found = Vec::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let asked: Vec<(String, String)> =
        (1..).zip(ids).map(|(number, id)| (format!("SubnetId.{number}"), id.clone())).collect();
    let answer = session.query(Service::EC2, "DescribeSubnets", &asked).await?;
    for subnet in answer.list(&["subnetSet"]) {
        let free = subnet.text_at(&["availableIpAddressCount"]).parse().map_err(|_| CallError::Garbled {
            what: "a subnet without a number of free addresses".to_owned(),
        })?;
        found.push(Subnet {
            id: subnet.text_at(&["subnetId"]).to_owned(),
            zone: subnet.text_at(&["availabilityZone"]).to_owned(),
            free,
        });
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_must_do_and_no_subnet_may_be_full() {
        let subnets = |free: &[u64]| -> Vec<Subnet> {
            let subnet = |(n, free): (usize, &u64)| Subnet {
                id: format!("subnet-{n}"),
                zone: "a".into(),
                free: *free,
            };
            free.iter().enumerate().map(subnet).collect()
        };
        let ids = vec!["subnet-0".to_owned(), "subnet-1".to_owned()];
        assert!(judge(&ids, &subnets(&[3, 2]), 5).is_holding());
        assert!(matches!(judge(&ids, &subnets(&[3, 1]), 5), Verdict::Fails { .. }));
        assert!(matches!(judge(&ids, &subnets(&[9, 0]), 5), Verdict::Fails { .. }));
        assert!(
            matches!(judge(&ids, &subnets(&[9]), 5), Verdict::Unknown { .. }),
            "a subnet was not described"
        );
    }
}
