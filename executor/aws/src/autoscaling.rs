//! Auto Scaling groups and instances (`DescribeAutoScalingGroups`, `DescribeAutoScalingInstances`, `DescribeInstances`).

use crate::{
    aws::{Service, Session},
    classify::CallError,
    xml::Element,
};

/// An instance of an Auto Scaling group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its group.
    pub(crate) group: String,
    /// `InService`, `Terminating:Wait`, ….
    pub(crate) lifecycle: String,
}

/// An instance as its group knows it; `None` when it is of none.
pub(crate) async fn member(session: &Session, id: &str) -> Result<Option<Member>, CallError> {
    let asked = [("InstanceIds.member.1".to_owned(), id.to_owned())];
    let answer = session.query(Service::AUTOSCALING, "DescribeAutoScalingInstances", &asked).await?;
    let mut members = answer.list(&["DescribeAutoScalingInstancesResult", "AutoScalingInstances"]);
    Ok(members.find(|member| member.text_at(&["InstanceId"]) == id).map(|member| Member {
        group: member.text_at(&["AutoScalingGroupName"]).to_owned(),
        lifecycle: member.text_at(&["LifecycleState"]).to_owned(),
    }))
}

/// Ids of the instances in groups; a group that is not there has none.
pub(crate) async fn instances(session: &Session, groups: &[String]) -> Result<Vec<String>, CallError> {
    let mut found = Vec::new();
    if groups.is_empty() {
        return Ok(found);
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (number, group) in (1..).zip(groups) {
        parameters.push((format!("AutoScalingGroupNames.member.{number}"), group.clone()));
    }
    let mut next = String::new();
    loop {
        let mut asked = parameters.clone();
        if !next.is_empty() {
            asked.push(("NextToken".to_owned(), next.clone()));
        }
        let answer = session.query(Service::AUTOSCALING, "DescribeAutoScalingGroups", &asked).await?;
        for group in answer.list(&["DescribeAutoScalingGroupsResult", "AutoScalingGroups"]) {
            let instances = group.list(&["Instances"]);
            found.extend(instances.map(|instance| instance.text_at(&["InstanceId"]).to_owned()));
        }
        answer.text_at(&["DescribeAutoScalingGroupsResult", "NextToken"]).clone_into(&mut next);
        if next.is_empty() {
            return Ok(found);
        }
    }
}

/// An instance of EC2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// `running`, `shutting-down`, `terminated`, ….
    pub(crate) state: String,
    /// Its tags.
    pub(crate) tags: Vec<(String, String)>,
}

impl Instance {
    /// The value of a tag.
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }
}

/// An instance; `None` when EC2 says that there is none.
pub(crate) async fn instance(session: &Session, id: &str) -> Result<Option<Instance>, CallError> {
    let asked = [("InstanceId.1".to_owned(), id.to_owned())];
    let answer = session.query(Service::EC2, "DescribeInstances", &asked).await;
    let Some(answer) = crate::eks::absent(answer)? else { return Ok(None) };
    let mut instances =
        answer.list(&["reservationSet"]).flat_map(|reservation| reservation.list(&["instancesSet"]));
    Ok(instances.find(|instance| instance.text_at(&["instanceId"]) == id).map(read))
}

fn read(instance: &Element) -> Instance {
    let tag = |tag: &Element| (tag.text_at(&["key"]).to_owned(), tag.text_at(&["value"]).to_owned());
    Instance {
        state: instance.text_at(&["instanceState", "name"]).to_owned(),
        tags: instance.list(&["tagSet"]).map(tag).collect(),
    }
}
