//! The steps of one upgrade, in order: look, stop, snapshot, migrate, check, image, start, ask.

use std::ops::Deref;

use serde_json::json;
use switchback_schemas::{
    Seconds, StepId,
    plan::{
        CaptureKind, Change, Condition, Disruption, Effect, Estimate, KubeApply, Mark, RdsProveSnapshot,
        RdsSnapshot, Target, Test,
    },
};

use super::{
    Mlflow, SnapshotProof, back,
    jobs::{self, Task},
    names::Names,
    notices,
    server::{self, Patches},
    site::Site,
};
use crate::{
    component::HopCx,
    lower::{Draft, HopScope, Lowering, Rollback, Undoing, need},
    outlook::Outlook,
    owner::{Asked, Desired},
};

/// How long a migration may take when the manifest does not say so.
const MIGRATION: Seconds = Seconds::minutes(30);
/// How long a Job that only looks is waited for: a little longer than it may run.
const LOOKS: Seconds = Seconds::minutes(16);

/// Lowers the hop. What is wrong was said when the hop was asked for; then no plan comes out.
pub(super) fn lower(at: &HopCx<'_, Mlflow>, outlook: &mut Outlook<'_>, to: &mut Lowering) {
    let (cx, hop, doc, site, scope) = (at.cx, at.hop, at.doc, at.own, &at.scope);
    let spec = &doc.spec;
    let Some((_, index, image)) = outlook.container(&spec.deployment, &spec.container) else { return };
    outlook.take_reads();
    if hop.finishes {
        return server::works(cx, doc, site, scope, to);
    }
    notices::add(at, to);
    let on_database = HopScope { hop: scope.hop.clone(), target: spec.database.clone() };
    let names = Names::new(&cx.inventory.observation, &scope.hop);
    let patches = Patches::new(site, scope, spec, (index, image));
    let road = Road { at, site, on_database, names, patches };
    road.build(outlook, to);
}

/// What every part of the road looks at.
struct Road<'a> {
    at: &'a HopCx<'a, Mlflow>,
    site: &'a Site,
    /// Steps on the database.
    on_database: HopScope,
    names: Names,
    patches: Patches<'a>,
}

impl<'a> Deref for Road<'a> {
    type Target = HopCx<'a, Mlflow>;

    fn deref(&self) -> &HopCx<'a, Mlflow> {
        self.at
    }
}

impl Road<'_> {
    fn build(&self, outlook: &mut Outlook<'_>, to: &mut Lowering) {
        let baseline = to.add(self.patches.baseline(&self.scope));
        let database = self.database(outlook, to);
        let (address, seen) = self.job(
            &self.address(),
            &[(&baseline, "it is looked at while it serves"), (&database, "the instance is known to be available")],
            "nobody is stopped before it is known that the new image runs, connects, and reaches the instance",
            to,
        );
        let mut tidy = vec![address];
        let migrated = if self.site.migrates {
            let (job, migrated) = self.migration(&seen, &database, outlook, to);
            tidy.push(job);
            migrated
        } else {
            self.snapshot(&seen, "everything that can be seen beforehand was seen", to)
        };
        let (schema, checked) = self.job(
            &Task::Schema,
            &[(&migrated, "the database is as it will stay")],
            "the new server would refuse any other revision",
            to,
        );
        tidy.push(schema);
        let set = self.image(&checked, outlook, to);
        let up = if self.site.migrates { self.start(&set, to) } else { set };
        let asked = server::ask(self.cx, self.doc, self.site, &self.scope, &up, to);
        for part in tidy {
            self.tidy(&part, &asked, to);
        }
    }

    /// Everything between the last look at the running server and a migrated database.
    fn migration(
        &self,
        seen: &StepId,
        database: &StepId,
        outlook: &Outlook<'_>,
        to: &mut Lowering,
    ) -> (Made, StepId) {
        let line = server::line(self.doc, self.site, &self.scope, &self.snapshot_name(), to);
        outlook.container(&self.doc.spec.deployment, &self.doc.spec.container);
        let stop = self.patches.stop(&self.scope, outlook.take_reads()).needs(
            seen,
            "what can be found out while it serves was found out",
            None,
        );
        // The line is approved before anything is away: nobody should have to be found while it is.
        let stop = to.add(stop.gate(&line));
        let taken =
            self.snapshot(&stop, "nothing writes any more, so nothing is lost by going back to it", to);
        let proven = match self.doc.spec.snapshot {
            SnapshotProof::Restore => self.prove(&taken, database, to),
            SnapshotProof::Available => taken.clone(),
        };
        let job = self.made(&Task::Migrate);
        let none = back::whole(&job.object, Test::Absent {});
        let clear =
            self.scope.look("migrate/clear", "see that no Job of an earlier try is there", none, Vec::new());
        let clear = clear
            .needs(
                &proven,
                "a database that goes back only by a restore needs a snapshot that is good",
                Some("check"),
            )
            .time(Seconds::minutes(1), Estimate::seconds(2, 10));
        let clear = to.add(clear);
        let aside = self.names.instance(self.instance(), "before-restore");
        let others = self.doc.spec.other_databases.iter().map(|other| format!("database {}", other.name));
        let undo = back::restore(
            self.site,
            back::Restoring {
                snapshot: &self.snapshot_name(),
                aside: &aside,
                captured: database,
                of: back::instance_of(&self.doc.spec.database),
                others: others.collect(),
            },
        );
        let title = format!("begin to migrate the database to revision {}", self.site.head);
        let draft = self
            .apply(&job, &Task::Migrate, title, undo)
            .needs(&clear, "an older Job's success would be taken for this one's", None)
            .disrupts(Disruption::Outage, None);
        let begun = to.add(draft);
        // The Job goes when the database is back: what it would still do, it does to the instance that was put aside.
        let job_gone = back::job_gone(&job.object, "migration");
        let id = self.scope.id("migrate/delete-job");
        to.rollback.push(Rollback { after: vec![begun.clone()], ..job_gone }.named(id, vec![begun.clone()]));
        notices::leftovers(self.doc, (&self.snapshot_name(), &taken), Some((&aside, &begun)), to);
        let within = self.doc.spec.migrate_within.map_or(MIGRATION, |length| length.0);
        let p90 = Seconds(within.0.max(180));
        let title = format!("see the database migrated to revision {}", self.site.head);
        let done = self
            .ended(&job, title, within)
            .needs(&begun, "it is the Job that was begun", None)
            .time(within, Estimate { expected: Seconds(120), p90 });
        let done = to.add(done);
        (job, done)
    }

    /// Looks at the instance, and keeps how it is described: a restore loses what it is not told.
    fn database(&self, outlook: &Outlook<'_>, to: &mut Lowering) -> StepId {
        let of = back::instance_of(&self.doc.spec.database);
        outlook.cloud(&of, "/DbiResourceId", json!(self.site.instance.resource_id), None);
        let capture = |pointer: &str| CaptureKind::Cloud { of: of.clone(), pointer: pointer.to_owned() };
        let until = Condition::Cloud {
            of: of.clone(),
            pointer: "/DBInstanceStatus".to_owned(),
            is: Test::OneOf(vec![json!("available"), json!("storage-optimization")]),
        };
        let title = format!("see instance {} available, and keep how it is described", self.instance());
        let step = self
            .on_database
            .look("database", title, until, outlook.take_reads())
            .captures("instance", capture(""))
            .captures("resource", capture("/DbiResourceId"))
            .time(Seconds::minutes(10), Estimate::seconds(2, 30));
        to.add(step)
    }

    fn snapshot(&self, after: &StepId, why: &str, to: &mut Lowering) -> StepId {
        let snapshot = self.snapshot_name();
        let effect = Effect::RdsSnapshot(RdsSnapshot {
            target: self.doc.spec.database.clone(),
            snapshot: snapshot.clone(),
        });
        let undo = Undoing::Unneeded(
            "a snapshot changes nothing; it is kept, and listed with what is left".to_owned(),
        );
        let title = format!("take snapshot {snapshot} of instance {}", self.instance());
        let step = self
            .on_database
            .step("snapshot", title, effect, undo, Vec::new())
            .needs(after, why, Some("rds"))
            .time(Seconds::hours(2), Estimate::seconds(5 * 60, 30 * 60))
            .idempotent();
        let id = to.add(step);
        if !self.site.migrates {
            notices::leftovers(self.doc, (&snapshot, &id), None, to);
        }
        id
    }

    fn prove(&self, taken: &StepId, database: &StepId, to: &mut Lowering) -> StepId {
        let snapshot = self.snapshot_name();
        let trial = self.names.instance(self.instance(), "trial");
        let effect = Effect::RdsProveSnapshot(RdsProveSnapshot {
            target: self.doc.spec.database.clone(),
            snapshot: snapshot.clone(),
            trial: trial.clone(),
            instance: switchback_schemas::plan::Operand::Captured {
                step: database.clone(),
                name: "instance".to_owned(),
            },
        });
        let title =
            format!("prove that {snapshot} can be restored: make instance {trial} of it, and delete that");
        let undo = Undoing::Unneeded("the trial instance is deleted by the step itself".to_owned());
        let step = self
            .on_database
            .step("prove", title, effect, undo, Vec::new())
            .needs(taken, "it is the snapshot that would be restored", Some("rds"))
            .time(Seconds::hours(4), Estimate::seconds(20 * 60, 60 * 60))
            .idempotent();
        to.add(step)
    }

    fn image(&self, checked: &StepId, outlook: &mut Outlook<'_>, to: &mut Lowering) -> StepId {
        outlook.container(&self.doc.spec.deployment, &self.doc.spec.container);
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
        let Some(step) = asked.change(outlook, to) else { return checked.clone() };
        to.add(step)
    }

    fn start(&self, set: &StepId, to: &mut Lowering) -> StepId {
        let line = server::line_name(self.doc);
        let step = self.patches.start(&self.scope).needs(set, "the old image must not come up again", None);
        let id = to.add(step.gate(&line));
        self.patches.bracket(
            &self.scope,
            &self.made(&Task::Migrate).object,
            &self.made(&Task::Schema).object,
            to,
        );
        id
    }

    /// A Job that only looks: it is begun, and seen to succeed.
    fn job(&self, task: &Task, after: &[(&StepId, &str)], why: &str, to: &mut Lowering) -> (Made, StepId) {
        let job = self.made(task);
        let (first, seen) = match task {
            Task::Address { .. } => {
                ("begin to look where the address leads", "see that the address leads to the instance")
            }
            _ => ("begin to compare the database with the image", "see that the image accepts the database"),
        };
        let mut step =
            self.apply(&job, task, first.to_owned(), Undoing::by(back::job_gone(&job.object, task.part())));
        for (after, why) in after {
            step = step.needs(after, *why, None);
        }
        let begun = to.add(step);
        let done = self.ended(&job, seen.to_owned(), LOOKS).needs(&begun, why, Some("check"));
        let done = to.add(done);
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
        let effect = Effect::KubeApply(KubeApply { object, force: false });
        self.scope
            .step(job.part, title, effect, undo, Vec::new())
            .done_when(back::whole(&job.object, Test::Present {}))
            .time(Seconds::minutes(2), Estimate::seconds(2, 10))
            .idempotent()
            .changes(vec![Change { mark: Mark::Add, object: job.object.clone(), diff: Vec::new() }])
    }

    /// Waits until a Job has ended one way or the other, then demands the one: a failure is not waited for.
    fn ended(&self, job: &Made, title: String, within: Seconds) -> Draft {
        let has = |kind: &str| Condition::Field {
            object: Target::Object(job.object.clone()),
            pointer: "/status/conditions".to_owned(),
            is: Test::Contains(json!({"type": kind, "status": "True"})),
        };
        let until = Condition::Any { of: vec![has("Complete"), has("Failed")] };
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

    fn tidy(&self, job: &Made, after: &StepId, to: &mut Lowering) {
        let effect = Effect::KubeDelete(switchback_schemas::plan::KubeDelete {
            object: Target::Object(job.object.clone()),
        });
        let gone = back::whole(&job.object, Test::Absent {});
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
        to.add(step);
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
