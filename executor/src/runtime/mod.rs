//! The only loop: takes a run over, asks the machine, writes, calls, brings answers, and stops when there is rest.

mod calls;
mod drivers;
mod error;
mod fence;
mod prove;
mod spans;
mod stop;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use switchback_model::{
    journal::{Head, Line, Unwritable},
    trust::Trusted,
    windows::later,
};
use switchback_schemas::{
    Digest, RunId, Seconds,
    event::RunEvent,
    journal::{At, Event, Identified, Outcome, Verdict, WaitsFor},
    name::Label,
    plan::Plan,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::Instrument as _;

use crate::{
    env::Clock,
    machine::{Answer, Command, Decision, Machine, Rest, Settings, What},
    ports::{Failure, Fleet},
    store::{Leased, Log, Store, claims},
};
use calls::Calls;
use fence::{Fence, Held, Owner};

pub use drivers::Drivers;
pub use error::RunError;
pub use fence::PlatformClaims;
pub(crate) use fence::may_start;
pub use stop::Stop;

/// What a run is carried out with.
#[derive(Clone)]
pub struct Runtime {
    /// Where runs are kept.
    pub store: Arc<dyn Store>,
    /// Who speaks to the platform.
    pub drivers: Drivers,
    /// Domain time.
    pub clock: Arc<dyn Clock>,
    /// How patient the machine is.
    pub settings: Settings,
    /// Host and process, for people.
    pub holder: String,
    /// How long calls under way are waited for when the run is asked to stop.
    pub grace: Seconds,
    /// When a run is asked to stop by itself.
    pub max_runtime: Option<Seconds>,
    /// Where the platform keeps the claim on it; absent where it has no such place, and then the store's claim is all there is.
    pub claims: Option<PlatformClaims>,
    /// Who may approve, as read from outside of what is under review.
    pub trust: Option<Arc<Trusted>>,
    /// Whose credentials these are, where a trust asks.
    pub applier: Option<Identified>,
}

/// Where a run came to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// At rest.
    Rest(Rest),
    /// Asked to stop, and calls were still under way when the grace period ended: they are in doubt.
    Interrupted {
        /// The places.
        calling: Vec<At>,
    },
}

/// Who is told what happens.
pub type View<'view> = dyn FnMut(&RunEvent) + Send + 'view;

impl Runtime {
    /// One with the usual patience, which lets nothing run on when it is asked to stop.
    pub fn new(store: Arc<dyn Store>, drivers: Drivers, clock: Arc<dyn Clock>, holder: String) -> Self {
        let settings = Settings::default();
        Self {
            store,
            drivers,
            clock,
            settings,
            holder,
            grace: Seconds(0),
            max_runtime: None,
            claims: None,
            trust: None,
            applier: None,
        }
    }

    fn calls(&self, run: &RunId, plan: &Plan) -> Calls {
        Calls {
            run: run.clone(),
            drivers: self.drivers.clone(),
            store: Arc::clone(&self.store),
            fleet: Arc::new(Fleet::of(plan)),
        }
    }

    /// One call on behalf of a run that no process carries on, bound as the run's own calls are.
    pub(crate) async fn once(&self, machine: &Machine, run: &RunId, at: &At, what: What) -> Answer {
        let (answers, mut incoming) = unbounded_channel();
        let calls = self.calls(run, machine.plan());
        let token = Digest::of(format!("{run}|{at}|once")).short(32);
        let command = Command {
            id: 0,
            at: at.clone(),
            attempt: 1,
            token,
            waited: Seconds(0),
            operation: None,
            looked: None,
            what: what.clone(),
        };
        calls.start(machine, command, &answers);
        let answer = incoming.recv().await;
        answer.map_or_else(|| calls::broken(&what, "no response"), |(_, answer)| answer)
    }

    /// Carries a run on until it comes to rest. The machine has every record of the journal. Targets that are not proven yet prove who
    /// they are first.
    pub(crate) async fn carry_on(
        &self,
        run: &RunId,
        leased: Leased,
        (machine, proven): (Machine, bool),
        stop: &Stop,
        view: &mut View<'_>,
    ) -> Result<Ended, RunError> {
        let (answers, incoming) = unbounded_channel();
        let platform = machine.plan().platform.name.clone();
        let calls = self.calls(run, machine.plan());
        let owner = Owner {
            platform: platform.clone(),
            run: run.clone(),
            parent: machine.plan().parent.as_ref().map(|parent| parent.run.clone()),
            plan: machine.index().digest,
            holder: self.holder.clone(),
        };
        let torn = leased.journal.torn;
        let mut drive = Drive {
            runtime: self,
            run: run.clone(),
            platform,
            head: leased.journal.head,
            log: leased.log,
            epoch: machine.state().epoch,
            held: machine.state().claimed,
            fence: Fence::new(self.claims.clone(), owner),
            machine,
            calls,
            answers,
            incoming,
            under_way: BTreeMap::new(),
            shown: BTreeMap::new(),
            view,
        };
        let span = spans::run(run, drive.machine.plan());
        let ended = drive.run(torn.map(|torn| torn.bytes), proven, stop).instrument(span).await;
        if ended.is_err() {
            drive.let_end(self.grace).await;
        }
        if matches!(&ended, Ok(Ended::Rest(Rest::Ended(_)))) {
            drive.let_go().await?;
        }
        ended
    }
}

/// One process working on one run.
struct Drive<'run, 'view> {
    runtime: &'run Runtime,
    run: RunId,
    platform: Label,
    head: Head,
    log: Box<dyn Log>,
    epoch: u64,
    /// Whether the platform was this run's before this process.
    held: bool,
    fence: Fence,
    machine: Machine,
    calls: Calls,
    answers: UnboundedSender<(u64, Answer)>,
    incoming: UnboundedReceiver<(u64, Answer)>,
    /// Calls of effects that were not answered.
    under_way: BTreeMap<u64, At>,
    /// What was said last about what waits.
    shown: BTreeMap<At, Vec<WaitsFor>>,
    view: &'run mut View<'view>,
}

impl Drive<'_, '_> {
    fn now(&self) -> Timestamp {
        self.runtime.clock.now()
    }

    async fn run(&mut self, torn: Option<u64>, proven: bool, stop: &Stop) -> Result<Ended, RunError> {
        if self.machine.stays_over() {
            let rest = self.machine.poll(self.now()).rest;
            return rest
                .map(Ended::Rest)
                .ok_or_else(|| RunError::Bug("a run that is over has no end".to_owned()));
        }
        self.epoch = self.epoch.saturating_add(1);
        let mut first =
            vec![Event::Epoch { holder: self.runtime.holder.clone(), by: self.runtime.applier.clone() }];
        first.extend(torn.map(|bytes| Event::Noted {
            text: format!("the last process left a write of {bytes} bytes unfinished; it was cut off"),
        }));
        self.write(first).await?;
        if !proven && let Some(ended) = self.prove(stop).await? {
            return Ok(ended);
        }

        let began = self.now();
        let limit = self.runtime.max_runtime.map(|length| later(began, length));
        let mut stopping: Option<Timestamp> = None;
        loop {
            let now = self.now();
            if limit.is_some_and(|limit| limit <= now) && stopping.is_none() {
                stopping = Some(now);
                self.machine.stop("--max-runtime");
            }
            self.machine.hear(self.runtime.store.side(&self.run).await?);
            let decision = self.machine.poll(now);
            if let Some(rest) = decision.rest {
                if matches!(rest, Rest::Parked { .. } | Rest::Held { .. }) {
                    self.leave_anchor().await?;
                }
                return Ok(Ended::Rest(rest));
            }
            self.start(&decision).await?;
            if !decision.append.is_empty() {
                self.write(decision.append).await?;
                continue;
            }
            self.show(now);
            let grace = stopping.map(|asked| later(asked, self.runtime.grace));
            if grace.is_some_and(|grace| grace <= now) {
                return Ok(Ended::Interrupted { calling: self.under_way.values().cloned().collect() });
            }
            // The side log is looked at between polls, too: people should not have to wait for a window.
            let people = later(now, self.runtime.settings.poll);
            let wake = [decision.wake_at, limit.filter(|_| stopping.is_none()), grace, Some(people)];
            let wake = wake.into_iter().flatten().min().unwrap_or(people);
            let clock = Arc::clone(&self.runtime.clock);
            // In this order, so that a run whose calls and clock are simulated goes the same way each time.
            tokio::select! {
                biased;
                why = stop.asked(), if stopping.is_none() => {
                    stopping = Some(self.now());
                    self.machine.stop(&why);
                }
                answer = self.incoming.recv() => self.take(answer),
                () = clock.sleep_until(wake) => {}
            }
        }
    }

    /// Starts commands.
    async fn start(&mut self, decision: &Decision) -> Result<(), RunError> {
        for command in &decision.start {
            if let Command { id, what: What::Claim, .. } = command {
                let answer = self.claim().await?;
                self.machine.answered(*id, answer, self.now());
                continue;
            }
            if matches!(command.what, What::Apply(_)) {
                if let Some(failure) = self.hold().await? {
                    // Nothing was called: the step waits until the platform says again whose it is.
                    let what = format!("the claim on platform {}", self.platform);
                    let waits_for = WaitsFor::Unreadable { what, why: failure.evidence.0.join("; ") };
                    let blocked = Outcome::Blocked { waits_for: vec![waits_for] };
                    self.machine.answered(command.id, Answer::Applied(blocked), self.now());
                    continue;
                }
                self.under_way.insert(command.id, command.at.clone());
            }
            self.calls.start(&self.machine, command.clone(), &self.answers);
        }
        Ok(())
    }

    /// Claims the platform, in the store and then on the platform itself.
    async fn claim(&mut self) -> Result<Answer, RunError> {
        let store = Arc::clone(&self.runtime.store);
        if let Err(by) = claims::take(&*store, &self.platform, &self.run).await? {
            return Err(RunError::Claimed { platform: self.platform.clone(), by });
        }
        match self.hold().await {
            Ok(None) => Ok(Answer::Claimed),
            Ok(Some(failure)) => Ok(Answer::Checked(Verdict::Unknown { evidence: failure.evidence })),
            Err(error) => {
                claims::release(&*store, &self.platform, &self.run).await?;
                Err(error)
            }
        }
    }

    /// Holds the platform before an effect; why the claim on it cannot be looked at.
    async fn hold(&mut self) -> Result<Option<Failure>, RunError> {
        let (now, at) = (self.now(), (self.epoch, &self.head));
        let held = self.fence.hold(&*self.runtime.store, at, now).await?;
        Ok(match held {
            Held::Ours => None,
            Held::Unreadable(failure) => Some(failure),
        })
    }

    /// Says on the platform how far the journal is before the process ends. That it cannot be said keeps nothing from resting.
    async fn leave_anchor(&mut self) -> Result<(), RunError> {
        if self.machine.state().claimed {
            let (now, at) = (self.now(), (self.epoch, &self.head));
            let held = self.fence.anchor(&*self.runtime.store, at, now).await?;
            held.warn("the claim on the platform does not say how far the journal is");
        }
        Ok(())
    }

    /// Lets the platform go, since the run is over.
    async fn let_go(&mut self) -> Result<(), RunError> {
        claims::release(&*self.runtime.store, &self.platform, &self.run).await?;
        let (now, at) = (self.now(), (self.epoch, &self.head));
        if self.held || self.fence.holds() {
            match self.fence.release(&*self.runtime.store, at, now).await {
                Ok(held) => held.warn("the claim on the platform does not say that the run is over"),
                Err(error) => tracing::warn!(%error, "the claim on the platform is not this run's any more"),
            }
        }
        Ok(())
    }

    fn take(&mut self, answer: Option<(u64, Answer)>) {
        let now = self.now();
        let mut next = answer;
        // Answers that came together are decided about together, and share a sync.
        while let Some((id, answer)) = next {
            self.under_way.remove(&id);
            self.machine.answered(id, answer, now);
            next = self.incoming.try_recv().ok();
        }
    }

    /// Makes events durable, then true.
    async fn write(&mut self, events: Vec<Event>) -> Result<(), RunError> {
        let now = self.now();
        let expected = self.head.next;
        let bug = |error: Unwritable| RunError::Bug(error.to_string());
        let lines: Result<Vec<Line>, _> =
            events.into_iter().map(|event| self.head.line(self.epoch, now, event)).collect();
        let lines = lines.map_err(bug)?;
        self.log.append(expected, self.epoch, &lines).await?;
        for line in lines {
            let illegal = |source| RunError::Illegal { run: self.run.clone(), source: Box::new(source) };
            self.machine.apply(&line.record).map_err(illegal)?;
            (self.view)(&RunEvent::Recorded { record: Box::new(line.record) });
        }
        Ok(())
    }

    /// Says what waits, when that changed.
    fn show(&mut self, now: Timestamp) {
        let waiting: BTreeMap<At, Vec<WaitsFor>> =
            self.machine.waiting().map(|(at, waits)| (at.clone(), waits.to_vec())).collect();
        for (at, waits_for) in &waiting {
            if self.shown.get(at) != Some(waits_for) {
                let event = RunEvent::Waiting { at: now, step: at.clone(), waits_for: waits_for.clone() };
                (self.view)(&event);
            }
        }
        self.shown = waiting;
    }

    /// Nothing can be written any more; calls under way are let end, so that as little as can be is in doubt.
    async fn let_end(&mut self, grace: Seconds) {
        let until = later(self.now(), grace);
        let clock = Arc::clone(&self.runtime.clock);
        let mut over = clock.sleep_until(until);
        while !self.under_way.is_empty() {
            tokio::select! {
                biased;
                answer = self.incoming.recv() => match answer {
                    Some((id, _)) => drop(self.under_way.remove(&id)),
                    None => return,
                },
                () = &mut over => return,
            }
        }
    }
}
