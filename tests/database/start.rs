//! What a new image does to a database that nobody migrated. Some refuse; some migrate it by themselves, which is why
//! a plan scales to 0 and migrates by a Job before any image changes.

use switchback_planner::components::mlflow::facts::Does;

use crate::support::{
    Ground, catalog,
    ground::{NEW, OLD},
    mlflow::Server,
};

/// From 3.9 a server looks whether tables that it knows are there. 3.9 knows none that 3.8 lacks.
#[test]
#[ignore = "needs PostgreSQL and MLflow: `tests/database/suite`"]
fn a_server_that_misses_no_table_refuses_an_older_database() {
    let ground = Ground::shared();
    assert_eq!(catalog::start("3.9.0"), Does::Refuses);
    let uri = ground.copy("refused");
    let refused = ground.release("3.9.0").serve(&uri).expect_err("3.9 refuses");
    let found = format!("found version {}, but expected {}", catalog::head(OLD), catalog::head("3.9.0"));
    assert!(refused.contains("Detected out-of-date database schema"), "{refused}");
    assert!(refused.contains(&found), "{refused}");
    assert_eq!(ground.postgres.revision("refused"), catalog::head(OLD));
}

/// A verification that goes through a name has to know: by default a server answers `/api` only as localhost or as a
/// private address. `--allowed-hosts` of the Deployment names more.
fn assert_names_are_refused(server: &Server) {
    let search = "/api/2.0/mlflow/experiments/search?max_results=1";
    for name in ["mlflow.mlops.svc:5000", "abc.gr7.eu-west-1.eks.amazonaws.com"] {
        assert_eq!(server.named(name, "/version").status, 200);
        let answer = server.named(name, search);
        assert_eq!((answer.status, answer.body.contains("Invalid Host header")), (403, true), "{answer:?}");
    }
    assert_eq!(server.named("10.0.3.4:5000", search).status, 200);
}

/// 3.10 and 3.11 look for `workspaces`, which came with 3.10; from 3.12 a server looks for every table it has.
#[test]
#[ignore = "needs PostgreSQL and MLflow: `tests/database/suite`"]
fn a_server_that_misses_a_table_migrates_in_silence() {
    let ground = Ground::shared();
    for version in ["3.10.0", NEW] {
        assert_eq!(catalog::start(version), Does::Migrates, "{version}");
        let name = format!("silent-{version}");
        let uri = ground.copy(&name);
        let server = ground.release(version).serve(&uri).expect("it starts, and says nothing");
        assert_eq!(server.page("/version"), version);
        ground.before.assert_there(&server);
        assert_names_are_refused(&server);
        assert_eq!(ground.postgres.revision(&name), catalog::head(version), "{version}");
    }
}
