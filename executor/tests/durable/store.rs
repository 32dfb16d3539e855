//! The store: every operation of its disk fails or crashes once.

use std::{io::ErrorKind, sync::Arc};

use switchback_executor::store::{
    AppendError, LocalStore, NewRun, Store, StoreError, claims,
    sim::{Fault, SimDisk, Unsynced},
};
use switchback_model::journal::{Head, Line};
use switchback_schemas::{
    RunId,
    journal::{Event, Identified, SideEntry, SideKind},
    name::Label,
};

fn run() -> RunId {
    RunId::new("r-1").unwrap()
}

fn platform() -> Label {
    Label::new("test").unwrap()
}

fn line(head: &mut Head, text: &str) -> Line {
    let at = "2026-11-20T10:00:00Z".parse().unwrap();
    head.line(1, at, Event::Noted { text: text.to_owned() }).unwrap()
}

fn new_run() -> (NewRun, Head) {
    let mut head = Head::default();
    let first = line(&mut head, "first");
    (NewRun { plan: b"{}".to_vec(), first }, head)
}

fn entry(text: &str) -> SideEntry {
    SideEntry {
        run: run(),
        at: "2026-11-20T10:00:00Z".parse().unwrap(),
        by: Identified::Asserted("ann".to_owned()),
        says: SideKind::Note { text: text.to_owned() },
    }
}

/// How far a session came before its disk failed.
#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
struct Acknowledged {
    made: bool,
    records: usize,
    said: usize,
    artifact: bool,
    claimed: bool,
}

/// Makes a run or takes it up, and does one of everything.
async fn session(store: &LocalStore, sure: &mut Acknowledged) -> Result<(), Box<dyn std::error::Error>> {
    let (new, _) = new_run();
    let mut leased = store.take(&run(), Some(new)).await?;
    sure.made = true;
    sure.records = sure.records.max(1);
    let mut head = leased.journal.head.clone();
    for batch in 0..2 {
        let expected = head.next;
        let lines = [line(&mut head, &format!("{batch} a")), line(&mut head, &format!("{batch} b"))];
        leased.log.append(expected, 1, &lines).await?;
        sure.records = leased.log.read(0).await?.len();
    }
    store.say(&entry("hello")).await?;
    sure.said += 1;
    store.put_artifact(&run(), b"objects").await?;
    sure.artifact = true;
    claims::take(store, &platform(), &run()).await?.map_err(|by| format!("claimed by {by}"))?;
    sure.claimed = true;
    Ok(())
}

/// Everything that was acknowledged is there, and the store can be used.
async fn intact(store: &LocalStore, sure: Acknowledged) {
    if sure.made {
        let journal = store.journal(&run()).await.unwrap().expect("an acknowledged run is there");
        assert!(journal.records.len() >= sure.records, "{} of {sure:?}", journal.records.len());
        assert_eq!(store.plan(&run()).await.unwrap(), b"{}");
    }
    assert!(store.side(&run()).await.unwrap().said().count() >= sure.said);
    if sure.artifact {
        let digest = switchback_schemas::Digest::of("objects");
        assert_eq!(store.artifact(&run(), &digest).await.unwrap(), b"objects");
    }
    if sure.claimed {
        assert_eq!(store.claim(&platform()).await.unwrap(), Some(run()));
    }
    let mut again = sure;
    session(store, &mut again).await.expect("the store can be used again");
}

#[tokio::test]
async fn a_crash_at_every_operation_loses_nothing_that_was_acknowledged() {
    let calm = SimDisk::new();
    session(&LocalStore::on("s", Arc::new(calm.clone())), &mut Acknowledged::default()).await.unwrap();
    let operations = calm.operations();
    assert!(operations > 40, "{operations}");
    for operation in 0..operations {
        for unsynced in [Unsynced::Lost, Unsynced::Half, Unsynced::Kept] {
            let disk = SimDisk::new();
            let store = LocalStore::on("s", Arc::new(disk.clone()));
            let mut sure = Acknowledged::default();
            disk.fault_at(operation, Fault::Crash);
            session(&store, &mut sure).await.expect_err("it crashes");
            disk.restart(unsynced);
            // And again, while it recovers from the first.
            disk.fault_at(operation / 2, Fault::Crash);
            let _ = session(&store, &mut sure).await;
            disk.restart(unsynced);
            intact(&store, sure).await;
        }
    }
}

#[tokio::test]
async fn an_error_at_every_operation_is_told_and_loses_nothing() {
    let calm = SimDisk::new();
    session(&LocalStore::on("s", Arc::new(calm.clone())), &mut Acknowledged::default()).await.unwrap();
    for operation in 0..calm.operations() {
        for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied] {
            let disk = SimDisk::new();
            let store = LocalStore::on("s", Arc::new(disk.clone()));
            let mut sure = Acknowledged::default();
            disk.fault_at(operation, Fault::Fail(kind));
            // An artifact that cannot be read back is written anew; everything else is told.
            let _ = session(&store, &mut sure).await;
            intact(&store, sure).await;
            disk.restart(Unsynced::Lost);
            intact(&store, sure).await;
        }
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_tried_again_on_the_same_file() {
    let disk = SimDisk::new();
    let store = LocalStore::on("s", Arc::new(disk.clone()));
    let (new, mut head) = new_run();
    let mut leased = store.take(&run(), Some(new)).await.unwrap();
    let first = line(&mut head, "first try");
    // The operations of an append: length, reserve, write, sync.
    disk.fault_at(disk.operations() + 3, Fault::Fail(ErrorKind::Other));
    let failed = leased.log.append(1, 1, &[first]).await.unwrap_err();
    assert!(matches!(failed, AppendError::Unknown(_)), "{failed}");
    let before = disk.operations();
    let second = line(&mut head, "second try");
    assert!(matches!(leased.log.append(2, 1, &[second]).await.unwrap_err(), AppendError::Failed(_)));
    assert_eq!(disk.operations(), before, "the disk is not asked again");
}

#[tokio::test]
async fn a_stale_writer_is_fenced_by_the_length_and_by_the_epoch() {
    let disk = SimDisk::new();
    let store = LocalStore::on("s", Arc::new(disk.clone()));
    let (new, mut head) = new_run();
    let mut leased = store.take(&run(), Some(new)).await.unwrap();
    // A file system that ignores locks: somebody else appends.
    let path = std::path::Path::new("s/runs/r-1/journal");
    let mut other = switchback_executor::store::disk::Disk::open(&disk, path).unwrap();
    other.append(b"theirs").unwrap();
    let ours = line(&mut head, "ours");
    assert!(matches!(leased.log.append(1, 1, &[ours]).await.unwrap_err(), AppendError::Fenced { .. }));

    disk.restart(Unsynced::Kept);
    let mut leased = store.take(&run(), None).await.unwrap();
    assert!(leased.journal.torn.is_some());
    // Somebody who ignores locks takes the run over: the journal is another file, of the same length.
    let bytes = switchback_executor::store::disk::Disk::read(&disk, path).unwrap();
    let copy = std::path::Path::new("s/runs/r-1/copy");
    switchback_executor::store::disk::Disk::create(&disk, copy).unwrap().append(&bytes).unwrap();
    switchback_executor::store::disk::Disk::rename(&disk, copy, path).unwrap();
    let ours = line(&mut leased.journal.head.clone(), "ours");
    assert!(matches!(leased.log.append(1, 1, &[ours]).await.unwrap_err(), AppendError::Fenced { .. }));

    disk.restart(Unsynced::Kept);
    let mut leased = store.take(&run(), None).await.unwrap();
    let mut head = leased.journal.head.clone();
    let ours = line(&mut head, "of epoch 1");
    assert!(matches!(leased.log.append(1, 2, &[ours]).await.unwrap_err(), AppendError::Fenced { .. }));
}

#[tokio::test]
async fn one_process_at_a_time_has_the_lease() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::new(dir.path());
    let (new, _) = new_run();
    let leased = store.take(&run(), Some(new)).await.unwrap();
    let second = store.take(&run(), None).await.err().expect("it is taken");
    assert!(matches!(second, StoreError::Leased(_)), "{second}");
    drop(leased);
    assert!(store.take(&run(), None).await.is_ok());
    assert!(matches!(
        store.take(&RunId::new("r-2").unwrap(), None).await.err(),
        Some(StoreError::NoSuchRun(_))
    ));
}

#[tokio::test]
async fn what_is_kept_is_for_its_owner_only_and_verified_when_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let store = LocalStore::new(dir.path());
    let (new, _) = new_run();
    drop(store.take(&run(), Some(new)).await.unwrap());
    let digest = store.put_artifact(&run(), b"secret-ish").await.unwrap();
    let path = dir.path().join("runs/r-1/artifacts").join(digest.hex());
    for path in [&path, &dir.path().join("runs/r-1/journal"), &dir.path().join("runs/r-1/plan.json")] {
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            path.display()
        );
    }
    std::fs::write(&path, b"changed").unwrap();
    assert!(matches!(store.artifact(&run(), &digest).await, Err(StoreError::Artifact { .. })));
}

#[tokio::test]
async fn a_claim_is_swapped_only_from_what_was_expected() {
    let store = LocalStore::on("s", Arc::new(SimDisk::new()));
    let (other, own) = (RunId::new("r-2").unwrap(), run());
    store.swap_claim(&platform(), None, Some(&own)).await.unwrap();
    assert!(matches!(
        store.swap_claim(&platform(), None, Some(&other)).await,
        Err(StoreError::ClaimMoved(_))
    ));
    store.swap_claim(&platform(), Some(&own), Some(&other)).await.unwrap();
    assert_eq!(store.claim(&platform()).await.unwrap(), Some(other));
}

#[tokio::test]
async fn a_side_log_that_was_cut_short_goes_on() {
    let disk = SimDisk::new();
    let store = LocalStore::on("s", Arc::new(disk.clone()));
    let (new, _) = new_run();
    drop(store.take(&run(), Some(new)).await.unwrap());
    store.say(&entry("one")).await.unwrap();
    let path = std::path::Path::new("s/runs/r-1/side");
    let mut file = switchback_executor::store::disk::Disk::open(&disk, path).unwrap();
    file.append(b"0000ffff 0000").unwrap();
    store.say(&entry("two")).await.unwrap();
    let side = store.side(&run()).await.unwrap();
    assert_eq!(side.said().collect::<Vec<_>>(), [&entry("one"), &entry("two")]);
    assert_eq!(side.damaged().count(), 0);
}

#[tokio::test]
async fn many_who_say_something_at_once_are_all_heard() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalStore::new(dir.path()));
    let (new, _) = new_run();
    drop(store.take(&run(), Some(new)).await.unwrap());
    let texts: Vec<String> = (0..16).map(|n| format!("said {n}")).collect();
    let together = Arc::new(std::sync::Barrier::new(texts.len()));
    let threads: Vec<_> = texts
        .iter()
        .map(|text| {
            let (store, together, entry) = (Arc::clone(&store), Arc::clone(&together), entry(text));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                together.wait();
                runtime.block_on(store.say(&entry))
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    let side = store.side(&run()).await.unwrap();
    let mut said: Vec<_> = side.said().map(|entry| format!("{:?}", entry.says)).collect();
    said.sort();
    let mut expected: Vec<_> = texts.iter().map(|text| format!("{:?}", entry(text).says)).collect();
    expected.sort();
    assert_eq!(said, expected);
}
