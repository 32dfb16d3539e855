//! The support calendar, as EKS itself told it when the platform was observed.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use switchback_schemas::{
    Diagnostic, Version, codes,
    inventory::eks::{EksCluster, Support},
};

use super::Doc;
use crate::context::Cx;

/// The row of a minor.
fn row<'a>(cluster: &'a EksCluster, minor: &Version) -> Option<&'a Support> {
    cluster.calendar.iter().find(|row| row.version.minor_line() == *minor)
}

/// The day on which dates are judged. AWS does not say at which hour support ends: the last day counts as over.
fn today(cx: &Cx<'_>) -> Date {
    cx.as_of.to_zoned(TimeZone::UTC).date()
}

/// Whether EKS offers the target and still supports it.
pub(super) fn offered(cx: &Cx<'_>, doc: &Doc, cluster: &EksCluster) -> bool {
    let to = doc.spec.to.minor_line();
    let place = |text: &str| cx.label(doc.doc, "/spec/to", text);
    let today = today(cx);
    let known: Vec<String> = cluster
        .calendar
        .iter()
        .filter(|row| row.extended_until > today)
        .map(|row| row.version.minor_line().to_string())
        .collect();
    let help = match known.as_slice() {
        [] => "EKS supports no minor on that day: observe again, or give an earlier --as-of".to_owned(),
        known => format!("set `to:` to a minor that EKS supports: {}", known.join(", ")),
    };
    let Some(support) = row(cluster, &to) else {
        let message = format!("EKS does not offer Kubernetes {to}");
        cx.findings.say(
            Diagnostic::error(codes::PATH_UNKNOWN_VERSION, message)
                .at(place("not in its calendar"))
                .help(help),
        );
        return false;
    };
    if support.extended_until <= today {
        let message = format!("EKS supported Kubernetes {to} until {}", support.extended_until);
        cx.findings
            .say(Diagnostic::error(codes::PATH_SUPPORT, message).at(place("no longer supported")).help(help));
        return false;
    }
    if support.standard_until <= today {
        let message = format!(
            "Kubernetes {to} is in extended support, which costs more and ends on {}",
            support.extended_until
        );
        cx.findings.say_about(
            &format!("eks {to}"),
            Diagnostic::warning(codes::PATH_SUPPORT, message)
                .at(place("standard support is over"))
                .help(format!("standard support ended on {}; a later minor has it", support.standard_until)),
        );
    }
    true
}

/// When the rollback to a minor ends because EKS no longer takes it, and why.
#[derive(Debug)]
pub(super) struct EndOfSupport {
    /// The first instant at which it is over.
    pub(super) at: Timestamp,
    /// For people.
    pub(super) why: String,
}

/// The end of a minor's support, as far as the cluster's policy goes.
pub(super) fn end(cluster: &EksCluster, minor: &Version) -> Option<EndOfSupport> {
    let support = row(cluster, minor)?;
    let standard_only = cluster.support_policy == "STANDARD";
    let (day, which) = match standard_only {
        true => (support.standard_until, "standard support of"),
        false => (support.extended_until, "extended support of"),
    };
    let at = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let policy = if standard_only { ", and the cluster's upgrade policy is STANDARD" } else { "" };
    Some(EndOfSupport { at, why: format!("{which} Kubernetes {minor} ends on {day}{policy}") })
}

/// Whether a rollback to a minor is closed by its end of support already.
pub(super) fn over(cx: &Cx<'_>, end: &EndOfSupport) -> bool {
    end.at <= cx.as_of
}
