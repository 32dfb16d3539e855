//! From manifests, inventory, lock and catalog to a plan. Pure: the same inputs give the same bytes.

mod baseline;
mod beforehand;
mod carry_over;
mod gates;
mod handovers;
mod inputs;
mod pools;
mod releases;
mod suspensions;
mod unsupported;

use std::collections::BTreeSet;

use jiff::Timestamp;
use switchback_model::{Graph, digests::digests, learn, lint, trust::Trusted};
use switchback_schemas::{
    Diagnostic, Digest, HopId, StepId, codes,
    estimates::Estimates,
    inventory::Inventory,
    lock::{Asks, Lock},
    manifest::TargetSpec,
    name::SavepointId,
    plan::{
        BlindSpot, Digests, ExpiresEarlier, Hop, Identity, Inputs, Need, Parent, Plan, PlanBody, PlatformRef,
        Retention, Savepoint, Step, Work,
    },
};

use crate::{
    component::{Lookups, PlannedHop},
    context::{Cx, Given},
    findings::Findings,
    fleet,
    hop::HopSpec,
    lower::{Lowering, estimates, failure, rollback_deadline},
    manifest::Manifests,
    path,
    predicted::Predicted,
    registry::Registry,
};

/// What a plan is compiled from.
pub struct Sources<'a> {
    /// The manifests.
    pub manifests: &'a Manifests,
    /// The inventory.
    pub inventory: &'a Inventory,
    /// Digest of the inventory file's bytes.
    pub inventory_digest: Digest,
    /// The lock.
    pub lock: &'a Lock,
    /// Digest of the lock file's bytes.
    pub lock_digest: Digest,
    /// The instant for which dates are judged; the observation's when absent.
    pub as_of: Option<Timestamp>,
    /// How long steps took, with the digest of the file's bytes; what lowerings know when absent.
    pub estimates: Option<(&'a Estimates, Digest)>,
    /// Who may approve, as read from outside of the manifests; what these say of it when absent.
    pub trust: Option<&'a Trusted>,
    /// The last hop of the plan; all of the way when absent.
    pub until: Option<&'a HopId>,
}

/// Compiles a plan. Without one there is at least one error among the diagnostics, or nothing to do.
pub fn compile(registry: &Registry<'_>, sources: &Sources<'_>) -> (Option<Plan>, Vec<Diagnostic>) {
    compile_preferring(registry, sources, &[])
}

/// The same with hops in this sequence as far as the order among them allows it; those that it does not name come after, in the
/// sequence that was solved. Any sequence that keeps the order can be had so, and none that does not.
///
/// What the plan says of untested states names the hops that enter and leave them in the sequence that was solved.
pub fn compile_preferring(
    registry: &Registry<'_>,
    sources: &Sources<'_>,
    sequence: &[HopId],
) -> (Option<Plan>, Vec<Diagnostic>) {
    let Sources { manifests, inventory, lock, .. } = *sources;
    let as_of = inputs::as_of(manifests, inventory, sources.as_of);
    let findings = Findings::new(inputs::accepted(manifests), as_of);
    let catalog = registry.catalog();
    let cx = context(registry, Given { manifests, inventory, lock, catalog, findings: &findings, as_of });
    let plan = build(registry, sources, &cx, sequence);
    // What is waived may belong to a hop that comes later.
    if plan.as_ref().is_none_or(|plan| plan.later.is_empty()) {
        inputs::unused_waivers(&cx);
    }
    let plan = plan.filter(|_| !findings.any_error());
    let diagnostics = findings.into_list();
    let plan = plan.and_then(|plan| finish(plan, &diagnostics).ok());
    (plan, diagnostics)
}

/// What has to be rendered before a plan can be compiled.
pub fn asks(
    registry: &Registry<'_>,
    manifests: &Manifests,
    inventory: &Inventory,
) -> (Option<Asks>, Vec<Diagnostic>) {
    let as_of = inputs::as_of(manifests, inventory, None);
    let findings = Findings::new(inputs::accepted(manifests), as_of);
    let lock = Lock {
        format: switchback_schemas::format::Document::Lock.current(),
        resolved_at: as_of,
        observation: inventory.observation.clone(),
        manifests: manifests.digest,
        renders: Vec::new(),
        addons: Vec::new(),
    };
    let catalog = registry.catalog();
    let given = Given { manifests, inventory, lock: &lock, catalog, findings: &findings, as_of };
    let cx = context(registry, given);
    unsupported::refuse(&cx, registry);
    let mut lookups = Lookups::default();
    for (name, component) in registry.components() {
        component.ask_all(&cx, registry.owners(), name, &mut lookups);
    }
    let Lookups { mut charts, mut addons } = lookups;
    charts.sort_by(|a, b| (&a.release, &a.version).cmp(&(&b.release, &b.version)));
    addons.sort();
    addons.dedup();
    let aws = manifests.platform.spec.targets.iter();
    let aws = aws.filter(|(name, _)| addons.iter().any(|ask| ask.target == **name));
    let aws = aws.filter_map(|(name, target)| Some((name.clone(), target.aws()?))).collect();
    let observation = inventory.observation.clone();
    let plain = registry.plain();
    let asks = Asks { manifests: manifests.digest, observation, charts, addons, aws, plain };
    let failed = findings.any_error();
    ((!failed).then_some(asks), findings.into_list())
}

/// Solves the joint path, and gives it to the components with all else.
fn context<'a>(registry: &Registry<'_>, given: Given<'a>) -> Cx<'a> {
    let requests = registry.requests(given.manifests, Some(given.inventory), Some(given.lock));
    let path = path::solve(&given, requests);
    Cx::new(&given, path)
}

fn build(registry: &Registry<'_>, sources: &Sources<'_>, cx: &Cx<'_>, sequence: &[HopId]) -> Option<Plan> {
    inputs::check(cx);
    unsupported::refuse(cx, registry);
    let asked: Vec<PlannedHop<'_>> = registry
        .components()
        .flat_map(|(name, component)| component.plan_all(cx, registry.owners(), name))
        .collect();
    let specs: Vec<HopSpec> = asked.iter().map(|hop| hop.spec.clone()).collect();
    let mut predicted = Predicted::new(cx.inventory, carry_over::still_held(cx, registry));
    if asked.is_empty() {
        carry_over::check(cx, &specs, &predicted.left_open());
        if !cx.findings.any_error() {
            let message = "the platform is at the requested versions already";
            cx.findings.say(Diagnostic {
                severity: switchback_schemas::Severity::Advice,
                ..Diagnostic::warning(codes::PLAN_UNCHANGED, message)
            });
        }
        return None;
    }
    let mut lowering = Lowering::default();
    let mut ordered = path::order(cx, &specs, sequence, &mut lowering.sources);
    let later = stop(cx, &mut ordered, sources.until)?;
    if ordered.len() > lint::MAX_STEPS {
        // Each hop is one step at least: nothing is lowered that cannot become a plan.
        cx.findings.say(lint::too_large(&format!("{} hops", ordered.len())));
        return None;
    }
    let mut savepoints = vec![Savepoint {
        id: SavepointId::sanitized("start"),
        title: "before the first change".to_owned(),
        frontier: Vec::new(),
    }];
    let mut hops: Vec<(HopSpec, Hop)> = Vec::new();
    for (number, hop) in ordered {
        let planned = asked.get(number)?;
        let spec = &planned.spec;
        let before = lowering.steps.len();
        let lowered = suspensions::Before::of(&lowering);
        planned.lower(&mut predicted, &mut lowering);
        suspensions::around(cx, registry, (spec, lowered), &predicted, &mut lowering);
        baseline::before(spec, before, &mut lowering);
        if lowering.steps.len() == before {
            if !cx.findings.any_error() {
                let message = format!("{} is lowered into no step, and nothing says why", hop.id);
                cx.findings.say(Diagnostic::error(codes::BUG, message));
            }
            return None;
        }
        let ends = savepoints.last().map(|savepoint| savepoint.frontier.clone()).unwrap_or_default();
        let steps = lowering.steps.get_mut(before..).unwrap_or_default();
        let day = path::not_before(cx.path.as_ref(), spec);
        lowering.gates.extend(day.and_then(|day| gates::not_before(&hop, day, steps)));
        follow(steps, &ends, &hop, hops.last().map(|(_, last)| &last.id));
        savepoints.push(Savepoint {
            id: hop.savepoint.clone(),
            title: format!("{} is at {}, verified", spec.upgrade, spec.to),
            frontier: sinks(lowering.steps.get(before..).unwrap_or_default()),
        });
        hops.push((spec.clone(), hop));
    }
    carry_over::check(cx, &specs, &predicted.left_open());
    handovers::check(cx, &hops, &lowering.steps);
    gates::add(cx, sources.trust, &mut lowering);
    let plan = assemble(sources, cx, hops, savepoints, lowering);
    Some(Plan { later, ..plan })
}

/// Leaves out what comes after the last hop that is asked for; `None` where there is no such hop.
fn stop(cx: &Cx<'_>, ordered: &mut Vec<(usize, Hop)>, until: Option<&HopId>) -> Option<Vec<HopId>> {
    let Some(until) = until else { return Some(Vec::new()) };
    let Some(last) = ordered.iter().position(|(_, hop)| hop.id == *until) else {
        if !cx.findings.any_error() {
            let hops: Vec<String> = ordered.iter().map(|(_, hop)| hop.id.to_string()).collect();
            let diagnostic =
                Diagnostic::error(codes::PLAN_UNTIL, format!("there is no hop {until} to stop after"));
            cx.findings.say(diagnostic.help(format!("name one of: {}", hops.join(", "))));
        }
        return None;
    };
    Some(ordered.split_off(last + 1).into_iter().map(|(_, hop)| hop.id).collect())
}

/// Steps of a hop that need nothing of it wait for the end of the hop before: because a fact says so, or because one component
/// moves at a time.
fn follow(steps: &mut [Step], ends: &[StepId], hop: &Hop, last: Option<&HopId>) {
    let fact = hop.after.iter().find(|order| Some(&order.hop) == last);
    let alone =
        || format!("{} moves after the hop before is verified: one component at a time", hop.id.instance());
    let (why, source) =
        fact.map_or_else(|| (alone(), None), |order| (order.why.clone(), order.source.clone()));
    for step in steps.iter_mut().filter(|step| step.needs.is_empty()) {
        for end in ends {
            step.needs.push(Need { step: end.clone(), why: why.clone(), source: source.clone() });
        }
    }
}

/// Steps that no other step of the same hop needs.
fn sinks(steps: &[Step]) -> Vec<StepId> {
    let needed: BTreeSet<&StepId> =
        steps.iter().flat_map(|step| &step.needs).map(|need| &need.step).collect();
    steps.iter().map(|step| &step.id).filter(|id| !needed.contains(id)).cloned().collect()
}

fn assemble(
    sources: &Sources<'_>,
    cx: &Cx<'_>,
    hops: Vec<(HopSpec, Hop)>,
    savepoints: Vec<Savepoint>,
    lowering: Lowering,
) -> Plan {
    let Lowering {
        mut steps,
        mut rollback,
        suspensions,
        gates,
        points,
        mut pools,
        mut blind_spots,
        retentions,
        expires_earlier,
        sources: mut table,
    } = lowering;
    let untested = path::states(cx, &hops, &mut table);
    steps.sort_by(|a, b| a.id.cmp(&b.id));
    rollback.sort_by(|a, b| a.id.cmp(&b.id));
    estimates::put(cx.catalog, &hops, &mut steps, &mut rollback);
    if let Some((estimates, _)) = sources.estimates {
        learn::apply(&mut steps, &mut rollback, estimates);
    }
    let works = || steps.iter().map(|step| &step.work).chain(rollback.iter().map(|step| &step.work));
    let moves = fleet::Moves { pools: &pools, steps: &steps, suspensions: &suspensions };
    let (standing, outside) = fleet::look(cx, &moves);
    let verified = pools::verified(works());
    pools.extend(cx.pools.iter().filter(|pool| verified.contains(&pool.name)).cloned());
    pools.sort_by(|a, b| a.name.cmp(&b.name));
    pools.dedup_by(|a, b| a.name == b.name);
    blind_spots.extend(
        cx.inventory
            .unread
            .iter()
            .map(|unread| BlindSpot { what: unread.what.to_string(), why: unread.why.clone() }),
    );
    blind_spots.extend(path::blind_spots(cx));
    blind_spots.sort();
    blind_spots.dedup();
    let wishes: failure::Wishes = hops
        .iter()
        .map(|(spec, hop)| (hop.id.clone(), (inputs::on_failure(cx, spec), Some(spec.place.clone()))))
        .collect();
    let places = hops
        .iter()
        .map(|(spec, hop)| (hop.id.clone(), cx.label(spec.doc, "/spec/to", "requested here")))
        .collect();
    let nothing = Digest::of("");
    let classed = pools::asks_for_classes(works());
    let mut plan = Plan {
        format: switchback_schemas::format::Document::Plan.current(),
        features: features(works(), &retentions, cx),
        platform: platform(cx, sources.trust),
        parent: parent(cx, expires_earlier),
        inputs: Inputs {
            manifests: cx.manifests.digest,
            inventory: sources.inventory_digest,
            observation: cx.inventory.observation.clone(),
            observed_at: cx.inventory.taken_at,
            as_of: cx.as_of,
            lock: sources.lock_digest,
            catalog: cx.catalog.digest,
            estimates: sources.estimates.map(|(_, digest)| digest),
        },
        digests: Digests { effects: nothing, review: nothing },
        body: PlanBody { hops: hops.into_iter().map(|(_, hop)| hop).collect(), steps, rollback },
        later: Vec::new(),
        savepoints,
        suspensions,
        gates,
        points,
        classes: if pools.is_empty() && !classed { Vec::new() } else { cx.classes.clone() },
        pools,
        standing,
        outside,
        releases: Vec::new(),
        windows: cx.windows(),
        channels: cx.manifests.platform.spec.channels.clone(),
        untested,
        blind_spots,
        notices: Vec::new(),
        retentions,
        sources: table,
    };
    beforehand::verifications(cx);
    beforehand::paused(cx, &plan);
    plan.releases = releases::moved(cx, plan.works().map(|(_, work)| work));
    match Graph::of(&plan) {
        Ok(graph) => {
            let approved = gates::before_start(cx, sources.trust);
            failure::decide(&mut plan, &graph, &wishes, approved, cx.findings);
            rollback_deadline::check(&plan, &graph, &places, cx.findings);
            beforehand::windows(cx, &plan, &graph);
        }
        Err(error) => cx.findings.say(Diagnostic::error(codes::PATH_CYCLE, error.to_string())),
    }
    plan
}

fn features<'plan>(
    works: impl Iterator<Item = &'plan Work>,
    retentions: &'plan [Retention],
    cx: &Cx<'_>,
) -> BTreeSet<String> {
    let works = works.chain(retentions.iter().map(|left| &left.removal));
    let mut features = lint::used_features(works, retentions);
    if cx.inventory.carry_over.is_some() {
        features.insert("continue".to_owned());
    }
    features
}

fn platform(cx: &Cx<'_>, trust: Option<&Trusted>) -> PlatformRef {
    let spec = &cx.manifests.platform.spec;
    let identity = |target: &TargetSpec| match target.aws() {
        Some(rds) if matches!(target, TargetSpec::Database(_)) => Identity::Database { rds },
        eks => Identity::Cluster { kube_system_uid: cx.inventory.cluster.kube_system_uid.clone(), eks },
    };
    PlatformRef {
        name: cx.manifests.platform.metadata.name.clone(),
        targets: spec.targets.iter().map(|(name, target)| (name.clone(), identity(target))).collect(),
        trust: trust.map(Trusted::named),
        allow_asserted: spec.approvals.allow_asserted && trust.is_none(),
        quorum: trust.map_or(spec.approvals.quorum, |trust| Some(trust.trust().spec.quorum)).unwrap_or(1),
    }
}

fn parent(cx: &Cx<'_>, mut expires: Vec<ExpiresEarlier>) -> Option<Parent> {
    let carry = cx.inventory.carry_over.as_ref()?;
    expires.sort();
    Some(Parent {
        expires,
        run: carry.run.clone(),
        plan: carry.plan,
        journal_head: carry.journal_head.clone(),
        savepoint: carry.savepoint.clone(),
    })
}

/// Warnings go into the plan, then the digests are taken, then the plan is checked against its own rules.
fn finish(mut plan: Plan, diagnostics: &[Diagnostic]) -> Result<Plan, serde_json::Error> {
    // Places are those of files that a reader of the plan may not have.
    let notice = |diagnostic: &Diagnostic| Diagnostic { labels: Vec::new(), ..diagnostic.clone() };
    plan.notices = diagnostics.iter().map(notice).collect();
    plan.digests = digests(&plan)?;
    Ok(plan)
}
