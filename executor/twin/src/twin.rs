//! The handle: one world, shared by everybody who talks to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::call::Call;
use crate::cloud;
use crate::cloud::eks::state::ErrorDetail;
use crate::error::TwinError;
use crate::fault::{self, Fault, FaultKind};
use crate::helm;
use crate::kube::api::{self, Answer};
use crate::kube::error::ApiError;
use crate::network::{self, BadAnswer};
use crate::program::{ProgramCall, ProgramResult};
use crate::world::{LogEntry, World};

/// A running twin. Cloning gives another handle on the same one.
#[derive(Debug, Clone)]
pub struct Twin {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts up whenever the world or its clock moved.
    moved: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    world: World,
    faults: Vec<Fault>,
    /// What calls were answered last, for faults that answer late.
    answers: BTreeMap<String, Result<Answer, ApiError>>,
    /// Operations of AWS that somebody called since it was last forgotten.
    called: BTreeSet<String>,
}

/// What came of a call, once the faults had their say.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Result<Answer, ApiError>, TwinError>,
    /// Not before this instant.
    pub(crate) not_before: Option<Timestamp>,
}

impl State {
    /// Keeps what a call was answered where a fault may answer it late; what the same call was answered before.
    fn remember(
        &mut self,
        call: &Call,
        answer: &Result<Answer, ApiError>,
    ) -> Option<Result<Answer, ApiError>> {
        let late =
            |fault: &Fault| fault.kind == BadAnswer::Late.into() && fault.concerns(&call.method, &call.path);
        self.faults
            .iter()
            .any(late)
            .then(|| self.answers.insert(network::same(call), answer.clone()))
            .flatten()
    }
}

impl Twin {
    /// A twin of a world.
    pub fn new(world: World) -> Self {
        let state = Mutex::new(State {
            world,
            faults: Vec::new(),
            answers: BTreeMap::new(),
            called: BTreeSet::new(),
        });
        Self { shared: Arc::new(Shared { state, moved: watch::Sender::new(0) }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) {
        self.shared.moved.send_modify(|n| *n = n.wrapping_add(1));
    }

    pub(crate) fn movements(&self) -> watch::Receiver<u64> {
        self.shared.moved.subscribe()
    }

    /// The domain clock.
    pub fn now(&self) -> Timestamp {
        self.state().world.now()
    }

    /// When an actor acts next.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.state().world.next_event()
    }

    /// Moves the clock. An earlier instant changes nothing.
    pub fn advance_to(&self, to: Timestamp) {
        self.state().world.advance_to(to);
        self.moved();
    }

    /// Moves the clock by a duration.
    pub fn advance_by(&self, by: std::time::Duration) {
        self.state().world.advance_by(by);
        self.moved();
    }

    /// The world as it is. Takes no time.
    pub fn snapshot(&self) -> World {
        self.state().world.clone()
    }

    /// Puts a world in place.
    pub fn restore(&self, world: World) {
        self.state().world = world;
        self.moved();
    }

    /// Looks at the world or changes it.
    pub fn with<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        let out = f(&mut self.state().world);
        self.moved();
        out
    }

    /// Looks at the world.
    pub(crate) fn peek<T>(&self, f: impl FnOnce(&World) -> T) -> T {
        f(&self.state().world)
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Faults, with how often each was met.
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults.clone()
    }

    /// Operations of AWS that were called, reads and refused ones too: `eks:DescribeCluster`.
    pub fn called(&self) -> BTreeSet<String> {
        self.state().called.clone()
    }

    /// Forgets which operations of AWS were called.
    pub fn forget_calls(&self) {
        self.state().called.clear();
    }

    /// Accepted effects.
    pub fn log(&self) -> Vec<LogEntry> {
        self.state().world.log()
    }

    /// Runs a program of the table.
    pub fn run_program(&self, call: &ProgramCall) -> ProgramResult {
        let mut state = self.state();
        let text = call.argv.join(" ");
        let (began, before) = (state.world.now(), state.world.resource_version());
        let fault = fault::hit(&mut state.faults, began, &[("program", &text)]);
        let mut result = match &fault {
            Some(FaultKind::Before { status, .. }) => ProgramResult::failed(
                1,
                format!("Error: Kubernetes cluster unreachable: the server answered {status}\n"),
            ),
            fault => helm::run(&mut state.world, call, fault.as_ref() == Some(&FaultKind::Killed)),
        };
        match fault {
            Some(FaultKind::After { .. } | FaultKind::Lost) => {
                result = ProgramResult::failed(1, "Error: unexpected EOF\n".to_owned());
            }
            Some(FaultKind::Delay { seconds }) => {
                state.world.advance_by(std::time::Duration::from_secs(u64::from(seconds)));
            }
            _ => {}
        }
        result.took =
            std::time::Duration::try_from(state.world.now().duration_since(began)).unwrap_or_default();
        let seq = state.world.log_len();
        let entry = LogEntry {
            seq,
            at: state.world.now().to_string(),
            verb: "PROGRAM".into(),
            path: text,
            manager: None,
            status: u16::try_from(result.exit).unwrap_or(u16::MAX),
            request: None,
            before,
            resource_version: state.world.resource_version(),
        };
        state.world.note(entry);
        drop(state);
        self.moved();
        result
    }

    pub(crate) fn call(&self, call: &Call) -> Outcome {
        if let Some(request) = cloud::request(call) {
            return self.aws(&request);
        }
        let mut state = self.state();
        let now = state.world.now();
        let fault = fault::hit(&mut state.faults, now, &[(&call.method, &call.path)]);
        if let Some(FaultKind::Before { status, retry_after }) = fault {
            return Outcome { result: Ok(Err(injected(status, retry_after))), not_before: None };
        }
        let before = state.world.resource_version();
        if fault == Some(BadAnswer::Twice.into()) {
            let _ = api::answer(&mut state.world, call);
        }
        let result = api::answer(&mut state.world, call);
        if let Ok(Answer::Json { code, .. }) = &result
            && call.method != "GET"
            && !api::dry_run(call)
        {
            let entry = LogEntry {
                seq: state.world.log_len(),
                at: now.to_string(),
                verb: call.method.clone(),
                path: call.path.clone(),
                manager: call.param("fieldManager").map(str::to_owned),
                status: *code,
                request: None,
                before,
                resource_version: state.world.resource_version(),
            };
            state.world.note(entry);
        }
        let changed = state.world.resource_version() != before;
        let late = state.remember(call, &result);
        drop(state);
        if changed {
            self.moved();
        }
        match fault {
            Some(FaultKind::After { status }) => {
                Outcome { result: Ok(Err(injected(status, None))), not_before: None }
            }
            Some(FaultKind::Bad { answer }) => {
                Outcome { result: Ok(network::distort(answer, result, late)), not_before: None }
            }
            Some(FaultKind::Lost | FaultKind::Killed) => {
                Outcome { result: Err(TwinError::AnswerLost), not_before: None }
            }
            Some(FaultKind::Delay { seconds }) => {
                let at = now.checked_add(jiff::SignedDuration::from_secs(i64::from(seconds))).ok();
                Outcome { result: Ok(result), not_before: at }
            }
            _ => Outcome { result: Ok(result), not_before: None },
        }
    }
}

impl Twin {
    /// Answers a call to AWS.
    fn aws(&self, request: &cloud::Request<'_>) -> Outcome {
        let mut state = self.state();
        let what = request.what();
        state.called.insert(what.clone());
        let names =
            [("aws", &*what), (&*request.call.method, &*what), (&*request.call.method, &*request.call.path)];
        let (now, before) = (state.world.now(), state.world.resource_version());
        let fault = fault::hit(&mut state.faults, now, &names);
        let refusal = match &fault {
            Some(FaultKind::Before { status, retry_after }) => {
                let mut error = cloud::AwsError::injected(&request.service, *status);
                error.retry_after = *retry_after;
                Some(error)
            }
            Some(FaultKind::Refused { code, message, status }) => {
                Some(cloud::AwsError::new(status.unwrap_or(400), code.clone(), message.clone()))
            }
            Some(FaultKind::Fails { code, message }) => {
                let detail =
                    ErrorDetail { code: code.clone(), message: message.clone(), resources: Vec::new() };
                state.world.cloud_mut().doom = Some(detail);
                None
            }
            _ => None,
        };
        let answered = match refusal {
            Some(error) => Err(error),
            None => cloud::answer(&mut state.world, request),
        };
        if state.world.cloud().doom.is_some() {
            state.world.cloud_mut().doom = None;
        }
        let effect = answered.as_ref().ok().and_then(|done| done.effect.clone());
        if let Some(effect) = &effect {
            let entry = LogEntry {
                seq: state.world.log_len(),
                at: now.to_string(),
                verb: "AWS".into(),
                path: format!("{what} {effect}"),
                manager: cloud::who(&state.world, request),
                status: 200,
                request: request.sent(),
                before,
                resource_version: state.world.resource_version(),
            };
            state.world.note(entry);
        }
        let answered = match fault {
            Some(FaultKind::After { status }) => Err(cloud::AwsError::injected(&request.service, status)),
            _ => answered,
        };
        let raw = cloud::render(&mut state.world, request, &answered);
        drop(state);
        if effect.is_some() {
            self.moved();
        }
        let answer = Ok(Ok(Answer::Raw(raw)));
        match fault {
            Some(FaultKind::Lost | FaultKind::Killed) => {
                Outcome { result: Err(TwinError::AnswerLost), not_before: None }
            }
            Some(FaultKind::Delay { seconds }) => {
                let at = now.checked_add(jiff::SignedDuration::from_secs(i64::from(seconds))).ok();
                Outcome { result: answer, not_before: at }
            }
            _ => Outcome { result: answer, not_before: None },
        }
    }
}

fn injected(status: u16, retry_after: Option<u32>) -> ApiError {
    let code = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let reason = match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    // As authorisation says it: a webhook, or a quota, says something else.
    let message = match status {
        403 => "resource is forbidden: User \"system:anonymous\" cannot access it: injected fault".to_owned(),
        _ => format!("injected fault: {code}"),
    };
    let error = ApiError::new(code, reason, message);
    match retry_after {
        Some(seconds) => error.after(seconds),
        None => error,
    }
}
