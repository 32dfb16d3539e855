//! Add-ons: which version each has after a hop, in which order they move, and back.

use switchback_schemas::{
    Diagnostic, StepId, Version, codes,
    inventory::eks::EksCluster,
    lock::AddonVersions,
    plan::{CaptureKind, CloudCapture, Disruption, Effect, EksEffect, EksUpdateAddon, Operand, Work},
    seconds::Seconds,
};

use super::{
    AddonRule, Doc,
    context::Road,
    minors::following,
    refs::{is, says},
};
use crate::{
    lower::{Lowering, Rollback, Undoing, verify},
    predicted::Predicted,
};

const VERSION: &str = "version";
const POINTER: &str = "/addonVersion";
/// How long an add-on may take: three times what the waiter of AWS allows.
const WITHIN: Seconds = Seconds::minutes(30);

/// An add-on on its way.
struct Moving<'a> {
    name: &'a str,
    /// Its version when the hop begins.
    version: String,
    /// The step that left it so.
    by: Option<StepId>,
}

fn rule<'a>(doc: &'a Doc, addon: &str) -> Option<&'a AddonRule> {
    doc.spec.addons.iter().find(|rule| rule.name == addon)
}

/// The versions that an add-on goes through at a minor, the last of them its own; `Err` says what is wrong.
fn stops(road: &Road<'_>, addon: &str, version: &str, known: &AddonVersions) -> Result<Vec<String>, Wrong> {
    let minor = &known.kubernetes;
    let rule = rule(road.doc, addon);
    let works = known.versions.iter().any(|candidate| candidate == version);
    if rule.is_some_and(|rule| rule.keep) {
        let message =
            || format!("the add-on {addon} is kept at {version}, which EKS does not offer for {minor}");
        return if works { Ok(Vec::new()) } else { Err(Wrong::of(message(), offers(known))) };
    }
    let pinned = rule.and_then(|rule| rule.versions.get(minor));
    let target = match pinned.or(known.default.as_ref()) {
        Some(target) => target,
        None if works => return Ok(Vec::new()),
        None => {
            let message = format!("EKS names no default version of the add-on {addon} for {minor}");
            return Err(Wrong::of(message, format!("pin one under `addons:`; {}", offers(known))));
        }
    };
    if pinned.is_some() && !known.versions.contains(target) {
        let message = format!("EKS does not offer {target} of the add-on {addon} for {minor}");
        return Err(Wrong::of(message, offers(known)));
    }
    let (before, after) = (version.parse::<Version>().ok(), target.parse::<Version>().ok());
    let rises = before < after;
    if target == version || (pinned.is_none() && !rises && works) {
        return Ok(Vec::new());
    }
    if !rises {
        let message = format!("the add-on {addon} would go down from {version} to {target} for {minor}");
        return Err(Wrong::of(message, format!("pin a version under `addons:`; {}", offers(known))));
    }
    let mut stops = between(road, addon, before.as_ref(), after.as_ref(), known)?;
    stops.push(target.clone());
    Ok(stops)
}

fn offers(known: &AddonVersions) -> String {
    let some: Vec<&str> = known.versions.iter().take(5).map(String::as_str).collect();
    if some.is_empty() { "it offers none".to_owned() } else { format!("it offers {}", some.join(", ")) }
}

/// The newest version of each minor between, for add-ons that do not skip one.
fn between(
    road: &Road<'_>,
    addon: &str,
    before: Option<&Version>,
    after: Option<&Version>,
    known: &AddonVersions,
) -> Result<Vec<String>, Wrong> {
    let one_by_one = road.facts.one_minor_at_a_time.addons.iter().any(|name| name == addon);
    let (Some(before), Some(after)) = (before, after) else { return Ok(Vec::new()) };
    if !one_by_one || before.major() != after.major() {
        return Ok(Vec::new());
    }
    let mut stops = Vec::new();
    let mut line = following(&before.minor_line());
    while line < after.minor_line() {
        let of_line =
            |text: &&String| text.parse::<Version>().is_ok_and(|version| version.minor_line() == line);
        let newest = known.versions.iter().filter(of_line).max_by_key(|text| text.parse::<Version>().ok());
        let Some(newest) = newest else {
            let message = format!(
                "the add-on {addon} moves one minor at a time, and EKS offers none of {line} for {}",
                known.kubernetes
            );
            return Err(Wrong::of(message, format!("pin a version of its own minor; {}", offers(known))));
        };
        stops.push(newest.clone());
        line = following(&line);
    }
    Ok(stops)
}

/// Why an add-on cannot move as it is asked to.
struct Wrong {
    code: codes::Code,
    message: String,
    help: String,
}

impl Wrong {
    fn of(message: String, help: String) -> Self {
        Self { code: codes::PATH_REQUIREMENT, message, help }
    }
}

/// What the lock says about an add-on at a minor.
fn known<'a>(road: &Road<'a>, addon: &str, minor: &Version) -> Result<&'a AddonVersions, Wrong> {
    road.lock.addon(&road.own.names.target, addon, minor).ok_or_else(|| Wrong {
        code: codes::PLAN_LOCK_MISSING,
        message: format!("the lock does not say which versions of the add-on {addon} work with {minor}"),
        help: "run `switchback resolve` again for these manifests and this inventory".to_owned(),
    })
}

/// Add-ons as they are when the hop begins, in their order. What was wrong in an earlier hop was said there.
fn before<'a>(road: &Road<'_>, cluster: &'a EksCluster) -> Vec<Moving<'a>> {
    let mut moving: Vec<Moving<'a>> = cluster
        .addons
        .iter()
        .map(|addon| Moving { name: &addon.name, version: addon.version.clone(), by: None })
        .collect();
    moving.sort_by_key(|addon| (road.facts.place(addon.name), addon.name));
    for (minor, scope) in road.earlier() {
        for addon in &mut moving {
            let Ok(known) = known(road, addon.name, &minor) else { continue };
            let Ok(stops) = stops(road, addon.name, &addon.version, known) else { continue };
            if let Some(last) = stops.last() {
                addon.by = Some(scope.id(&part(addon.name, None)));
                addon.version.clone_from(last);
            }
        }
    }
    moving
}

/// The update of an add-on, or to one of the versions on its way, by number.
fn part(addon: &str, stop: Option<usize>) -> String {
    stop.map_or_else(|| format!("addons/{addon}"), |number| format!("addons/{addon}/stop-{number}"))
}

/// Adds the steps of one hop; each needs the one before it. Says what the next step has to wait for.
pub(super) fn steps(
    road: &Road<'_>,
    after: &[StepId],
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> Vec<StepId> {
    let mut last = after.to_vec();
    let mut first = true;
    for addon in before(road, &road.own.cluster) {
        let stops = known(road, addon.name, &road.hop.to)
            .and_then(|known| stops(road, addon.name, &addon.version, known));
        let stops = match stops {
            Ok(stops) => stops,
            Err(wrong) => {
                let number = road.doc.spec.addons.iter().position(|rule| rule.name == addon.name);
                let pointer = number.map_or("/spec/to".to_owned(), |n| format!("/spec/addons/{n}"));
                road.findings.say(
                    Diagnostic::error(wrong.code, wrong.message)
                        .at(road.label(road.doc.doc, &pointer, "requested here"))
                        .help(wrong.help),
                );
                continue;
            }
        };
        let mut was = (addon.version.clone(), addon.by.clone());
        let count = stops.len();
        for (number, stop) in (1..).zip(stops) {
            let why = if first { Why::ControlPlane } else { Why::Order(addon.name) };
            let named = (addon.name, part(addon.name, (number < count).then_some(number)));
            let id = step(road, named, (&was.0, was.1.as_ref()), &stop, (&last, &why), predicted, out);
            first = false;
            was = (stop, Some(id.clone()));
            last = vec![id];
        }
    }
    last
}

/// Why an add-on comes after the step before it.
enum Why<'a> {
    ControlPlane,
    Order(&'a str),
}

impl Why<'_> {
    fn said(&self, road: &Road<'_>) -> (String, Option<String>) {
        let row = |addon: &str| road.facts.addon_order.iter().find(|row| row.addon == addon);
        match self {
            Self::ControlPlane => (
                "add-ons follow the control plane: none of them is newer than it".to_owned(),
                Some(road.facts.skew.source.clone()),
            ),
            Self::Order(addon) => row(addon).map_or_else(
                || ("one add-on moves at a time, so that a failure has one cause".to_owned(), None),
                |row| (row.why.clone(), Some(row.source.clone())),
            ),
        }
    }
}

fn step(
    road: &Road<'_>,
    (addon, part): (&str, String),
    (was, by): (&str, Option<&StepId>),
    becomes: &str,
    (after, why): (&[StepId], &Why<'_>),
    predicted: &Predicted<'_>,
    out: &mut Lowering,
) -> StepId {
    let object = road.own.names.addon(addon);
    let id = road.scope.id(&part);
    let conflicts = rule(road.doc, addon).map_or_else(Default::default, |rule| rule.conflicts);
    let update = |version: Operand| {
        Effect::Eks(EksEffect::UpdateAddon(EksUpdateAddon {
            target: road.own.names.target.clone(),
            addon: addon.to_owned(),
            version,
            conflicts,
        }))
    };
    let captured = || Operand::Captured { step: id.clone(), name: VERSION.to_owned() };
    let active = || {
        let title = format!("add-on {addon} is ACTIVE");
        verify(title, says(&object, "/status", "ACTIVE"), Seconds(30), Seconds::minutes(15))
    };
    let stays = if addon == "coredns" { "; its PodDisruptionBudget stays" } else { "" };
    let undo = Rollback::new(Work {
        done_when: Some(is(&object, POINTER, captured())),
        verify: vec![active()],
        timeout: WITHIN,
        disruption: Disruption::Restart,
        ..Work::effect(format!("roll add-on {addon} back to {was}{stays}"), update(captured()))
    });
    predicted.cloud(&object, POINTER, serde_json::json!(was), by);
    let effect = update(Operand::Value(serde_json::json!(becomes)));
    let (why, source) = why.said(road);
    let title = format!("update add-on {addon} from {was} to {becomes}");
    let mut step = road
        .scope
        .step(&part, title, effect, Undoing::by(undo), predicted.take_reads())
        .captures(
            VERSION,
            CaptureKind::Cloud(CloudCapture { of: object.clone(), pointer: POINTER.to_owned() }),
        )
        .done_when(says(&object, POINTER, becomes))
        .verify([active()])
        .within(WITHIN)
        .idempotent()
        .disrupts(Disruption::Restart, None);
    for after in after {
        step = step.needs(after, why.clone(), source.as_deref());
    }
    out.add(step)
}
