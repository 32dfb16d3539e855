//! The claim that a platform keeps on itself: stores that do not know of each other, copies of one, and none at all.

use std::time::Duration;

use switchback_executor::{
    ports::{ClaimPort, KeptClaim, PlatformClaim},
    runtime::PlatformClaims,
};
use switchback_schemas::journal::{Class, Evidence};

use super::*;

/// What a platform keeps, in memory.
#[derive(Default)]
struct Kept {
    version: Mutex<u64>,
    claim: Mutex<Option<PlatformClaim>>,
    unreadable: Mutex<bool>,
}

impl Kept {
    fn claim(&self) -> PlatformClaim {
        self.claim.lock().unwrap().clone().expect("somebody claimed it")
    }

    fn kept(&self) -> Option<KeptClaim> {
        let claim = self.claim.lock().unwrap().clone()?;
        Some(KeptClaim { claim: Some(claim), version: self.version.lock().unwrap().to_string() })
    }

    fn answers(&self) -> Result<(), Failure> {
        if *self.unreadable.lock().unwrap() {
            let evidence = Evidence::line("503 ServiceUnavailable");
            return Err(Failure { class: Class::Unreachable, evidence });
        }
        Ok(())
    }
}

#[async_trait]
impl ClaimPort for Kept {
    async fn read(&self) -> Result<Option<KeptClaim>, Failure> {
        self.answers()?;
        Ok(self.kept())
    }

    async fn write(
        &self,
        expected: Option<&KeptClaim>,
        claim: &PlatformClaim,
    ) -> Result<Option<KeptClaim>, Failure> {
        self.answers()?;
        if expected.map(|kept| &kept.version) != self.kept().as_ref().map(|kept| &kept.version) {
            return Ok(None);
        }
        *self.version.lock().unwrap() += 1;
        *self.claim.lock().unwrap() = Some(claim.clone());
        Ok(self.kept())
    }
}

/// A runner with a store of its own that looks at the platform's claim before every effect.
fn runner(world: &Arc<World>, kept: &Arc<Kept>, disk: &SimDisk, store: &str) -> Runtime {
    let port = Arc::clone(kept) as Arc<dyn ClaimPort>;
    let claims = PlatformClaims { good_for: Duration::ZERO, ..PlatformClaims::new(port, store.to_owned()) };
    Runtime { claims: Some(claims), holder: format!("runner of {store}"), ..runtime(world, disk) }
}

/// A plan whose second step waits for an approval.
fn gated() -> Vec<u8> {
    let mut steps = in_a_row();
    steps[1].gates.push(label("go"));
    let gate = Gate {
        id: label("go"),
        title: "a person says go".to_owned(),
        kind: GateKind::Approval(ApprovalScope::Plan {}),
        may_override: false,
    };
    bytes(steps, |plan| plan.gates.push(gate))
}

async fn approve(runtime: &Runtime, run: &RunId, plan: &[u8]) {
    let review = Plan::from_json(plan).unwrap().digests.review;
    let given = runtime.clock.now();
    let approval = Approval {
        by: by(),
        scope: ApprovalScope::Plan {},
        review,
        reason: None,
        given,
        expires: None,
        proof: None,
    };
    runs::approve(runtime.handle(run), approval).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn d1_a_second_store_is_told_which_run_holds_the_platform() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let one = runner(&world, &kept, &SimDisk::new(), "one");
    let (run, end) = apply(&one, &gated()).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
    assert_eq!((kept.claim().run, kept.claim().ended), (run.clone(), false));

    let two = runner(&world, &kept, &SimDisk::new(), "two");
    let error = apply(&two, &three()).await.unwrap_err();
    let RunError::ClaimedOutside { claim, .. } = &error else { panic!("{error}") };
    assert_eq!((&claim.run, claim.store.as_str()), (&run, "one"));
    assert!(error.to_string().contains("runner of one"), "{error}");
    assert!(two.store.claims().await.unwrap().is_empty(), "a claim that was refused is not kept");

    approve(&one, &run, &gated()).await;
    assert_eq!(apply(&one, &gated()).await.unwrap().1, ended(End::Complete));
    assert!(kept.claim().ended);
    each_once(&world);
    // The platform is free, and what the next run finds done it does not do again.
    assert_eq!(apply(&two, &three()).await.unwrap().1, ended(End::Complete));
    each_once(&world);
}

#[tokio::test(start_paused = true)]
async fn d1_of_two_that_start_at_once_one_acts() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let one = runner(&world, &kept, &SimDisk::new(), "one");
    let two = runner(&world, &kept, &SimDisk::new(), "two");
    let (first, second) = (three(), gated());
    let (first, second) = tokio::join!(apply(&one, &first), apply(&two, &second));
    let refused = [first.map(|_| ()), second.map(|_| ())].into_iter().filter_map(Result::err);
    let refused: Vec<RunError> = refused.collect();
    assert!(matches!(refused.as_slice(), [RunError::ClaimedOutside { .. }]), "{refused:?}");
    let most = counts(&world).into_values().max();
    assert_eq!(most, Some(1), "nothing is done twice");
}

#[tokio::test(start_paused = true)]
async fn d2_a_run_whose_journal_is_gone_is_not_begun_anew() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let (run, _) = apply(&runner(&world, &kept, &SimDisk::new(), "one"), &gated()).await.unwrap();
    let error = apply(&runner(&world, &kept, &SimDisk::new(), "one"), &gated()).await.unwrap_err();
    let RunError::JournalBehind(claim) = &error else { panic!("{error}") };
    assert_eq!(claim.run, run);
    assert_eq!(counts(&world).into_values().max(), Some(1), "nothing is done again");
}

#[tokio::test(start_paused = true)]
async fn d3_of_two_copies_of_a_store_one_carries_on() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let at = |which: usize, name: &str| {
        let store: Arc<dyn Store> = Arc::new(LocalStore::new(dirs[which].path()));
        Runtime { store, ..runner(&world, &kept, &SimDisk::new(), name) }
    };
    let (one, two) = (at(0, "one"), at(1, "two"));
    let (run, _) = apply(&one, &gated()).await.unwrap();
    approve(&one, &run, &gated()).await;
    copy(dirs[0].path(), dirs[1].path());

    let began = two.clock.now();
    assert_eq!(apply(&two, &gated()).await.unwrap().1, ended(End::Complete));
    let waited = two.clock.now().duration_since(began);
    assert!(waited.as_secs() >= 60, "the other might have had a request under way: {waited:?}");
    let error = apply(&one, &gated()).await.unwrap_err();
    assert!(matches!(error, RunError::JournalBehind(_)), "{error}");
    each_once(&world);
}

#[tokio::test(start_paused = true)]
async fn d3_who_is_taken_over_stops_before_its_next_effect() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let one = runner(&world, &kept, &SimDisk::new(), "one");
    let taking = Arc::clone(&kept);
    let mut view = |event: &RunEvent| {
        // Another process takes the run over as soon as the first effect is done.
        if matches!(event, RunEvent::Recorded { record } if matches!(record.event, Event::Verified { .. })) {
            let claim = taking.claim();
            if claim.store == "one" {
                *taking.version.lock().unwrap() += 1;
                *taking.claim.lock().unwrap() =
                    Some(PlatformClaim { epoch: claim.epoch + 1, store: "two".to_owned(), ..claim });
            }
        }
    };
    let error = runs::apply(&one, &three(), &Stop::new(), &mut view).await.unwrap_err();
    assert!(matches!(error, RunError::TakenOver(_)), "{error}");
    assert_eq!(counts(&world), [("do a".to_owned(), 1)].into());
}

#[tokio::test(start_paused = true)]
async fn an_effect_waits_while_nobody_can_say_whose_the_platform_is() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let one = runner(&world, &kept, &SimDisk::new(), "one");
    let (run, _) = apply(&one, &gated()).await.unwrap();
    approve(&one, &run, &gated()).await;
    *kept.unreadable.lock().unwrap() = true;
    let mut waited = Vec::new();
    let mut view = |event: &RunEvent| {
        if let RunEvent::Waiting { waits_for, .. } = event {
            waited.extend(waits_for.clone());
            *kept.unreadable.lock().unwrap() = false;
        }
    };
    let end = runs::apply(&one, &gated(), &Stop::new(), &mut view).await.unwrap().1;
    assert_eq!(end, ended(End::Complete));
    assert!(
        waited
            .iter()
            .any(|waits| matches!(waits, WaitsFor::Unreadable { what, .. } if what.contains("claim"))),
        "{waited:?}"
    );
    each_once(&world);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_run_ends_at_once_and_lets_its_platform_go() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let one = runner(&world, &kept, &SimDisk::new(), "one");
    let (run, end) = apply(&one, &gated()).await.unwrap();
    assert!(matches!(end, Ended::Rest(Rest::Parked { .. })), "{end:?}");
    assert!(!kept.claim().ended);

    // A process that works on it ends it by itself.
    let held = one.store.take(&run, None).await.unwrap();
    let told = runs::abandon(&one, &run, &by(), "enough").await.unwrap();
    assert_eq!(told, runs::Abandoned::ByItsProcess);
    drop(held);

    // What the platform says is no obstacle to ending it, and is said.
    *kept.unreadable.lock().unwrap() = true;
    let told = runs::abandon(&one, &run, &by(), "enough").await.unwrap();
    let runs::Abandoned::Ended { left, unreleased: Some(failure) } = told else { panic!("{told:?}") };
    assert!(failure.to_string().contains("503"), "{failure}");
    let left: Vec<String> = left.iter().map(ToString::to_string).collect();
    assert!(left[0].contains("enough"), "{left:?}");
    assert!(left.iter().any(|line| line.contains("a was done and is not undone")), "{left:?}");
    let report = runs::status(&*one.store, &run).await.unwrap();
    assert_eq!(report.state, RunState::Ended { end: End::Abandoned });
    assert!(one.store.claims().await.unwrap().is_empty());
    let error = runs::abandon(&one, &run, &by(), "enough").await.unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
    assert_eq!(apply(&one, &gated()).await.unwrap().1, ended(End::Abandoned));
}

#[tokio::test(start_paused = true)]
async fn after_a_run_was_abandoned_another_store_has_the_platform() {
    let (world, kept) = (Arc::new(World::default()), Arc::new(Kept::default()));
    let one = runner(&world, &kept, &SimDisk::new(), "one");
    let (run, _) = apply(&one, &gated()).await.unwrap();
    let told = runs::abandon(&one, &run, &by(), "enough").await.unwrap();
    assert!(matches!(told, runs::Abandoned::Ended { unreleased: None, .. }), "{told:?}");
    assert!(kept.claim().ended);
    let two = runner(&world, &kept, &SimDisk::new(), "two");
    assert_eq!(apply(&two, &three()).await.unwrap().1, ended(End::Complete));
}
