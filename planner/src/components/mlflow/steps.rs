//! The steps of one upgrade, in order: look, stop, snapshot, migrate, check, image, start, ask.

use std::ops::Deref;

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId,
    plan::{
        CaptureKind, Change, CloudCapture, CloudCondition, Condition, Disruption, Effect, Estimate,
        KubeApply, KubeCondition, KubeEffect, Mark, RdsEffect, RdsProveSnapshot, RdsSnapshot, Target, Test,
    },
};

use super::{
    Mlflow, SnapshotProof,
    jobs::{self, Task},
    names::Names,
    notices, rollback,
    server::{self, Patches},
    site::Site,
};
use crate::{
    component::HopCx,
    lower::{Draft, HopScope, Lowering, Rollback, Undoing, need},
    owner::{Asked, Desired},
    predicted::Predicted,
};

/// How long a migration may take when the manifest does not say so.
const MIGRATION: Seconds = Seconds::minutes(30);
/// How long a Job that only looks is waited for: a little longer than it may run.
const LOOKS: Seconds = Seconds::minutes(16);

/// Lowers the hop. What is wrong was said when the hop was asked for; then no plan comes out.
pub(super) fn lower(at: &HopCx<'_, Mlflow>, predicted: &mut Predicted<'_>, out: &mut Lowering) {
    let (cx, hop, doc, site, scope) = (at.cx, at.hop, at.doc, at.own, &at.scope);
    let spec = &doc.spec;
    let Some((_, index, image)) = predicted.container(&spec.deployment, &spec.container) else { return };
    predicted.take_reads();
    if hop.finishes {
        return server::works(cx, doc, site, scope, out);
    }
    notices::add(at, out);
    let on_database = HopScope { hop: scope.hop.clone(), target: spec.database.clone() };
    let names = Names::new(&cx.inventory.observation, &scope.hop);
    let patches = Patches::new(site, scope, spec, (index, image));
    let road = Steps { at, site, on_database, names, patches };
    road.build(predicted, out);
}

/// What every part of the road looks at.
struct Steps<'a> {
    at: &'a HopCx<'a, Mlflow>,
    site: &'a Site,
    /// Steps on the database.
    on_database: HopScope,
    names: Names,
    patches: Patches<'a>,
}

impl<'a> Deref for Steps<'a> {
    type Target = HopCx<'a, Mlflow>;

    fn deref(&self) -> &HopCx<'a, Mlflow> {
        self.at
    }
}

impl Steps<'_> {
    fn build(&self, predicted: &mut Predicted<'_>, out: &mut Lowering) {
        let baseline = out.add(self.patches.baseline(&self.scope));
        let database = self.database(predicted, out);
        let (address, seen) = self.job(
            &self.address(),
            &[
                (&baseline, "it is verified while it serves"),
                (&database, "the instance is known to be available"),
            ],
            "no client is stopped before the new image is known to run, connect and reach the instance",
            out,
        );
        let mut tidy = vec![address];
        let migrated = if self.site.migrates {
            let (job, migrated) = self.migration(&seen, &database, predicted, out);
            tidy.push(job);
            migrated
        } else {
            self.snapshot(&seen, "every check that needs no outage was made", out)
        };
        let (schema, checked) = self.job(
            &Task::Schema,
            &[(&migrated, "the database is as it will stay")],
            "the new server would refuse any other revision",
            out,
        );
        tidy.push(schema);
        let set = self.image(&checked, predicted, out);
        let up = if self.site.migrates { self.start(&set, out) } else { set };
        let asked = server::ask(self.cx, self.doc, self.site, &self.scope, &up, out);
        for part in tidy {
            self.tidy(&part, &asked, out);
        }
    }

    /// Everything between the last look at the running server and a migrated database.
    fn migration(
        &self,
        seen: &StepId,
        database: &StepId,
        predicted: &Predicted<'_>,
        out: &mut Lowering,
    ) -> (Made, StepId) {
        let point = server::line(self.doc, self.site, &self.scope, &self.snapshot_name(), out);
        predicted.container(&self.doc.spec.deployment, &self.doc.spec.container);
        let stop = self.patches.stop(&self.scope, predicted.take_reads()).needs(
            seen,
            "every check that needs no outage was made",
            None,
        );
        // The line is approved before anything is away: nobody should have to be found while it is.
        let stop = out.add(stop.gate(&point));
        let taken = self.snapshot(&stop, "nothing writes any more, so restoring it loses nothing", out);
        let proven = match self.doc.spec.snapshot {
            SnapshotProof::Restore => self.prove(&taken, database, out),
            SnapshotProof::Available => taken.clone(),
        };
        let job = self.made(&Task::Migrate);
        let none = rollback::whole(&job.object, Test::Absent {});
        let clear = self.scope.look(
            "migrate/no-job",
            "check that no Job of an earlier attempt exists",
            none,
            Vec::new(),
        );
        let clear = clear
            .needs(
                &proven,
                "a database that is rolled back by a restore needs a verified snapshot",
                Some("check"),
            )
            .time(Seconds::minutes(1), Estimate::seconds(2, 10));
        let clear = out.add(clear);
        let aside = self.names.instance(self.instance(), "before-restore");
        let others = self.doc.spec.other_databases.iter().map(|other| format!("database {}", other.name));
        let undo = rollback::restore(
            self.site,
            rollback::Restoring {
                snapshot: &self.snapshot_name(),
                aside: &aside,
                captured: database,
                of: rollback::instance_of(&self.doc.spec.database),
                others: others.collect(),
            },
        );
        let title = format!("start the Job that migrates the database to revision {}", self.site.head);
        let draft = self
            .apply(&job, &Task::Migrate, title, undo)
            .needs(&clear, "an older Job's success would be taken for this one's", None)
            .disrupts(Disruption::Outage, None);
        let begun = out.add(draft);
        // The Job goes when the database is back: what it would still do, it does to the instance that was put aside.
        let job_gone = rollback::job_gone(&job.object, "migration");
        let id = self.scope.id("migrate/delete-job");
        out.rollback.push(Rollback { after: vec![begun.clone()], ..job_gone }.named(id, vec![begun.clone()]));
        notices::retained(self.doc, (&self.snapshot_name(), &taken), Some((&aside, &begun)), out);
        let within = self.doc.spec.migrate_within.map_or(MIGRATION, |length| length.0);
        let p90 = Seconds(within.0.max(180));
        let title = format!("verify that the database is at revision {}", self.site.head);
        let done = self
            .ended(&job, title, within)
            .needs(&begun, "it is the Job that was started", None)
            .time(within, Estimate { expected: Seconds(120), p90 });
        let done = out.add(done);
        (job, done)
    }

    /// Looks at the instance, and keeps how it is described: a restore loses what it is not told.
    fn database(&self, predicted: &Predicted<'_>, out: &mut Lowering) -> StepId {
        let of = rollback::instance_of(&self.doc.spec.database);
        predicted.cloud(&of, "/DbiResourceId", json!(self.site.instance.resource_id), None);
        let capture =
            |pointer: &str| CaptureKind::Cloud(CloudCapture { of: of.clone(), pointer: pointer.to_owned() });
        let until = Condition::Cloud(CloudCondition::Field {
            of: of.clone(),
            pointer: "/DBInstanceStatus".to_owned(),
            is: Test::OneOf(vec![json!("available"), json!("storage-optimization")]),
        });
        let title =
            format!("check that instance {} is available, and capture its description", self.instance());
        let step = self
            .on_database
            .look("database", title, until, predicted.take_reads())
            .captures("instance", capture(""))
            .captures("resource", capture("/DbiResourceId"))
            .time(Seconds::minutes(10), Estimate::seconds(2, 30));
        out.add(step)
    }

    fn snapshot(&self, after: &StepId, why: &str, out: &mut Lowering) -> StepId {
        let snapshot = self.snapshot_name();
        let effect = Effect::Rds(RdsEffect::Snapshot(RdsSnapshot {
            target: self.doc.spec.database.clone(),
            snapshot: snapshot.clone(),
        }));
        let undo = Undoing::Unneeded("a snapshot changes nothing; it is retained for rollback".to_owned());
        let title = format!("take snapshot {snapshot} of instance {}", self.instance());
        let step = self
            .on_database
            .step("snapshot", title, effect, undo, Vec::new())
            .needs(after, why, Some("rds"))
            .time(Seconds::hours(2), Estimate::seconds(5 * 60, 30 * 60))
            .idempotent();
        let id = out.add(step);
        if !self.site.migrates {
            notices::retained(self.doc, (&snapshot, &id), None, out);
        }
        id
    }

    fn prove(&self, taken: &StepId, database: &StepId, out: &mut Lowering) -> StepId {
        let snapshot = self.snapshot_name();
        let trial = self.names.instance(self.instance(), "trial");
        let effect = Effect::Rds(RdsEffect::ProveSnapshot(RdsProveSnapshot {
            target: self.doc.spec.database.clone(),
            snapshot: snapshot.clone(),
            trial: trial.clone(),
            instance: switchback_schemas::plan::Operand::Captured {
                step: database.clone(),
                name: "instance".to_owned(),
            },
        }));
        let title = format!(
            "verify that {snapshot} can be restored: create instance {trial} from it, then delete that"
        );
        let undo = Undoing::Unneeded("the trial instance is deleted by the step itself".to_owned());
        let step = self
            .on_database
            .step("verify-restore", title, effect, undo, Vec::new())
            .needs(taken, "it is the snapshot that would be restored", Some("rds"))
            .time(Seconds::hours(4), Estimate::seconds(20 * 60, 60 * 60))
            .idempotent();
        out.add(step)
    }

    fn image(&self, checked: &StepId, predicted: &mut Predicted<'_>, out: &mut Lowering) -> StepId {
        predicted.container(&self.doc.spec.deployment, &self.doc.spec.container);
        let why = "a new server refuses a database that is not at its head, or migrates it by itself";
        let asked = Asked {
            cx: self.cx,
            owners: self.owners,
            scope: &self.scope,
            part: server::IMAGE,
            title: self.patches.image_title(),
            desired: Desired::Field(self.patches.image()),
            needs: vec![need(checked, why, Some("check"))],
            place: self.label(self.doc.doc, "/spec/image", "this image"),
        };
        // Where its owner does not make the change, that was said, and no plan comes out.
        let Some(step) = asked.change(predicted, out) else { return checked.clone() };
        out.add(step)
    }

    fn start(&self, set: &StepId, out: &mut Lowering) -> StepId {
        let point = server::point_name(self.doc);
        let step = self.patches.start(&self.scope).needs(set, "the old image must not come up again", None);
        let id = out.add(step.gate(&point));
        self.patches.suspension(
            &self.scope,
            &self.made(&Task::Migrate).object,
            &self.made(&Task::Schema).object,
            out,
        );
        id
    }

    /// A Job that only looks: it is begun, and seen to succeed.
    fn job(&self, task: &Task, after: &[(&StepId, &str)], why: &str, out: &mut Lowering) -> (Made, StepId) {
        let job = self.made(task);
        let (first, seen) = match task {
            Task::Address { .. } => (
                "start the Job that checks which instance the address reaches",
                "verify that the address reaches the instance",
            ),
            _ => (
                "start the Job that checks the database against the image",
                "verify that the image accepts the database",
            ),
        };
        let mut step = self.apply(
            &job,
            task,
            first.to_owned(),
            Undoing::by(rollback::job_gone(&job.object, task.part())),
        );
        for (after, why) in after {
            step = step.needs(after, *why, None);
        }
        let begun = out.add(step);
        let done = self.ended(&job, seen.to_owned(), LOOKS).needs(&begun, why, Some("check"));
        let done = out.add(done);
        (job, done)
    }

    fn made(&self, task: &Task) -> Made {
        let name = self.names.job(&self.site.object.name, task.part());
        Made { object: jobs::reference(self.site, &name), part: task.part() }
    }

    /// It happened when the Job is there: what comes of it is another step's to see. So a run that was killed in between knows
    /// that it was begun.
    fn apply(&self, job: &Made, task: &Task, title: String, undo: Undoing) -> Draft {
        let object = jobs::object(self.site, &self.doc.spec.image, &self.scope.hop, &job.object.name, task);
        let effect = Effect::Kube(KubeEffect::Apply(KubeApply { object, force: false }));
        self.scope
            .step(job.part, title, effect, undo, Vec::new())
            .done_when(rollback::whole(&job.object, Test::Present {}))
            .time(Seconds::minutes(2), Estimate::seconds(2, 10))
            .idempotent()
            .changes(vec![Change { mark: Mark::Add, object: job.object.clone(), diff: Vec::new() }])
    }

    /// Waits until a Job has ended one way or the other, then demands the one: a failure is not waited for.
    fn ended(&self, job: &Made, title: String, within: Seconds) -> Draft {
        let has = |kind: &str| {
            Condition::Kube(KubeCondition::Field {
                object: Target::Object(job.object.clone()),
                pointer: "/status/conditions".to_owned(),
                is: Test::Contains(json!({"type": kind, "status": "True"})),
            })
        };
        let until = Condition::Any(vec![has("Complete"), has("Failed")]);
        let verify = crate::lower::verify(
            format!("{} has succeeded", job.object),
            has("Complete"),
            Seconds(0),
            Seconds(15),
        );
        self.scope
            .look(&format!("{}/done", job.part), title, until, Vec::new())
            .verify([verify])
            .time(within, Estimate::seconds(20, 180))
    }

    fn tidy(&self, job: &Made, after: &StepId, out: &mut Lowering) {
        let effect = Effect::Kube(KubeEffect::Delete(switchback_schemas::plan::KubeDelete {
            object: Target::Object(job.object.clone()),
        }));
        let gone = rollback::whole(&job.object, Test::Absent {});
        let undo = Undoing::Unneeded(format!(
            "the {} Job had ended, and a rollback deletes it wherever it is still there",
            job.part
        ));
        let step = self
            .scope
            .step(
                &format!("tidy/{}", job.part),
                format!("delete the {} Job", job.part),
                effect,
                undo,
                Vec::new(),
            )
            .needs(after, "its log is there for as long as it may be needed", None)
            .done_when(gone)
            .time(Seconds::minutes(2), Estimate::seconds(2, 10))
            .idempotent()
            .changes(vec![Change { mark: Mark::Remove, object: job.object.clone(), diff: Vec::new() }]);
        out.add(step);
    }

    fn address(&self) -> Task {
        let accepted = self.doc.spec.other_databases.iter().map(|other| other.name.clone());
        Task::Address { host: self.site.host().to_owned(), accepted: accepted.collect() }
    }

    fn instance(&self) -> &str {
        self.site.instance.arn.name()
    }

    fn snapshot_name(&self) -> String {
        self.names.snapshot(self.instance(), self.doc.spec.to.plain())
    }
}

/// A Job, and its part of step ids.
struct Made {
    object: switchback_schemas::name::ObjectRef,
    part: &'static str,
}
