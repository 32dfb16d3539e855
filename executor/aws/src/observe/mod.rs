//! The observer: what the targets are at AWS, for an inventory. It only reads, waits when it is throttled, and goes on without
//! what it cannot read, which it names.

mod eks;
mod history;
mod insights;
mod rds;

use switchback_schemas::inventory::{
    Subject, Unread, Wanted,
    eks::{EksCluster, EksSection},
    rds::{RdsInstance, RdsSection},
};

use crate::{
    aws::{Aws, Purpose},
    classify::CallError,
};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsObserved {
    /// The section `eks`.
    pub eks: EksSection,
    /// The section `rds`.
    pub rds: RdsSection,
    /// What could not be read, sorted.
    pub unread: Vec<Unread>,
    /// How many requests it took, those for credentials and repeated ones included.
    pub requests: u64,
}

/// What could not be read so far.
#[derive(Debug, Default)]
struct Gaps(Vec<Unread>);

impl Gaps {
    /// What was read; else it is noted.
    fn note<T, S: Into<Subject>>(
        &mut self,
        what: impl FnOnce() -> S,
        read: Result<T, CallError>,
    ) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                self.say(what(), error.line());
                None
            }
        }
    }

    fn say(&mut self, what: impl Into<Subject>, why: String) {
        self.0.push(Unread { what: what.into(), why });
    }
}

/// Reads what is wanted of AWS.
pub async fn observe(aws: &Aws, wanted: &Wanted) -> AwsObserved {
    let before = aws.requests();
    let mut observed = AwsObserved::default();
    let mut gaps = Gaps::default();
    for (target, resource) in &wanted.aws {
        let session = aws.session(resource, Purpose::Observe).await;
        let arn = &resource.arn;
        match arn.service() {
            "eks" => {
                let read: Option<EksCluster> = eks::read(&session, arn, &mut gaps).await;
                observed.eks.0.extend(read.map(|read| (target.clone(), read)));
            }
            "rds" => {
                let read: Option<RdsInstance> = rds::read(&session, arn, &mut gaps).await;
                observed.rds.0.extend(read.map(|read| (target.clone(), read)));
            }
            other => gaps.say(arn.to_string(), format!("{other} is no service that is observed")),
        }
    }
    observed.unread = gaps.0;
    observed.unread.sort();
    observed.requests = aws.requests().saturating_sub(before);
    observed
}
