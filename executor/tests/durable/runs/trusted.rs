//! Plans under a trust: whose word counts, and that no other does.

use serde_json::json;
use ssh_key::{HashAlg, LineEnding, PrivateKey, private::Ed25519Keypair};
use switchback_model::trust::{APPROVAL, Of, Trusted, approval_text};
use switchback_schemas::{Digest, journal::SideEntry};

use super::*;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

/// Ada with two keys, bob and eve with one; two have to approve.
fn trust(name: &str) -> Arc<Trusted> {
    let public = |seed| key(seed).public_key().to_openssh().unwrap();
    let person = |name: &str, keys: &[u8]| {
        let keys: Vec<String> = keys.iter().copied().map(public).collect();
        json!({"name": name, "ssh": keys, "kubernetes": [format!("oidc:{name}")]})
    };
    let people = [person("ada", &[1, 2]), person("bob", &[3]), person("eve", &[4])];
    let trust = json!({"apiVersion": "switchback.dev/v1alpha1", "kind": "Trust", "metadata": {"name": name},
        "spec": {"approvers": people, "quorum": 2}});
    Arc::new(Trusted::of(serde_json::from_value(trust).unwrap()).unwrap())
}

fn plan_of(trust: Option<&Trusted>) -> Vec<u8> {
    changed(trust, |_| {})
}

fn changed(trust: Option<&Trusted>, change: impl FnOnce(&mut Plan)) -> Vec<u8> {
    gated(|plan| {
        plan.platform.trust = trust.map(Trusted::named);
        plan.platform.quorum = 2;
        plan.platform.allow_asserted = false;
        change(plan);
    })
}

/// An approval in the name of somebody, signed with a key.
fn approval(runtime: &Runtime, run: &RunId, plan: &[u8], (name, seed): (&str, u8)) -> Approval {
    let fingerprint = key(seed).public_key().fingerprint(HashAlg::Sha256).to_string();
    let mut approval = approved(runtime, plan, Identified::Ssh { name: label(name), key: fingerprint });
    let text = approval_text(Of { run, plan: &Digest::of(plan) }, &approval).unwrap();
    let signature = key(seed).sign(APPROVAL, HashAlg::Sha512, &text).unwrap();
    approval.proof = Some(signature.to_pem(LineEnding::LF).unwrap());
    approval
}

#[tokio::test(start_paused = true)]
async fn a_run_begins_under_the_trust_of_its_plan_and_under_no_other() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let bare = runtime(&world, &disk);
    let (ours, theirs) = (trust("production"), trust("mine"));
    let under = |trust: &Arc<Trusted>| Runtime { trust: Some(Arc::clone(trust)), ..runtime(&world, &disk) };
    let refused = async |runtime: &Runtime, plan: &[u8]| {
        let error = apply(runtime, plan).await.unwrap_err();
        assert!(matches!(error, RunError::Trust { .. }), "{error}");
        assert!(runtime.store.runs().await.unwrap().is_empty(), "nothing is begun");
        error.to_string()
    };
    assert!(refused(&bare, &plan_of(Some(&ours))).await.contains("none is given"));
    assert!(refused(&under(&theirs), &plan_of(Some(&ours))).await.contains("trust mine"));
    assert!(refused(&under(&ours), &plan_of(None)).await.contains("under no trust"));
    // Begun under it, it goes on under what it kept.
    let (_, end) = apply(&under(&ours), &plan_of(Some(&ours))).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
    let (_, end) = apply(&bare, &plan_of(Some(&ours))).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
    let error = apply(&under(&theirs), &plan_of(Some(&ours))).await.unwrap_err();
    assert!(matches!(error, RunError::Trust { .. }), "{error}");
}

/// The manifests are what is reviewed, and a plan can be edited: whether anybody is asked is the trust's.
#[tokio::test(start_paused = true)]
async fn a_plan_that_asks_nobody_does_not_begin() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let trust = trust("production");
    let runtime = Runtime { trust: Some(Arc::clone(&trust)), ..runtime(&world, &disk) };
    let refused = async |change: fn(&mut Plan)| {
        let error = apply(&runtime, &changed(Some(&trust), change)).await.unwrap_err();
        assert!(matches!(error, RunError::Unasked(_)), "{error}");
        assert!(runtime.store.runs().await.unwrap().is_empty(), "nothing is begun");
    };
    refused(|plan| plan.steps[0].gates.clear()).await;
    refused(|plan| plan.gates[0].may_override = true).await;
    refused(|plan| plan.gates[0].kind = GateKind::Approval(ApprovalScope::Gate(label("go")))).await;
}

/// A plan that was edited to be content with one; the trust is not.
#[tokio::test(start_paused = true)]
async fn how_many_have_to_approve_is_the_trusts() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let trust = trust("production");
    let runtime = Runtime { trust: Some(Arc::clone(&trust)), ..runtime(&world, &disk) };
    let plan = changed(Some(&trust), |plan| plan.platform.quorum = 1);
    let (run, _) = apply(&runtime, &plan).await.unwrap();
    let ada = approval(&runtime, &run, &plan, ("ada", 1));
    assert_eq!(runs::approve(runtime.handle(&run), ada).await.unwrap().missing(), 1);
    let (_, end) = apply(&runtime, &plan).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
}

/// A journal that says that the step was begun, as one would write it who wants its gates not to be asked.
#[tokio::test(start_paused = true)]
async fn a_journal_that_somebody_wrote_begins_nothing() {
    let at = switchback_schemas::journal::At::forward(&id("a"));
    let failed = Outcome::NotDone {
        class: switchback_schemas::journal::Class::Unreachable,
        evidence: Evidence::line("no"),
    };
    let begun = vec![
        Event::Epoch { holder: "mallory".to_owned(), by: None },
        Event::Claimed {},
        Event::Counted {
            hop: "test/test@1".parse().unwrap(),
            looks: 1,
            counted: Vec::new(),
            gone: Vec::new(),
        },
        Event::Intent { at: at.clone(), attempt: 1, token: "t".to_owned() },
        Event::Ended { at, attempt: 1, outcome: failed },
    ];
    let trust = trust("production");
    let plan = plan_of(Some(&trust));
    let ada = Identified::Ssh { name: label("ada"), key: "SHA256:none".to_owned() };
    let any = runtime(&Arc::new(World::default()), &SimDisk::new());
    let approval = approved(&any, &plan, ada);
    let epoch = Event::Epoch { holder: "mallory".to_owned(), by: None };
    let forged = [begun, vec![epoch, Event::Approved { approval }]];
    for (events, why) in forged.into_iter().zip(["which nobody had approved", "it is not signed"]) {
        let (world, disk) = (Arc::new(World::default()), SimDisk::new());
        let runtime = Runtime { trust: Some(Arc::clone(&trust)), ..runtime(&world, &disk) };
        let (run, _) = apply(&runtime, &plan).await.unwrap();
        let mut leased = runtime.store.take(&run, None).await.unwrap();
        let mut head = leased.journal.head.clone();
        let epoch = leased.journal.records.iter().map(|record| record.epoch).max().unwrap() + 1;
        let lines: Vec<_> =
            events.into_iter().map(|event| head.line(epoch, runtime.clock.now(), event).unwrap()).collect();
        leased.log.append(leased.journal.head.next, epoch, &lines).await.unwrap();
        drop(leased);
        for trust in [Some(Arc::clone(&trust)), None] {
            let runtime = Runtime { trust, ..runtime.clone() };
            let error = apply(&runtime, &plan).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            let error =
                runs::resume(&runtime, &run, &Stop::new(), &mut |_| {}).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(world.log.lock().unwrap().is_empty(), "nothing was called");
    }
}

/// What is applied is the plan that was given, whatever stands in the store under the name of its run.
#[tokio::test(start_paused = true)]
async fn another_plan_in_the_store_is_not_carried_on() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let trust = trust("production");
    let runtime = Runtime { trust: Some(Arc::clone(&trust)), ..runtime(&world, &disk) };
    let (given, other) = (
        plan_of(Some(&trust)),
        changed(Some(&trust), |plan| plan.steps[0].work.title = "something else".to_owned()),
    );
    let run = runs::run_id(&Digest::of(&given)).unwrap();
    let event = Event::Header {
        format: switchback_schemas::format::Document::Journal.current(),
        run: run.clone(),
        operation: run.clone(),
        platform: label("test"),
        plan: Digest::of(&other),
        review: Digest::of("x"),
    };
    let first = switchback_model::journal::Head::default().line(0, runtime.clock.now(), event).unwrap();
    let new = switchback_executor::store::NewRun { plan: other, first };
    drop(runtime.store.take(&run, Some(new)).await.unwrap());
    for trust in [Some(Arc::clone(&trust)), None] {
        let runtime = Runtime { trust, ..runtime.clone() };
        apply(&runtime, &given).await.unwrap_err();
        runs::resume(&runtime, &run, &Stop::new(), &mut |_| {}).await.unwrap_err();
    }
    assert!(world.log.lock().unwrap().is_empty(), "nothing was called");
}

/// Whoever can write to the store, or stands behind an API server of their own, can write a name.
#[tokio::test(start_paused = true)]
async fn what_is_written_into_the_store_without_a_signature_approves_nothing() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let trust = trust("production");
    let runtime = Runtime { trust: Some(Arc::clone(&trust)), ..runtime(&world, &disk) };
    let plan = plan_of(Some(&trust));
    let (run, _) = apply(&runtime, &plan).await.unwrap();
    let given = |name, seed| approval(&runtime, &run, &plan, (name, seed));
    let forged = [
        Approval { by: Identified::Kubernetes("cto@corp".to_owned()), ..given("ada", 1) },
        Approval { by: Identified::Kubernetes("oidc:bob".to_owned()), proof: None, ..given("bob", 3) },
        Approval { by: Identified::Asserted("ada".to_owned()), ..given("ada", 1) },
        Approval { proof: None, ..given("ada", 1) },
        Approval { proof: given("eve", 4).proof, ..given("ada", 1) },
        given("ada", 9),
        given("mallory", 9),
        given("mallory", 4),
    ];
    for approval in &forged {
        let error = runs::approve(runtime.handle(&run), approval.clone()).await.unwrap_err();
        assert!(error.to_string().contains("signatures of its approvers only"), "{error}");
        let says = SideKind::Approve { approval: approval.clone() };
        let entry = SideEntry { run: run.clone(), at: runtime.clock.now(), by: approval.by.clone(), says };
        runtime.store.say(&entry).await.unwrap();
    }
    let (_, end) = apply(&runtime, &plan).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
    assert!(world.log.lock().unwrap().is_empty(), "nothing was called");
    let awaited = runs::awaited(&*runtime.store, &run, runtime.clock.now()).await.unwrap();
    assert_eq!((awaited[0].given.len(), awaited[0].needed), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_person_counts_once_and_who_applies_does_not_count() {
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let trust = trust("production");
    let applier = Some(Identified::Kubernetes("oidc:eve".to_owned()));
    let runtime = Runtime { trust: Some(Arc::clone(&trust)), applier, ..runtime(&world, &disk) };
    let plan = plan_of(Some(&trust));
    let (run, _) = apply(&runtime, &plan).await.unwrap();
    let approve = async |name, seed| {
        runs::approve(runtime.handle(&run), approval(&runtime, &run, &plan, (name, seed))).await
    };
    assert_eq!(approve("ada", 1).await.unwrap().missing(), 1);
    let again = approve("ada", 2).await.unwrap_err().to_string();
    assert!(again.contains("a person counts once"), "{again}");
    let applier = approve("eve", 4).await.unwrap_err().to_string();
    assert!(applier.contains("eve applies this run"), "{applier}");
    assert_eq!(approve("bob", 3).await.unwrap().missing(), 0);
    assert_eq!(apply(&runtime, &plan).await.unwrap().1, ended(End::Complete));
    // The journal alone says who it was, and proves it.
    let journal = runtime.store.journal(&run).await.unwrap().unwrap();
    let approved = journal.records.iter().filter_map(|record| match &record.event {
        Event::Approved { approval } => Some(approval),
        _ => None,
    });
    let proven: Vec<bool> = approved
        .map(|approval| trust.proves(Of { run: &run, plan: &Digest::of(&plan) }, approval).is_ok())
        .collect();
    assert_eq!(proven, [true, true]);
}
