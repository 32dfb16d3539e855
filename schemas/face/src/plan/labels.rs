//! Words for what stands in plans.

use switchback_model::{
    decide::{RollbackTimes, Stand},
    summary::{RollbackSummary, Summary},
};
use switchback_schemas::Seconds;
use switchback_schemas::plan::{
    AccessReview, ApprovalScope, CloudCondition, CloudKind, CloudRef, Condition, Count, DaemonPods,
    Disruption, FailureAction, GateKind, HopBasis, InsightCategory, KubeCondition, Level, Method, OfClasses,
    Roll, RollbackStep, Stale, UntestedState, WebCondition, WindowUse,
};

/// `1 step`, `2 steps`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// How many steps, and how many of them are rolls of nodes.
pub(super) fn steps(summary: &Summary) -> String {
    let all = count(summary.steps, "step", "steps");
    match summary.rolls {
        0 => all,
        rolls => format!("{all} ({})", count(rolls, "node roll", "node rolls")),
    }
}

/// Some steps in one line.
pub(super) fn ids(steps: &[switchback_schemas::StepId]) -> String {
    steps.iter().map(switchback_schemas::StepId::as_str).collect::<Vec<_>>().join(", ")
}

/// What undoes a step, and with which other one where it takes that one's place.
pub(super) fn undo(rollback: &RollbackStep, step: &switchback_schemas::StepId) -> String {
    match rollback.place().filter(|place| *place != step) {
        Some(place) => format!("{}, together with {place}", rollback.work.title),
        None => rollback.work.title.clone(),
    }
}

pub(super) fn basis(basis: HopBasis) -> &'static str {
    match basis {
        HopBasis::Exact => "exact",
        HopBasis::Predicted => "predicted",
    }
}

pub(super) fn disruption(disruption: Disruption) -> &'static str {
    match disruption {
        Disruption::None => "none",
        Disruption::Restart => "restart",
        Disruption::Drain => "drain",
        Disruption::Outage => "outage",
    }
}

pub(super) fn failure(action: FailureAction) -> &'static str {
    match action {
        FailureAction::Hold => "hold",
        FailureAction::RollbackStep => "rollback step",
        FailureAction::RollbackHop => "rollback hop",
    }
}

/// What a rollback of a hop comes to, in one line.
pub(super) fn back(back: &RollbackSummary) -> String {
    if !back.commits.is_empty() {
        let steps: Vec<&str> = back.commits.iter().map(switchback_schemas::StepId::as_str).collect();
        return format!("not possible: {} cannot be undone", steps.join(", "));
    }
    if back.steps == 0 {
        return "nothing to undo".to_owned();
    }
    let mut text = format!("{}, about {}", count(back.steps, "step", "steps"), back.takes);
    if let Some(worst) = back.disruption.filter(|worst| *worst > Disruption::None) {
        text.push_str(match worst {
            Disruption::None => "",
            Disruption::Restart => ", restarts pods",
            Disruption::Drain => ", drains nodes",
            Disruption::Outage => ", causes an outage",
        });
    }
    if !back.loses.is_empty() {
        text.push_str(", loses ");
        text.push_str(&back.loses.join(" and "));
    }
    text.push_str(if back.automatic { ", automatic" } else { "" });
    text
}

/// When a rollback expires, and by when to decide, or that it is too late for that.
pub(super) fn times(times: &RollbackTimes) -> String {
    let RollbackTimes { expires_at, why, .. } = times;
    match (times.stand, times.decide_by) {
        (Stand::Expired, _) => format!("expired {expires_at} ({why})"),
        (_, None) => format!("no rollback window has room for it before it expires {expires_at} ({why})"),
        (Stand::Open, Some(by)) => format!("decide by {by}; expires {expires_at} ({why})"),
        (Stand::Late, Some(by)) => {
            format!("too late: it had to start by {by}; expires {expires_at} ({why})")
        }
    }
}

/// A state outside of what was tested, with where it begins and ends and how long it lasts.
pub(super) fn untested(state: &UntestedState, length: Option<Seconds>) -> String {
    let from = state
        .enters
        .as_ref()
        .map_or_else(|| "from before the first hop".to_owned(), |hop| format!("from {hop}"));
    let until = match (&state.leaves, length) {
        (Some(hop), Some(length)) => format!(" until {hop}, about {length}"),
        (Some(hop), None) => format!(" until {hop}"),
        (None, _) => " to the end".to_owned(),
    };
    format!("{}, {from}{until}", state.state)
}

pub(super) fn size(count: Count) -> String {
    match count {
        Count::Nodes(1) => "1 node".to_owned(),
        Count::Nodes(n) => format!("{n} nodes"),
        Count::Percent(percent) => format!("{percent} % of the pool"),
    }
}

pub(super) fn stale(stale: &Stale) -> String {
    match stale {
        Stale::Drifted {} => "whose NodeClaim has drifted".to_owned(),
        Stale::KubeletBelow(version) => format!("whose kubelet is older than {version}"),
        Stale::KubeletAtLeast(version) => format!("whose kubelet is {version} or newer"),
        Stale::BornBefore(step) => format!("created before {step}"),
        Stale::PodsNot(pods) => match &pods.version {
            Some(version) => format!("whose {} is not {version}", daemon_pods(pods)),
            None => "of no kind".to_owned(),
        },
        Stale::LabelNot { key, value, .. } => format!("without {key}={value}"),
    }
}

/// Pods of DaemonSets as a person calls them.
fn daemon_pods(pods: &DaemonPods) -> String {
    let labels: Vec<String> = pods.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    match labels.as_slice() {
        [] => format!("pods of DaemonSets in {}", pods.namespace),
        labels => format!("pod {}/{}", pods.namespace, labels.join(",")),
    }
}

/// The rule of a roll, in one line.
pub(super) fn rule(roll: &Roll) -> String {
    let canary = match &roll.canary {
        Some(canary) => {
            format!("canary of {} per hardware class, watched {}, then ", canary.nodes, canary.soak)
        }
        None => String::new(),
    };
    format!(
        "nodes of pool {} {}: {canary}{} at a time, max unavailable {}, min ready {}",
        roll.pool,
        stale(&roll.stale),
        size(roll.batch),
        size(roll.max_unavailable),
        roll.min_ready,
    )
}

pub(super) fn gate(kind: &GateKind) -> String {
    match kind {
        GateKind::Approval(scope) => {
            format!("waits for an approval: switchback approve --{}", approval(scope))
        }
        GateKind::Window(WindowUse::Freeze) => "no freeze is on".to_owned(),
        GateKind::Window(_) => "waits for a window".to_owned(),
        GateKind::NotBefore(instant) => format!("not before {instant}"),
        GateKind::Check(_) => "checks the platform".to_owned(),
    }
}

/// A scope as the command takes it.
pub(super) fn approval(scope: &ApprovalScope) -> String {
    match scope {
        ApprovalScope::Plan {} => "plan".to_owned(),
        ApprovalScope::Point(point) => format!("point {point}"),
        ApprovalScope::Gate(gate) => format!("gate {gate}"),
        ApprovalScope::Cleanup {} => "cleanup".to_owned(),
        ApprovalScope::Worse(accepted) => format!("worse \"{}\"", accepted.object),
    }
}

/// A condition in a few words.
pub(super) fn condition(condition: &Condition) -> String {
    let target = |target: &switchback_schemas::plan::Target| match target {
        switchback_schemas::plan::Target::Object(object) => object.to_string(),
        switchback_schemas::plan::Target::ItemNode {} => "the node".to_owned(),
        switchback_schemas::plan::Target::ItemNodeClaim {} => "its NodeClaim".to_owned(),
    };
    let all = |of: &[Condition], word: &str| of.iter().map(self::condition).collect::<Vec<_>>().join(word);
    match condition {
        Condition::All(of) => all(of, " and "),
        Condition::Any(of) => all(of, " or "),
        Condition::Kube(KubeCondition::Field { object, pointer, is }) => {
            let field = if pointer.is_empty() { String::new() } else { format!(" {pointer}") };
            format!("{}{field} {}", target(object), test(is))
        }
        Condition::Kube(KubeCondition::Count { find, at_least, at_most, .. }) => {
            format!("{} {} as requested", bound(*at_least, *at_most), find.kind)
        }
        Condition::Kube(KubeCondition::CountOfClass { find, classes, at_most, .. }) => {
            let names = classes.named().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let of = match classes {
                OfClasses::Only(_) => format!("of class {names}"),
                OfClasses::Except(_) => format!("of other classes than {names}"),
            };
            format!("{} {} {of} as requested", bound(None, Some(*at_most)), find.kind)
        }
        Condition::Kube(KubeCondition::Allowed { reviews }) => {
            reviews.iter().map(review).collect::<Vec<_>>().join(" and ")
        }
        Condition::Kube(KubeCondition::Rollout { object }) => format!("{} is rolled out", target(object)),
        Condition::Kube(KubeCondition::Release { release, chart_version, .. }) => match chart_version {
            Some(version) => format!("release {release} is deployed at {version}"),
            None => format!("release {release} is deployed"),
        },
        Condition::Kube(KubeCondition::NoRelease { release }) => format!("helm knows no release {release}"),
        Condition::Kube(KubeCondition::Drained { node }) => format!("{} is empty", target(node)),
        Condition::Kube(KubeCondition::ConversionReady { crd }) => format!("{crd} can be converted"),
        Condition::Kube(KubeCondition::StoredAs { crd, version }) => {
            format!("{crd} is stored as {version} only")
        }
        Condition::Kube(KubeCondition::NodesReady { pool, at_least }) => {
            format!("{at_least} nodes of pool {pool} are Ready")
        }
        Condition::Kube(KubeCondition::DaemonPods { node, pods }) => match &pods.version {
            Some(version) => {
                format!("the {} of {} is {version} and Ready", daemon_pods(pods), target(node))
            }
            None => format!("the {} of {} are Ready", daemon_pods(pods), target(node)),
        },
        Condition::Kube(KubeCondition::DevicesFree { node, holders }) => {
            format!("no pod on {} holds {}*", target(node), holders.resources)
        }
        Condition::Kube(KubeCondition::KernelModule { node, module }) => {
            format!("{} has kernel module {} of {}", target(node), module.name, module.version)
        }
        Condition::Kube(KubeCondition::Offers { node, offers }) => {
            format!("{} offers what it offered of {}*", target(node), offers.resources)
        }
        Condition::Kube(KubeCondition::Logs { pods, pattern, at_least, at_most }) => {
            let (bound, namespace, since) = (bound(*at_least, *at_most), &pods.namespace, pods.since);
            format!("{bound} lines of logs in {namespace} match {pattern:?} within {since}")
        }
        Condition::Web(condition) => web(condition),
        Condition::Cloud(CloudCondition::Field { of, pointer, is }) => {
            let field = if pointer.is_empty() { String::new() } else { format!(" {pointer}") };
            format!("{}{field} {}", cloud(of), test(is))
        }
        Condition::Cloud(CloudCondition::Insights { target, category, kubernetes, accepted_until }) => {
            let what = match category {
                InsightCategory::UpgradeReadiness => "upgrade",
                InsightCategory::RollbackReadiness => "rollback",
            };
            let until = accepted_until.values().min();
            let but = until.map_or_else(String::new, |until| {
                format!(", {} accepted until {until}", accepted_until.len())
            });
            format!("EKS insights of {target} name nothing against the {what} to {kubernetes}{but}")
        }
        Condition::Cloud(CloudCondition::FreeAddresses { target, at_least }) => {
            format!("the subnets of {target} have at least {at_least} free addresses")
        }
        Condition::Command(command) => format!("{} ends with 0", command.argv.join(" ")),
    }
}

fn bound(at_least: Option<u64>, at_most: Option<u64>) -> String {
    match (at_least, at_most) {
        (Some(n), None) => format!("at least {n}"),
        (None, Some(n)) => format!("at most {n}"),
        (Some(n), Some(m)) => format!("{n} to {m}"),
        (None, None) => "every".to_owned(),
    }
}

fn web(condition: &WebCondition) -> String {
    match condition {
        WebCondition::Http { request, status, contains, json } => {
            let method = match request.method {
                Method::Get => String::new(),
                method => format!("{} ", method.as_str()),
            };
            let with = contains.as_ref().map_or_else(String::new, |part| format!(" with {part:?}"));
            let fields = json.iter().map(|field| format!(", {} {}", field.pointer, test(&field.is)));
            format!("{method}{} answers {status}{with}{}", request.url, fields.collect::<String>())
        }
        WebCondition::Prometheus { query, is, .. } => {
            let over = if query.over.is_zero() { String::new() } else { format!(" over {}", query.over) };
            let wanted = match is {
                Level::Threshold { compare, value } => format!("{} {value}", compare.words()),
                Level::Baseline { compare, tolerance_percent, .. } => {
                    format!("{} what it was before the hop, tolerance {tolerance_percent} %", compare.words())
                }
                Level::Single {} => "has one value".to_owned(),
            };
            format!("{}{over} {wanted}", query.query)
        }
    }
}

fn cloud(of: &CloudRef) -> String {
    let kind = match of.kind {
        CloudKind::EksCluster => "the EKS cluster",
        CloudKind::EksAddon => "add-on",
        CloudKind::EksNodegroup => "node group",
        CloudKind::RdsInstance => "RDS instance",
        CloudKind::RdsSnapshot => "RDS snapshot",
    };
    match &of.name {
        Some(name) => format!("{kind} {name} of {}", of.target),
        None => format!("{kind} {}", of.target),
    }
}

fn test(test: &switchback_schemas::plan::Test) -> String {
    use switchback_schemas::plan::{Operand, Test};
    let operand = |operand: &Operand| match operand {
        Operand::Value(value) => value.to_string(),
        Operand::Captured { name, .. } => format!("the captured {name}"),
        Operand::ItemProviderId {} => "the node's provider id".to_owned(),
    };
    match test {
        Test::Present {} => "exists".to_owned(),
        Test::Absent {} => "does not exist".to_owned(),
        Test::Equals(value) => format!("is {}", operand(value)),
        Test::Differs(value) => format!("is not {}", operand(value)),
        Test::OneOf(values) => {
            format!("is one of {}", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Test::Contains(value) => format!("contains {value}"),
        Test::AtLeast(n) => format!("is at least {n}"),
        Test::VersionAtLeast(version) => format!("is at least {version}"),
        Test::QuantityAtLeast(least) => format!("is at least {least}"),
        Test::VersionBelow(version) => format!("is below {version}"),
    }
}

fn review(review: &AccessReview) -> String {
    let who = match &review.account {
        Some(account) => format!("service account {account}"),
        None => "whoever runs the plan".to_owned(),
    };
    let place = review.namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
    let dot = if review.group.is_empty() { "" } else { "." };
    format!("{who} may {} {}{dot}{}{place}", review.verbs.join(", "), review.resource, review.group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_that_has_expired_is_shown_as_such() {
        let at = |text: &str| text.parse().expect("an instant");
        let of = |decide_by: Option<&str>, stand| {
            times(&RollbackTimes {
                expires_at: at("2026-11-27T10:00:00Z"),
                why: "EKS takes back one minor".to_owned(),
                step: switchback_schemas::StepId::new("eks/a@1.33/control-plane").expect("a step"),
                decide_by: decide_by.map(at),
                stand,
            })
        };
        let by = Some("2026-11-27T06:00:00Z");
        for (found, wanted) in [
            (
                of(by, Stand::Open),
                "decide by 2026-11-27T06:00:00Z; expires 2026-11-27T10:00:00Z (EKS takes back one minor)",
            ),
            (
                of(by, Stand::Late),
                "too late: it had to start by 2026-11-27T06:00:00Z; expires 2026-11-27T10:00:00Z (EKS takes back one minor)",
            ),
            (of(by, Stand::Expired), "expired 2026-11-27T10:00:00Z (EKS takes back one minor)"),
            (of(None, Stand::Expired), "expired 2026-11-27T10:00:00Z (EKS takes back one minor)"),
            (
                of(None, Stand::Late),
                "no rollback window has room for it before it expires 2026-11-27T10:00:00Z (EKS takes back one minor)",
            ),
        ] {
            assert_eq!(found, wanted);
        }
    }
}
