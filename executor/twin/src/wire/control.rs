//! `/_twin/…`: clock, world, log, faults, programs.

use std::collections::BTreeMap;

use http::{Request, Response};
use hyper::body::Incoming;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::TwinBody;
use super::in_flight::InFlight;
use super::service::{json as answer, read};
use crate::call::Call;
use crate::error::TwinError;
use crate::fault::Fault;
use crate::program::ProgramCall;
use crate::twin::Twin;
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    to: Option<Timestamp>,
    by: Option<u32>,
    #[serde(default)]
    next: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    argv: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
}

pub(super) async fn respond(
    twin: &Twin,
    in_flight: &InFlight,
    request: Request<Incoming>,
) -> Result<Response<TwinBody>, TwinError> {
    let call = read(request).await?;
    let moves = call.method == "POST" && call.path == "/_twin/clock";
    // Calls are answered one at a time; those that are delayed hold the clock only until it moves.
    if moves {
        for _ in 0..1_000 {
            if in_flight.idle() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(match handle(twin, &call) {
        Ok(body) => answer(200, body.to_string()),
        Err((code, message)) => answer(code, json!({"error": message}).to_string()),
    })
}

fn handle(twin: &Twin, call: &Call) -> Result<Value, (u16, String)> {
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_twin/clock") => {}
        ("POST", "/_twin/clock") => {
            let wish: Move = body(call)?;
            let now = twin.now();
            let to = match (wish.to, wish.by, wish.next) {
                (Some(to), None, false) => to,
                (None, Some(by), false) => {
                    now.checked_add(SignedDuration::from_secs(i64::from(by))).unwrap_or(now)
                }
                (None, None, true) => twin.next_event().unwrap_or(now),
                _ => return Err((400, "exactly one of `to`, `by`, `next`".into())),
            };
            twin.advance_to(to);
        }
        ("GET", "/_twin/world") => return Ok(twin.snapshot().to_value()),
        ("GET", "/_twin/log") => return Ok(json!(twin.log())),
        ("GET", "/_twin/called") => return Ok(json!(twin.called())),
        ("DELETE", "/_twin/called") => twin.forget_calls(),
        ("GET", "/_twin/faults") => return Ok(json!(twin.faults())),
        ("POST", "/_twin/faults") => {
            let given: Value = body(call)?;
            let list = if given.is_array() { given } else { json!([given]) };
            let faults: Vec<Fault> = serde_json::from_value(list).map_err(|e| (400, e.to_string()))?;
            for fault in faults {
                twin.inject(fault);
            }
            return Ok(json!(twin.faults()));
        }
        ("DELETE", "/_twin/faults") => twin.heal(),
        ("POST", "/_twin/compact") => twin.with(World::compact),
        ("POST", "/_twin/program") => {
            let run: Run = body(call)?;
            let out = twin.run_program(&ProgramCall { argv: run.argv, env: run.env, files: run.files });
            return Ok(json!({"exit": out.exit, "stdout": out.stdout, "stderr": out.stderr,
                "took_ms": u64::try_from(out.took.as_millis()).unwrap_or(u64::MAX)}));
        }
        (method, path) => return Err((404, format!("the twin has no {method} {path}"))),
    }
    Ok(json!({"now": twin.now().to_string(), "next": twin.next_event().map(|t| t.to_string())}))
}

fn body<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, (u16, String)> {
    serde_json::from_slice(&call.body).map_err(|e| (400, e.to_string()))
}
