//! There and back: the order of a plan for MLflow, with a dump in the place of a snapshot of RDS.

use crate::support::{
    Ground, catalog,
    ground::{NEW, OLD, run},
    postgres::assert_same,
};

const LIVE: &str = "live";
const TRIAL: &str = "trial";
const ASIDE: &str = "live-pre-restore";

#[test]
#[ignore = "needs PostgreSQL and MLflow: `tests/database/suite`"]
fn a_database_goes_to_the_new_release_and_back_by_a_restore() {
    let ground = Ground::shared();
    let (postgres, old, new) = (&ground.postgres, ground.release(OLD), ground.release(NEW));
    let uri = ground.copy(LIVE);
    assert_eq!(postgres.revision(LIVE), catalog::head(OLD));

    // Nobody writes any more. A snapshot, shown to be good by what comes out of it.
    postgres.unused(LIVE);
    let before = postgres.text(LIVE);
    let snapshot = ground.file("snapshot");
    postgres.dump(LIVE, &snapshot);
    postgres.restore(&snapshot, TRIAL);
    assert_same(&postgres.text(TRIAL), &before, "the trial restore");
    postgres.drop(TRIAL);

    // The two Jobs, both with the new image.
    assert_eq!(new.check_schema(Some(&uri)).code, Some(1), "nothing was migrated yet");
    let migration = new.migrate(&uri);
    assert!(migration.status.success(), "{migration:?}");
    assert_eq!(postgres.revision(LIVE), catalog::head(NEW));
    assert_eq!(new.check_schema(Some(&uri)).code, Some(0));
    // A run that was killed between effect and outcome makes the Job once more.
    let migrated = postgres.text(LIVE);
    assert!(new.migrate(&uri).status.success());
    assert_same(&postgres.text(LIVE), &migrated, "a second migration");

    // The new release is up and has everything.
    let server = new.serve(&uri).expect("the new release accepts what it migrated");
    assert_eq!(server.page("/health"), "OK");
    assert_eq!(server.page("/version"), NEW);
    ground.before.assert_there(&server);
    let late = run(&server, "0", "after the snapshot");
    assert_eq!(server.status(&format!("runs/get?run_id={late}")), 200);
    drop(server);
    postgres.unused(LIVE);

    // The image alone does not go back.
    let refused = old.serve(&uri).expect_err("the old release refuses");
    assert!(refused.contains("Can't locate revision identified by"), "{refused}");
    assert_eq!(postgres.revision(LIVE), catalog::head(NEW), "a refusal changes nothing");
    postgres.unused(LIVE);

    // The rollback: the live database aside, the snapshot under its name, the old release.
    postgres.rename(LIVE, ASIDE);
    postgres.restore(&snapshot, LIVE);
    assert_same(&postgres.text(LIVE), &before, "the restore");
    assert_eq!(old.check_schema(Some(&uri)).code, Some(0));
    let server = old.serve(&uri).expect("the old release is up again");
    assert_eq!(server.page("/version"), OLD);
    ground.before.assert_there(&server);
    // What was written since is not there, and still is in what was put aside.
    assert_eq!(server.status(&format!("runs/get?run_id={late}")), 404);
    let kept = postgres.sql(ASIDE, &format!("select name from runs where run_uuid = '{late}'"));
    assert_eq!(kept, "after the snapshot");
}
