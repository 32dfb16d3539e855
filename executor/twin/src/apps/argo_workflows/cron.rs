//! CronWorkflows: they start a Workflow when one is due, and make up the last one that they missed.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{ACTOR, API, COMPLETED, CRON, Controller, GROUP, Release, schedule::Schedule};
use crate::world::key::{list, number, set, text};
use crate::world::{DeleteOptions, Key, World, labels};

/// From here on `schedule` is no field any more.
const SCHEDULES_ONLY: Release = Release([4, 0, 0]);
/// How long after its time a schedule that never ran before counts as due.
const FIRST: SignedDuration = SignedDuration::from_secs(60);
/// Workflows that are kept where the CronWorkflow does not say how many.
const KEPT: i64 = 3;

/// Starts what is due, and looks again when the next is.
pub(super) fn reconcile(world: &mut World, key: &Key, controller: &Controller) {
    let Some(cron) = world.get(key).cloned() else { return };
    tidy(world, key, &cron);
    if cron.pointer("/spec/suspend") == Some(&json!(true)) {
        return;
    }
    let schedules = schedules(&cron, controller);
    let now = world.now();
    let before = text(&cron, "/status/lastScheduledTime").parse::<Timestamp>().ok();
    let from = before.or_else(|| now.checked_sub(FIRST).ok()).unwrap_or(now);
    let due = schedules.iter().filter_map(|schedule| schedule.last(from, now)).max();
    if let Some(due) = due.filter(|due| in_time(&cron, *due, now)) {
        start(world, key, &cron, due);
    }
    if let Some(next) = schedules.iter().filter_map(|schedule| schedule.after(now)).min() {
        world.plan(ACTOR.name, key.clone(), next.duration_since(now));
    }
}

fn schedules(cron: &Value, controller: &Controller) -> Vec<Schedule> {
    let single = cron.pointer("/spec/schedule").filter(|_| controller.version < SCHEDULES_ONLY);
    let all = list(cron, "/spec/schedules").iter().chain(single);
    all.filter_map(Value::as_str).filter_map(Schedule::read).collect()
}

/// Whether one that is late is still made up.
fn in_time(cron: &Value, due: Timestamp, now: Timestamp) -> bool {
    let deadline = number(cron, "/spec/startingDeadlineSeconds").unwrap_or(0);
    deadline == 0 || now.duration_since(due).as_secs() < deadline
}

fn start(world: &mut World, key: &Key, cron: &Value, due: Timestamp) {
    let stamp = due.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    world.modify(key, |cron| set(cron, &["status", "lastScheduledTime"], stamp.into()));
    let forbidden = text(cron, "/spec/concurrencyPolicy") == "Forbid";
    if forbidden && started(world, key).any(|(_, ended)| !ended) {
        return;
    }
    let owner = json!([{"apiVersion": API, "kind": "CronWorkflow", "name": &*key.name,
        "uid": text(cron, "/metadata/uid"), "controller": true, "blockOwnerDeletion": true}]);
    let mut metadata = json!({"labels": {CRON: &*key.name}, "ownerReferences": owner});
    for (field, value) in
        cron.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten()
    {
        if field == super::pods::RUN_SECONDS {
            set(&mut metadata, &["annotations", field], value.clone());
        }
    }
    let spec = cron.pointer("/spec/workflowSpec").cloned().unwrap_or(Value::Null);
    let workflow = json!({"apiVersion": API, "kind": "Workflow", "metadata": metadata, "spec": spec});
    let name = format!("{}-{}", key.name, due.as_second());
    let of = Key::new(GROUP, "workflows", &key.namespace, &name);
    if world.get(&of).is_none() {
        world.create(of, workflow);
    }
}

/// Workflows that a CronWorkflow started, each with whether it has ended; the oldest first.
fn started<'w>(world: &'w World, key: &'w Key) -> impl Iterator<Item = (Key, bool)> + 'w {
    let own = |workflow: &Value| labels(workflow).get(CRON) == Some(&json!(&*key.name));
    let ended = |workflow: &Value| labels(workflow).get(COMPLETED) == Some(&json!("true"));
    world
        .list(GROUP, "workflows", Some(&key.namespace))
        .filter(move |(_, workflow)| own(workflow))
        .map(move |(key, workflow)| (key.clone(), ended(workflow)))
}

/// Deletes the oldest of those that have ended.
fn tidy(world: &mut World, key: &Key, cron: &Value) {
    let most = number(cron, "/spec/successfulJobsHistoryLimit").unwrap_or(KEPT);
    let most = usize::try_from(most).unwrap_or(0);
    let mut ended: Vec<Key> =
        started(world, key).filter(|(_, ended)| *ended).map(|(workflow, _)| workflow).collect();
    // Their names end with their instants, which have as many digits.
    ended.sort_by(|a, b| a.name.cmp(&b.name));
    for old in ended.iter().take(ended.len().saturating_sub(most)) {
        world.delete(old, DeleteOptions::default());
    }
}
